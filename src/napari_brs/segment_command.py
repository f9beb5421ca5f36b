"""``napari-brs segment``: clicks on the command line, labels in a file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.image import Channel, ImageSource
from napari_brs.io.atomic import atomic, check_writable
from napari_brs.io.images import KINDS, Plane, read_plane
from napari_brs.io.labels import check_labels_path, read_labels, write_labels
from napari_brs.opening import InteractiveSegmenter, open_segmenter
from napari_brs.own_models import add_model_arguments
from napari_brs.session import Session
from napari_brs.session_file import load_session, save_session

if TYPE_CHECKING:
    from napari_brs.prediction import Prediction

DEFAULT_MODEL = "brs-live"
DEFAULT_THRESHOLD = 0.5

EPILOG = """\
Clicks are made one after the other, in the order given, as in napari: each sees the mask
of those before it. Positions are row,column in pixels, (0, 0) the centre of the first pixel.

  napari-brs segment cells.tif --fg 120,84 --bg 131,90 -o labels.tif
  napari-brs segment cells.tif --fg 120,84 --object --fg 40,200 -o labels.tif
  napari-brs segment stack.tif --slice 12 --replay clicks.json -o labels.tif
  napari-brs segment cells.tif --labels old.tif --correct 7 --bg 131,90 -o labels.tif
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("image", metavar="IMAGE", help=KINDS)
    for flag, meaning, sign in (("--fg", "foreground", True), ("--bg", "background", False)):
        parser.add_argument(
            flag,
            type=_click,
            action=_AddClick,
            const=sign,
            dest="objects",
            metavar="R,C",
            help=f"a {meaning} click; may be repeated",
        )
    parser.add_argument(
        "--object", nargs=0, action=_NextObject, dest="objects", help="begin the next object"
    )
    parser.add_argument(
        "--labels",
        metavar="LABELS.tif",
        help="objects that are there already, of any program; they are kept, and new ones "
        "get ids after them",
    )
    parser.add_argument(
        "--correct",
        type=int,
        action=_CorrectObject,
        dest="objects",
        metavar="ID",
        help="begin an object that starts from the mask of this one of LABELS, and replaces it",
    )
    parser.add_argument("--replay", metavar="S.json", help="take objects and clicks from a session")
    parser.add_argument(
        "-o", "--output", metavar="LABELS.tif", required=True, help="the labels, as TIFF"
    )
    parser.add_argument("--session", metavar="S.json", help="write the clicks as a session")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="instead of clicked objects, all that the model finds by itself; "
        "correct them with --labels",
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--device", metavar="D", default="auto", help="auto, cuda, mps or cpu (default: auto)"
    )
    parser.add_argument(
        "--no-refine",
        dest="refine",
        action="store_false",
        help="do not correct the mask where it contradicts a click",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help=f"probability above which a pixel is foreground (default: {DEFAULT_THRESHOLD})",
    )
    parser.add_argument(
        "--channel", type=_channel, metavar="C", help="a channel's index, mean or max"
    )
    parser.add_argument(
        "--contrast-limits",
        type=_limits,
        metavar="LOW,HIGH",
        help="grey values to show as black and white (default: robust limits of the image)",
    )
    parser.add_argument(
        "--slice",
        type=_indices,
        default=(),
        metavar="N[,N...]",
        help="which plane of a stack, one index per axis",
    )


def run(args: argparse.Namespace) -> None:
    """Segment the objects, print a line for each, and write the files.

    Raises
    ------
    ValueError, OSError
        If something given cannot be used; then nothing is written.
    """
    output = check_writable(check_labels_path(args.output))
    if args.session is not None and check_writable(args.session) == output:
        raise ValueError(f"labels and session cannot both be written to {output}")
    plane = read_plane(args.image, args.slice)
    if args.whole:
        write_labels(output, _segment_whole(args, plane))
        return
    there = None if args.labels is None else _read_existing(args.labels, plane)
    session = _begin_session(args, plane, there)
    # Resolved here, so that a saved session tells what the network saw.
    source = ImageSource(plane.pixels, session.contrast_limits, args.channel)
    session.contrast_limits = source.contrast_limits

    segmenter = open_segmenter(session.model, args.device, args.trust)
    segmenter.set_image(plane.pixels, session.contrast_limits, args.channel)
    highest = max(session.highest_label, 0 if there is None else int(there.max()))
    dtype = np.uint32 if highest > np.iinfo(np.uint16).max else np.uint16
    labels = np.zeros(segmenter.shape, dtype) if there is None else there.astype(dtype)
    for item in session.objects:
        clicks = item.plane(plane.position).clicks
        if item.label is not None and clicks:
            start = None if there is None else _take_out(labels, item.label)
            predictions = _replay(segmenter, clicks, args.refine, session.threshold, start)
            pixels = _add_object(labels, predictions[-1], item.label)
            print(_line(item.label, predictions, pixels), flush=True)
    with ExitStack() as files:
        if args.session is not None:
            partial = files.enter_context(atomic(args.session))
            save_session(partial, session, Path(args.image).name)
        write_labels(output, labels)


def _segment_whole(args: argparse.Namespace, plane: Plane) -> NDArray[Any]:
    """Labels of all objects that a model finds without clicks."""
    for flag in ("objects", "replay", "labels", "session"):
        if getattr(args, flag):
            raise ValueError(
                "--whole takes no clicks and no labels; correct what it writes with --labels"
            )
    segmenter = open_segmenter(args.model or DEFAULT_MODEL, args.device, args.trust)
    find = getattr(segmenter, "instances", None)
    if find is None:
        raise ValueError(
            f"{args.model or DEFAULT_MODEL} segments nothing without clicks; --whole needs a "
            "model that does"
        )
    segmenter.set_image(plane.pixels, args.contrast_limits, args.channel)
    labels: NDArray[Any] = find()
    print(f"{int(labels.max())} objects")
    return labels.astype(np.uint16 if labels.max() <= np.iinfo(np.uint16).max else np.uint32)


def _read_existing(path: str, plane: Plane) -> NDArray[Any]:
    labels = read_labels(path)
    if labels.shape != plane.pixels.shape[:2]:
        raise ValueError(
            f"{path} has shape {labels.shape}; that of the image, {plane.pixels.shape[:2]}, "
            "is allowed"
        )
    if int(labels.min()) < 0 or int(labels.max()) > np.iinfo(np.uint32).max:
        raise ValueError(f"{path} has ids outside 0 to {np.iinfo(np.uint32).max}")
    return labels


def _begin_session(args: argparse.Namespace, plane: Plane, there: NDArray[Any] | None) -> Session:
    """The objects asked for, each with an id, and the settings to segment them with."""
    known = 0 if there is None else int(there.max())
    if args.replay is None:
        session = Session(plane.shape, DEFAULT_MODEL, DEFAULT_THRESHOLD)
        for clicks in args.objects or [_Clicks()]:
            if not clicks:
                raise ValueError(
                    "an object has no click; --fg R,C, --bg R,C or --replay S.json is needed"
                )
            if clicks.label is not None and (there is None or not (there == clicks.label).any()):
                where = f"in {args.labels}" if args.labels else "without --labels"
                raise ValueError(f"--correct {clicks.label}: there is no such object {where}")
            session.set_clicks(plane.position, clicks)
            session.commit(clicks.label or max(session.highest_label, known) + 1)
    else:
        if args.objects:
            raise ValueError("clicks and --replay are both given; one of them is allowed")
        session = load_session(args.replay)
        if session.shape != plane.shape:
            raise ValueError(
                f"{args.replay} was made on an image of shape {session.shape}; "
                f"{args.image} has {plane.shape}"
            )
        for item in session.objects:
            if item.label is None and not item.empty:
                session.open(item.key)
                session.commit(max(session.highest_label, known) + 1)
        if all(item.plane(plane.position).empty for item in session.objects):
            raise ValueError(f"{args.replay} has no click on this plane of {args.image}")
    session.model = args.model or session.model
    session.threshold = session.threshold if args.threshold is None else args.threshold
    session.contrast_limits = args.contrast_limits or session.contrast_limits
    return session


def _take_out(labels: NDArray[Any], label: int) -> NDArray[np.bool_] | None:
    """Remove an object from labels; its mask, None if it has no pixels."""
    mask: NDArray[np.bool_] = labels == label
    labels[mask] = 0
    return mask if mask.any() else None


def _replay(
    segmenter: InteractiveSegmenter,
    clicks: Sequence[Click],
    refine: bool,
    threshold: float,
    start: NDArray[np.bool_] | None,
) -> list[Prediction]:
    """Make the clicks of one object as the dock does: each starts from what was there."""
    predictions: list[Prediction] = []
    for count in range(1, len(clicks) + 1):
        previous = predictions[-1] if predictions else start
        predictions.append(segmenter.predict(clicks[:count], previous, refine, threshold))
    return predictions


def _add_object(labels: NDArray[Any], prediction: Prediction, label: int) -> int:
    """Write an object where no other one is; its number of pixels."""
    window = labels[prediction.view.box.slices]
    free = prediction.window_mask & (window == 0)
    window[free] = label
    return int(np.count_nonzero(free))


def _line(label: int, predictions: Sequence[Prediction], pixels: int) -> str:
    last = predictions[-1]
    positive = sum(click.positive for click in last.clicks)
    missed = last.clicks_obeyed.count(False)
    obeyed = f"{missed} of {len(last.clicks)} clicks not obeyed" if missed else "every click obeyed"
    seconds = sum(prediction.seconds for prediction in predictions)
    scale = last.view.scale
    coarser = f"seen at {scale:.0%} of its resolution, " if scale < 0.995 else ""
    return (
        f"object {label}: {positive} FG, {len(last.clicks) - positive} BG, {pixels} px, "
        f"{coarser}{obeyed}, {seconds:.2f} s"
    )


class _Clicks(list[Click]):
    """The clicks of one object, and its id if it has one already."""

    label: int | None = None


class _AddClick(argparse.Action):
    """Adds to the last object; signs share one list, so that their order is kept."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        objects = namespace.objects or [_Clicks()]
        row, column = values
        objects[-1].append(Click(row, column, positive=bool(self.const)))
        namespace.objects = objects


class _NextObject(argparse.Action):
    """Begins another object; before the first click it changes nothing."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if namespace.objects:
            namespace.objects.append(_Clicks())


class _CorrectObject(argparse.Action):
    """Begins an object that has an id."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        begun = _Clicks()
        begun.label = values
        namespace.objects = [*filter(None, namespace.objects or []), begun]


def _click(text: str) -> tuple[float, float]:
    return _pair(text, "a position; row,column such as 120,84.5 is allowed")


def _limits(text: str) -> tuple[float, float]:
    return _pair(text, "a range; low,high such as 100,4095 is allowed")


def _pair(text: str, meaning: str) -> tuple[float, float]:
    try:
        first, second = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {meaning}") from None
    return first, second


def _indices(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a slice; integers such as 12, or 0,12 for two axes, are allowed"
        ) from None


def _channel(text: str) -> Channel:
    try:
        return int(text)
    except ValueError:
        return text  # "mean", "max", or what ImageSource refuses
