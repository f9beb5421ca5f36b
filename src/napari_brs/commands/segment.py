"""``napari-brs segment``: clicks on the command line, labels in a file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import ExitStack
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.commands.segment_arguments import (
    DEFAULT_MODEL,
    DEFAULT_THRESHOLD,
    Clicks,
    add_arguments,
)
from napari_brs.converted.files import model_files
from napari_brs.image import ImageSource
from napari_brs.io.atomic import atomic
from napari_brs.io.images import Plane, read_plane
from napari_brs.io.labels import check_labels_path, read_labels, write_labels
from napari_brs.io.outputs import check_outputs
from napari_brs.io.session_models import ImagePart
from napari_brs.io.sessions import (
    HIGHEST_LABEL,
    check_session_path,
    labels_digest,
    load_session,
    to_json,
)
from napari_brs.prompts.box import predict
from napari_brs.segmenters import Segmenter, open_segmenter
from napari_brs.session import PlaneState, Session

if TYPE_CHECKING:
    from napari_brs.brs.prediction import Prediction

__all__ = ["add_arguments", "run"]

LARGEST = 2**32
"""Pixels of an image that is segmented: its labels have to be held, though only the parts
that the network looks at are read of it."""


def run(args: argparse.Namespace) -> None:
    """Segment the objects, print a line for each, and write the files.

    Raises
    ------
    ValueError, OSError
        If something given cannot be used; then nothing is written.
    """
    check_labels_path(args.output)
    replayed = None if args.replay is None else load_session(args.replay)
    if args.model is None:
        args.model = DEFAULT_MODEL if replayed is None else replayed.model
    # Labels that are there may be continued in the same file.
    read = [] if args.labels is None or _same_file(args.labels, args.output) else [args.labels]
    inputs = [args.image, args.replay, *read, *model_files(args.model)]
    check_outputs([args.output, args.session], inputs)
    if args.session is not None:
        check_session_path(args.session)
    plane = read_plane(args.image, args.slice)
    _check_size(args.image, plane)
    if args.whole:
        write_labels(args.output, _segment_whole(args, plane))
        return
    there = None if args.labels is None else _read_existing(args.labels, plane)
    session = _begin_session(args, plane, there, replayed)
    # Resolved here, so that a saved session tells what the network saw.
    source = ImageSource(plane.pixels, session.contrast_limits, args.channel)
    session.contrast_limits = source.contrast_limits

    segmenter = open_segmenter(session.model, args.device, args.trust)
    segmenter.set_image(plane.pixels, session.contrast_limits, args.channel)
    highest = max(session.highest_label, 0 if there is None else int(there.max()))
    dtype = np.uint32 if highest > np.iinfo(np.uint16).max else np.uint16
    labels = np.zeros(segmenter.shape, dtype) if there is None else there.astype(dtype)
    for item in session.objects:
        clicked = item.plane(plane.position)
        if item.label is not None and clicked.prompted:
            start = None if there is None else _take_out(labels, item.label)
            # A box says anew where the object is.
            start = start if clicked.box is None else None
            predictions = _replay(segmenter, clicked, args.refine, session.threshold, start)
            pixels = _add_object(labels, predictions[-1], item.label)
            print(_line(item.label, clicked, predictions, pixels), flush=True)
    with ExitStack() as files:
        if args.session is not None:
            partial = files.enter_context(atomic(args.session))
            session.refine = args.refine
            text = to_json(
                session,
                image=ImagePart(
                    name=Path(args.image).name,
                    path=os.path.abspath(args.image),
                    shape=session.shape,
                    channel=args.channel,
                ),
                device=str(segmenter.device),
                labels_sha256=labels_digest(labels) if there is None else None,
            )
            partial.write_text(text, encoding="utf-8", newline="\n")
        write_labels(args.output, labels)


def _check_size(path: str, plane: Plane) -> None:
    rows, columns = plane.pixels.shape[:2]
    if rows * columns > LARGEST:
        raise ValueError(
            f"{path} has {rows:,} × {columns:,} pixels; {LARGEST:,} of them, such as "
            f"{isqrt(LARGEST):,} × {isqrt(LARGEST):,}, are allowed"
        )


def _segment_whole(args: argparse.Namespace, plane: Plane) -> NDArray[Any]:
    """Labels of all objects that a model finds without clicks."""
    for flag in ("objects", "size", "replay", "labels", "session"):
        if getattr(args, flag):
            raise ValueError(
                "--whole takes no clicks and no labels; correct what it writes with --labels"
            )
    segmenter = open_segmenter(args.model, args.device, args.trust)
    segmenter.set_image(plane.pixels, args.contrast_limits, args.channel)
    labels = segmenter.instances()
    if labels is None:
        raise ValueError(
            f"{args.model} segments nothing without clicks; --whole needs a model that does"
        )
    print(f"{int(labels.max())} objects")
    return labels.astype(np.uint16 if labels.max() <= np.iinfo(np.uint16).max else np.uint32)


def _same_file(one: str, other: str) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _read_existing(path: str, plane: Plane) -> NDArray[Any]:
    labels = read_labels(path)
    if labels.shape != plane.pixels.shape[:2]:
        raise ValueError(
            f"{path} has shape {labels.shape}; that of the image, {plane.pixels.shape[:2]}, "
            "is allowed"
        )
    if int(labels.min()) < 0 or int(labels.max()) > HIGHEST_LABEL:
        raise ValueError(f"{path} has ids outside 0 to {HIGHEST_LABEL}")
    return labels


def _begin_session(
    args: argparse.Namespace, plane: Plane, there: NDArray[Any] | None, replayed: Session | None
) -> Session:
    """The objects asked for, each with an id, and the settings to segment them with."""
    known = 0 if there is None else int(there.max())
    if replayed is None:
        session = Session(plane.shape, threshold=DEFAULT_THRESHOLD)
        for clicks in args.objects or [Clicks()]:
            if not clicks:
                raise ValueError(
                    "an object has no click; --fg R,C, --bg R,C, --box T,L,B,R or --replay S.json "
                    "is needed"
                )
            if clicks.label is not None and not _has(there, clicks.label):
                where = f"in {args.labels}" if args.labels else "without --labels"
                raise ValueError(f"--correct {clicks.label}: there is no such object {where}")
            session.set_clicks(plane.position, clicks, args.size)
            if clicks.box is not None:
                session.set_box(plane.position, clicks.box)
            session.commit(clicks.label or _next_label(session, known))
    else:
        for given, there in (("clicks", args.objects), ("--size", args.size)):
            if there:
                raise ValueError(f"{given} and --replay are both given; one of them is allowed")
        session = replayed
        if session.shape != plane.shape:
            raise ValueError(
                f"{args.replay} was made on an image of shape {session.shape}; "
                f"{args.image} has {plane.shape}"
            )
        for item in session.objects:
            if item.label is None and not item.empty:
                session.open(item.key)
                session.commit(_next_label(session, known))
        if all(item.plane(plane.position).empty for item in session.objects):
            raise ValueError(f"{args.replay} has no click on this plane of {args.image}")
    session.model = args.model
    session.threshold = session.threshold if args.threshold is None else args.threshold
    session.contrast_limits = args.contrast_limits or session.contrast_limits
    return session


def _has(labels: NDArray[Any] | None, label: int) -> bool:
    """Whether an object is there; 0 is the background."""
    return labels is not None and label > 0 and bool((labels == label).any())


def _next_label(session: Session, known: int) -> int:
    label = max(session.highest_label, known) + 1
    if label > HIGHEST_LABEL:
        raise ValueError(f"no id is left for a new object: {HIGHEST_LABEL} is the highest allowed")
    return label


def _take_out(labels: NDArray[Any], label: int) -> NDArray[np.bool_] | None:
    """Remove an object from labels; its mask, None if it has no pixels."""
    mask: NDArray[np.bool_] = labels == label
    labels[mask] = 0
    return mask if mask.any() else None


def _replay(
    segmenter: Segmenter,
    clicked: PlaneState,
    refine: bool,
    threshold: float,
    start: NDArray[np.bool_] | None,
) -> list[Prediction]:
    """Make the clicks of one object as the dock does: each starts from what was there."""
    predictions: list[Prediction] = []
    for count in clicked.every_step:
        previous = predictions[-1] if predictions else start
        predictions.append(
            predict(
                segmenter,
                clicked.clicks[:count],
                previous,
                refine,
                threshold,
                size_hint=clicked.size_hint,
                box=clicked.box,
            )
        )
    return predictions


def _add_object(labels: NDArray[Any], prediction: Prediction, label: int) -> int:
    """Write an object where no other one is; its number of pixels."""
    window = labels[prediction.view.box.slices]
    free = prediction.window_mask & (window == 0)
    window[free] = label
    return int(np.count_nonzero(free))


def _line(label: int, clicked: PlaneState, predictions: Sequence[Prediction], pixels: int) -> str:
    last = predictions[-1]
    positive = sum(click.positive for click in clicked.clicks)
    box = "" if clicked.box is None else "box, "
    missed = last.clicks_obeyed.count(False)
    obeyed = f"{missed} of {len(last.clicks)} clicks not obeyed" if missed else "every click obeyed"
    seconds = sum(prediction.seconds for prediction in predictions)
    scale = last.view.scale
    coarser = f"seen at {scale:.0%} of its resolution, " if scale < 0.995 else ""
    return (
        f"object {label}: {box}{positive} FG, {len(clicked.clicks) - positive} BG, {pixels} px, "
        f"{coarser}{obeyed}, {seconds:.2f} s"
    )
