"""``napari-brs replay``: the labels of a session, made again from its clicks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.converted.files import model_files
from napari_brs.image import Channel
from napari_brs.io.images import read_plane
from napari_brs.io.labels import check_labels_path, read_labels, write_labels
from napari_brs.io.outputs import check_outputs
from napari_brs.io.session_models import PlanePart, SessionPart
from napari_brs.io.sessions import labels_digest, read_session, to_session
from napari_brs.masks import Mask
from napari_brs.prompts.box import predict
from napari_brs.segmenters import Segmenter, open_segmenter
from napari_brs.session import PlaneState, Position

if TYPE_CHECKING:
    from napari_brs.brs.prediction import Previous


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("session", metavar="SESSION.json")
    parser.add_argument("-o", "--output", metavar="LABELS.tif", required=True)
    parser.add_argument(
        "--image", metavar="IMAGE", help="default: the one that the session names, beside it"
    )
    parser.add_argument(
        "--compare", metavar="LABELS.tif", help="labels to count differing pixels against"
    )
    parser.add_argument("--device", metavar="D", help="default: the one the session names")
    parser.add_argument(
        "--trust", action="store_true", help="let a network of your own run its code"
    )


def run(args: argparse.Namespace) -> None:
    """Replay a session of an image of one plane, write its labels, and say how they compare.

    Raises
    ------
    ValueError, OSError
        If something given cannot be used; then nothing is written.
    """
    check_labels_path(args.output)
    part = read_session(args.session)
    image = args.image or _image_of(part, Path(args.session))
    check_outputs([args.output], [args.session, image, args.compare, *model_files(part.model)])
    position: Position = (None,) * len(part.image.shape)
    if len(position) != 2:
        raise ValueError(
            f"{args.session} is of an image of shape {part.image.shape}; two axes are allowed"
        )
    plane = read_plane(image)
    if plane.shape != part.image.shape:
        raise ValueError(
            f"{args.session} was made on an image of shape {part.image.shape}; "
            f"{image} has {plane.shape}"
        )
    there = None if args.compare is None else read_labels(args.compare)
    if there is not None and there.shape != plane.shape:
        raise ValueError(f"{args.compare} has shape {there.shape}; the image has {plane.shape}")
    segmenter = open_segmenter(part.model, args.device or part.device or "auto", args.trust)
    labels = replay_plane(part, position, segmenter, plane.pixels, part.image.channel)
    write_labels(args.output, labels)
    print(_comparison(labels, there, part.labels_sha256))


def replay_plane(
    part: SessionPart,
    position: Position,
    segmenter: Segmenter,
    pixels: Any,
    channel: Channel | None = None,
) -> NDArray[np.uint32]:
    """The labels of one plane of a session, (H, W) uint32.

    Each prediction starts from the one before, at the clicks at which the dock made them.
    What the labels had beyond that is laid on top, as the session keeps it.

    Parameters
    ----------
    part : SessionPart
    position : Position
    segmenter : Segmenter
        Of the session's model; it gets the image.
    pixels : (H, W) or (H, W, C) array-like
    channel : int or str, optional
        As for `ImageSource`.

    Raises
    ------
    ValueError
        If the session does not fit the image.
    """
    session = to_session(part)
    shape = session.plane_shape(position)
    segmenter.set_image(pixels, part.contrast_limits, channel)
    labels = np.zeros(shape, np.uint32)
    states = {found.label: found.plane(position) for found in session.objects}
    for item in part.objects:
        for kept in item.planes:
            if item.label is None or kept.position != position:
                continue
            mask = _mask(kept, states[item.label], segmenter, part, shape)
            window = labels[mask.box.slices]
            window[mask.pixels & (window == 0)] = item.label
    return labels


def _mask(
    kept: PlanePart,
    state: PlaneState,
    segmenter: Segmenter,
    part: SessionPart,
    shape: tuple[int, int],
) -> Mask:
    """What the labels had of one object."""
    if kept.pixels is not None:
        return kept.pixels.mask(shape)
    given: Mask = state.edited
    if given is None:
        previous: Previous = state.start_mask
        for count in kept.steps or state.every_step:
            previous = predict(
                segmenter,
                state.clicks[:count],
                previous,
                part.refine,
                part.threshold,
                size_hint=state.size_hint,
                box=state.box,
            )
        given = Mask.empty(shape) if previous is None else getattr(previous, "packed", previous)
    if kept.difference is None:
        return given
    return given.symmetric_difference(kept.difference.mask(given.shape))


def _image_of(part: SessionPart, session: Path) -> Path:
    """The image that a session names: where it was, or beside the session."""
    places = [Path(part.image.path)] if part.image.path else []
    places += [session.parent / part.image.name] if part.image.name else []
    for place in places:
        if place.exists():
            return place
    raise ValueError(f"the image {part.image.name!r} of {session} is not there; give --image")


def _comparison(labels: NDArray[np.uint32], there: NDArray[Any] | None, digest: str | None) -> str:
    """One line: how labels compare with others, or with the digest a session keeps."""
    count = np.unique(labels[labels > 0]).size
    if there is not None:
        share = float((labels != there).mean())
        return f"{count} objects; {share:.4%} of the pixels differ"
    if digest is None:
        return f"{count} objects; the session keeps no digest to compare with"
    same = digest == labels_digest(labels)
    return f"{count} objects; {'the same labels, bit for bit' if same else 'the labels differ'}"
