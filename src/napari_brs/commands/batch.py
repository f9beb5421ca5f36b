"""``napari-brs batch``: all objects of many images, on all cores or a cluster."""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_brs.batch.cluster import open_client, segment_images
from napari_brs.batch.inputs import BatchImage, find_images
from napari_brs.batch.records import (
    SUMMARY,
    Record,
    finished,
    labels_path,
    record_path,
    write_summary,
)
from napari_brs.batch.work import Plan, teach
from napari_brs.commands.arguments import add_model_arguments, channel, limits
from napari_brs.converted.files import model_files
from napari_brs.io.images import KINDS
from napari_brs.io.labels import read_labels
from napari_brs.io.outputs import check_outputs
from napari_brs.io.sessions import labels_digest
from napari_brs.segmenters import open_segmenter

SOME_FAILED = 1
"""Exit code if some images could not be segmented."""
AUTOMATIC, INTERACTIVE = "unet-cells", "brs-live"
"""Models without and with examples, if none is named."""

EPILOG = """\
Each image gets NAME.tif with its labels and NAME.json, a record; summary.csv has a line for each.
The same command again goes on where it was interrupted. The exit code is 1 if an image failed.

  napari-brs batch day1/ day2/*.tif -o labels
  napari-brs batch plate.zarr -o labels --workers 8 --channel 0
  napari-brs batch frames/*.tif -o labels --examples first-labels.tif --examples-of frames/t000.tif
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        "images",
        metavar="INPUT",
        nargs="+",
        help=f"an image ({KINDS}), each plane of a stack; a folder, a pattern, a Zarr group of "
        "images, an OME-Zarr plate",
    )
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", required=True, help="made if it is not there"
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--examples",
        metavar="LABELS.tif",
        help="finished objects of one image: what is like them is looked for in all, by "
        f"{INTERACTIVE} if no other network for clicks is named",
    )
    parser.add_argument(
        "--examples-of",
        metavar="IMAGE",
        help="the input that the examples are of; default the first that is named like them",
    )
    parser.add_argument(
        "--confidence",
        type=float,
        metavar="C",
        default=0.5,
        help="with examples: objects at least so likely are kept (default: %(default)s)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one a core, at most 8)"
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a dask cluster that runs, such as tcp://host:8786",
    )
    parser.add_argument(
        "--device", metavar="D", default="auto", help="auto, cuda, mps or cpu (default: auto)"
    )
    parser.add_argument(
        "--channel", type=channel, metavar="C", help="a channel's index, mean or max"
    )
    parser.add_argument(
        "--contrast-limits",
        type=limits,
        metavar="LOW,HIGH",
        help="grey values to show as black and white (default: robust limits of each image)",
    )


def run(args: argparse.Namespace) -> int:
    """Segment the images that are not finished yet, with a line for each, and sum up.

    Raises
    ------
    ValueError, OSError
        If something given cannot be used; then nothing is written.
    """
    if args.workers is not None and args.workers < 1:
        raise ValueError(f"--workers is {args.workers}; 1 or more are allowed")
    if not 0 <= args.confidence <= 1:
        raise ValueError(f"--confidence is {args.confidence}; 0 to 1 are allowed")
    if args.examples_of and not args.examples:
        raise ValueError("--examples-of says what --examples are of, which are not given")
    args.model = args.model or (INTERACTIVE if args.examples else AUTOMATIC)
    images, folder = find_images(args.images), Path(args.output).absolute()
    _check_outputs(args, images, folder)
    plan = _plan(args, images, folder)
    before = {image: finished(folder, image, plan.settings) for image in images}
    records = {image.name: record for image, record in before.items() if record is not None}
    left = [image for image in images if image.name not in records]
    if records:
        print(f"{len(records)} of {len(images)} images were finished before")
    try:
        if left:
            with open_client(args.workers, args.scheduler) as client:
                folder.mkdir(parents=True, exist_ok=True)
                began = time.perf_counter()
                for count, record in enumerate(segment_images(client, left, plan), start=1):
                    records[record.image] = record
                    seconds = (time.perf_counter() - began) * (len(left) - count) / count
                    print(_line(record, len(records), len(images), seconds), flush=True)
    finally:
        if records:
            folder.mkdir(parents=True, exist_ok=True)
            write_summary(folder, [records[one.name] for one in images if one.name in records])
    failed = sum(bool(record.error) for record in records.values())
    objects = sum(record.objects for record in records.values())
    print(f"{len(records) - failed} images, {objects} objects; {failed} images failed")
    return SOME_FAILED if failed else 0


def _check_outputs(args: argparse.Namespace, images: list[BatchImage], folder: Path) -> None:
    outputs = [folder / SUMMARY]
    for image in images:
        outputs += [labels_path(folder, image), record_path(folder, image)]
    files = [image.path for image in images if not image.path.is_dir()]
    check_outputs(outputs, [*files, args.examples, *model_files(args.model)], folder)
    # All outputs lie in one folder, so that it is enough to ask where one of them does.
    given = [Path(text) for text in args.images]
    folders = {path for path in given if path.is_dir()} | {
        image.path for image in images if image.path.is_dir()
    }
    check_outputs([folder / SUMMARY], folders, folder)


def _plan(args: argparse.Namespace, images: list[BatchImage], folder: Path) -> Plan:
    """What is done with each image, after trying here what can be tried."""
    there = os.path.exists(args.model)
    plan = Plan(
        folder,
        {"model": args.model, "weights": _digest(args.model)},
        os.path.abspath(args.model) if there else args.model,
        args.device,
        args.trust,
        args.channel,
        args.contrast_limits,
        confidence=args.confidence,
    )
    plan.settings["channel"] = args.channel
    plan.settings["contrast_limits"] = args.contrast_limits and list(args.contrast_limits)
    # The device may be another one where the workers are.
    segmenter = open_segmenter(args.model, "cpu" if args.scheduler else args.device, args.trust)
    if args.examples is None:
        segmenter.set_image(np.zeros((32, 32), np.uint8))
        if segmenter.instances() is None:
            raise ValueError(
                f"{args.model} segments nothing without clicks; --examples, or a model such as "
                f"{AUTOMATIC}, is needed"
            )
        return plan
    labels = read_labels(args.examples)
    plan.settings["examples"] = labels_digest(labels)
    plan.settings["confidence"] = args.confidence
    image = _image_of(args, images)
    plan.settings["examples_of"] = image.name
    return replace(plan, taught=teach(segmenter, image, labels, plan))


def _image_of(args: argparse.Namespace, images: list[BatchImage]) -> BatchImage:
    """The input that the examples are of."""
    if args.examples_of:
        path = Path(args.examples_of).absolute()
        fitting = [image for image in images if image.path == path]
        if not fitting:
            raise ValueError(f"--examples-of {args.examples_of}: it is none of the inputs")
        if len(fitting) > 1:
            raise ValueError(f"--examples-of {args.examples_of}: it is a stack; a plane is needed")
        return fitting[0]
    name = Path(args.examples).stem
    fitting = [image for image in images if image.name == name]
    if not fitting:
        raise ValueError(f"no input is named {name} as the examples are; --examples-of is needed")
    return fitting[0]


def _digest(model: str) -> str | None:
    """SHA-256 of the files that a model is read from; None for those without any."""
    found = hashlib.sha256()
    files = [path for path in model_files(model) if path.is_file()]
    for path in files:
        found.update(path.read_bytes())
    return found.hexdigest() if files else None


def _line(record: Record, count: int, total: int, seconds: float) -> str:
    what = f"failed: {record.error}" if record.error else f"{record.objects} objects"
    left = f", {_duration(seconds)} left" if count < total else ""
    return f"{record.image}: {what}, {record.seconds:.2f} s ({count} of {total}{left})"


def _duration(seconds: float) -> str:
    """Such as ``40 s``, ``12 min`` or ``3 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes: Any = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
