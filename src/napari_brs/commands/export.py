"""``napari-brs export``: finished objects in the format that the next program reads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.converted.files import model_files
from napari_brs.io.exporters.labelled_image import UNITS, LabelledImage
from napari_brs.io.exporters.reading import (
    arranged,
    image_axes,
    read_image_stack,
    read_label_stack,
    read_objects,
)
from napari_brs.io.exporters.table import exporter_for, exporters
from napari_brs.io.images import read_plane
from napari_brs.io.outputs import check_outputs
from napari_brs.io.sessions import load_session
from napari_brs.methods import bibtex, methods_text
from napari_brs.segmenters import open_segmenter
from napari_brs.session import Session

EPILOG = """\
  napari-brs export labels.tif -o cells.geojson --objects classes.csv
  napari-brs export labels.tif --image cells.tif --pixel-size 0.325 --unit um -o cells.csv
  napari-brs export clicks.json --image cells.tif -o cells.zip
  napari-brs export clicks.json --methods
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    formats = "\n".join(f"  {e.suffix:<14}{e.description}" for e in exporters().values())
    parser.epilog = f"formats, by the end of FILE:\n{formats}\n\nexamples:\n{EPILOG}"
    parser.add_argument(
        "source",
        metavar="SESSION.json|LABELS",
        help="a session, whose clicks are made again on --image, or a label image",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="its suffix names the format")
    parser.add_argument(
        "--methods",
        action="store_true",
        help="print a paragraph for the methods section of a paper, and BibTeX; of a session",
    )
    parser.add_argument("--image", metavar="IMAGE", help="the image that the objects are of")
    parser.add_argument(
        "--objects",
        metavar="TABLE.csv",
        help="names, classes and parents: columns id, name, class, parent",
    )
    parser.add_argument(
        "--axes",
        metavar="AXES",
        help="a letter for each axis of LABELS, such as TYX (default: what the file says)",
    )
    parser.add_argument(
        "--pixel-size",
        type=_lengths,
        default=(),
        metavar="P[,P...]",
        help="length of a pixel: one for all axes, or one each for (Z,) Y and X (default: 1)",
    )
    parser.add_argument(
        "--unit",
        metavar="U",
        default="pixel",
        help=f"of pixel sizes: {', '.join(UNITS)}, or um, mm, nm (default: pixel)",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=1.0,
        metavar="S",
        help="seconds from frame to frame (default: 1)",
    )
    parser.add_argument(
        "--device", metavar="D", default="auto", help="for sessions: auto, cuda, mps or cpu"
    )
    parser.add_argument(
        "--trust", action="store_true", help="open a session's model file that can run code"
    )


def run(args: argparse.Namespace) -> None:
    """Write the file, print the text, or both.

    Raises
    ------
    ValueError, OSError
        If something given cannot be used; then nothing is written.
    """
    if args.output is None and not args.methods:
        raise ValueError("nothing to do: -o FILE or --methods is needed")
    session = load_session(args.source) if Path(args.source).suffix == ".json" else None
    if args.methods and session is None:
        raise ValueError(f"--methods needs a session; {args.source} is none")
    if args.output is not None:
        _write(args, session)
    if args.methods and session is not None:
        print(f"{methods_text(session)}\n\n{bibtex()}", end="")


def _write(args: argparse.Namespace, session: Session | None) -> None:
    exporter = exporter_for(args.output)
    writer = exporter.load()  # a missing package shows before anything is computed
    path = Path(args.output)
    model = () if session is None else model_files(session.model)
    inputs = [args.source, args.image, args.objects, *model]
    # A store that is there gets labels added; what changes in it is known later.
    check_outputs([] if path.is_dir() else [path], inputs)
    if session is None:
        labels, axes = read_label_stack(args.source, args.axes)
    else:
        labels, axes = _of_session(args, session)
    names, classes, parents = ({}, {}, {}) if args.objects is None else read_objects(args.objects)
    labelled = LabelledImage(
        labels,
        axes,
        None if args.image is None else read_image_stack(args.image, axes, labels.shape),
        pixel_size=_pixel_size(axes, args.pixel_size, args.interval),
        unit=args.unit,
        image_name=Path(args.image or args.source).name,
        names=names,
        classes=classes,
        parents=parents,
    )
    check_outputs(exporter.outputs(labelled, path), inputs)
    writer(labelled, path)


def _of_session(args: argparse.Namespace, session: Session) -> tuple[NDArray[Any], str]:
    """The labels that the clicks of a session make, and letters for their axes."""
    if args.image is None:
        raise ValueError(f"{args.source} is a session, which holds clicks; --image is needed")
    names = image_axes(args.image)
    segmenter = open_segmenter(session.model, args.device, args.trust)
    number = session.highest_label
    ids = {}
    for item in session.objects:
        if not item.empty:
            number += item.label is None
            ids[item.key] = number if item.label is None else item.label
    labels = np.zeros(session.shape, np.uint32)
    positions = dict.fromkeys(place for item in session.objects for place in item.planes)
    for position in positions:
        plane = read_plane(args.image, [index for index in position if index is not None])
        if plane.shape != session.shape or plane.position != position:
            raise ValueError(
                f"{args.source} was made on an image of shape {session.shape}; "
                f"{args.image} has {plane.shape}"
            )
        segmenter.set_image(plane.pixels, session.contrast_limits)
        here = labels[tuple(slice(None) if index is None else index for index in position)]
        for item in session.objects:
            clicks = item.plane(position).clicks
            prediction = None
            for count in range(1, len(clicks) + 1):  # each starts from what was there
                prediction = segmenter.predict(
                    clicks[:count], prediction, threshold=session.threshold
                )
            if prediction is not None:
                window = here[prediction.view.box.slices]
                window[prediction.window_mask & (window == 0)] = ids[item.key]
    return arranged(labels, names)


def _pixel_size(axes: str, given: tuple[float, ...], interval: float) -> tuple[float, ...]:
    """A length for each axis."""
    spatial = [axis for axis in axes if axis in "ZYX"]
    if len(given) not in (0, 1, len(spatial)):
        raise ValueError(
            f"--pixel-size has {len(given)} numbers; one, or {len(spatial)} for "
            f"{', '.join(spatial)}, are allowed"
        )
    lengths = given if len(given) == len(spatial) else (given or (1.0,)) * len(spatial)
    sizes = dict(zip(spatial, lengths, strict=True)) | {"T": interval}
    return tuple(sizes.get(axis, 1.0) for axis in axes)


def _lengths(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no pixel size; numbers such as 0.325, or 1,0.325,0.325, are allowed"
        ) from None
