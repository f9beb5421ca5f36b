"""Objects followed from frame to frame, forward or backward, through time or depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_brs.image import Channel, ImageSource
from napari_brs.masks import Box, Mask, overlap
from napari_brs.propagation.confidence import chance
from napari_brs.propagation.frame import Followed, follow_frame, merged, settle
from napari_brs.propagation.motion import FARTHEST, compared, displacement, shifted
from napari_brs.segmenters import Segmenter


class Frames(Protocol):
    """Frames of one size, (H, W) or (H, W, C) each: an array of them, or what reads them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class Seeing(NamedTuple):
    """How frames are turned into what the network sees; see `ImageSource`.

    Attributes
    ----------
    contrast_limits : (float, float) or None
    channel : int, str or None
    threshold : float
        Probabilities above it are foreground.
    """

    contrast_limits: tuple[float, float] | None = None
    channel: Channel | None = None
    threshold: float = 0.5


class Step(NamedTuple):
    """What became of the objects in one frame.

    Attributes
    ----------
    frame : int
    objects : mapping
        Object -> Followed.
    confidence : mapping
        Object -> chance that its mask is good, 0 to 1.
    """

    frame: int
    objects: Mapping[int, Followed]
    confidence: Mapping[int, float]


def propagate(
    segmenter: Segmenter,
    frames: Frames,
    start: int,
    objects: Mapping[int, Mask],
    stop: int,
    seeing: Seeing = Seeing(),  # noqa: B008
) -> Iterator[Step]:
    """Follow objects from a frame on, until all are lost.

    Each object is expected where the frame before had it, moved by the cross-correlation of
    its surroundings. Frames are read one ahead, in a thread; at no time more than three are
    held.

    Parameters
    ----------
    segmenter : Segmenter
        Its image is another one afterwards.
    frames : Frames
    start : int
        Frame in which the objects are known.
    objects : mapping
        Object -> its Mask there.
    stop : int
        Frame before which to end; less than ``start``, -1 included, to go backward.
    seeing : Seeing

    Yields
    ------
    Step
        Of each frame after ``start``, as soon as it is known.

    Raises
    ------
    ValueError
        If a frame does not exist, cannot be read or has another size, or a mask is empty.
    """
    _check(frames, start, stop, objects)
    order = range(start, stop, 1 if stop > start else -1)
    now = dict(objects)
    before: dict[int, NDArray[np.float32]] = {}
    for frame, image in _read_ahead(frames, order):
        source = ImageSource(image, seeing.contrast_limits, seeing.channel)
        shape = next(iter(now.values())).shape
        if source.shape != shape:
            raise ValueError(f"frame {frame} has {source.shape} pixels; {shape} is allowed")
        if frame != start:
            segmenter.set_image(image, seeing.contrast_limits, seeing.channel)
            expected = {
                number: _expected(source, mask, before[number]) for number, mask in now.items()
            }
            found = follow_frame(segmenter, expected, seeing.threshold)
            yield Step(frame, found, {n: chance(one.evidence) for n, one in found.items()})
            now = {number: one.mask for number, one in found.items() if one.mask}
            if not now:
                return
        before = {number: _grey(source, compared(mask)) for number, mask in now.items()}


def between(
    segmenter: Segmenter,
    frames: Frames,
    first: int,
    last: int,
    at_first: Mapping[int, Mask],
    at_last: Mapping[int, Mask],
    seeing: Seeing = Seeing(),  # noqa: B008
) -> Iterator[Step]:
    """Follow objects that are known in two frames through those between.

    They are followed from both sides; a frame takes the more of each, the nearer it is.
    Where the two disagree, the confidence is less.

    Parameters
    ----------
    segmenter, frames, seeing
        As for `propagate`.
    first, last : int
        Frames in which the objects are known, first < last.
    at_first, at_last : mapping
        Object -> Mask there, of the same objects.

    Yields
    ------
    Step
        Of the frames between, the last one first.

    Raises
    ------
    ValueError
        As `propagate`, or if the objects differ.
    """
    if at_first.keys() != at_last.keys():
        raise ValueError(f"objects {sorted(at_first)} and {sorted(at_last)} differ")
    ahead = {
        step.frame: step for step in propagate(segmenter, frames, first, at_first, last, seeing)
    }
    for back in propagate(segmenter, frames, last, at_last, first, seeing):
        there = ahead.get(back.frame)
        weight = (back.frame - first) / (last - first)
        yield back if there is None else _both(there, back, weight, seeing.threshold)


def _both(ahead: Step, back: Step, weight: float, threshold: float) -> Step:
    """One step of two; `weight` is that of the second. What one has lost is the other's."""
    objects, confidence = {**ahead.objects, **back.objects}, {**ahead.confidence, **back.confidence}
    for number in ahead.objects.keys() & back.objects.keys():
        if not back.objects[number].mask:
            objects[number], confidence[number] = ahead.objects[number], ahead.confidence[number]
    both = [
        number
        for number in ahead.objects.keys() & back.objects.keys()
        if ahead.objects[number].mask and back.objects[number].mask
    ]
    nearer = back if weight >= 0.5 else ahead
    found = settle(
        {
            number: merged(
                ahead.objects[number].probability, back.objects[number].probability, weight
            )
            for number in both
        },
        {number: nearer.objects[number].mask for number in both},
        threshold,
    )
    for number, one in found.items():
        agreement = overlap(ahead.objects[number].mask, back.objects[number].mask)
        objects[number] = one
        confidence[number] = chance(one.evidence._replace(overlap=agreement))
    return Step(back.frame, objects, confidence)


def _read_ahead(frames: Frames, order: range) -> Iterator[tuple[int, NDArray[Any]]]:
    """Each frame in order; the next one is read while one is used."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(_read, frames, order[0]) if order else None
        for place, frame in enumerate(order):
            assert coming is not None
            image = coming.result()
            if place + 1 < len(order):
                coming = reader.submit(_read, frames, order[place + 1])
            yield frame, image


def _read(frames: Frames, frame: int) -> NDArray[Any]:
    try:
        return np.asarray(frames[frame])
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"frame {frame} cannot be read: {error}") from error


def _expected(source: ImageSource, mask: Mask, before: NDArray[np.float32]) -> Mask:
    after = _grey(source, compared(mask))
    length = max(mask.box.height, mask.box.width)
    return shifted(mask, displacement(before, after, FARTHEST * length))


def _grey(source: ImageSource, box: Box) -> NDArray[np.float32]:
    grey: NDArray[np.float32] = source.read(box.top, box.left, box.height, box.width).mean(axis=-1)
    return grey


def _check(frames: Frames, start: int, stop: int, objects: Mapping[int, Mask]) -> None:
    count = len(frames)
    if not 0 <= start < count:
        raise ValueError(f"frame {start} does not exist: 0 to {count - 1} are allowed")
    if not -1 <= stop <= count:
        raise ValueError(f"the end {stop} is not allowed; -1 to {count} are")
    empty = [number for number, mask in objects.items() if not mask]
    if empty or not objects:
        raise ValueError(f"objects without pixels cannot be followed: {empty or 'none was given'}")
