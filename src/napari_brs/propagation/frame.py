"""One frame: what became of the objects that were expected in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_brs.masks import Box, Mask, overlap, read
from napari_brs.propagation.decoding import Answer, decode_objects
from napari_brs.segmenters import Segmenter

SMALLEST = 5
"""Pixels of a mask that is one."""
LOOSE, TIGHT = 0.3, 0.7
"""Thresholds between which a certain mask hardly changes."""


class Evidence(NamedTuple):
    """What tells good masks from bad ones, each at most 1, and 1 if nothing speaks against it.

    Attributes
    ----------
    stability : float
        Area above the higher of two thresholds over that above the lower one.
    certainty : float
        Mean probability in the mask.
    overlap : float
        IoU with the expected mask.
    size : float
        Area over that expected, or its inverse where it grew.
    """

    stability: float
    certainty: float
    overlap: float
    size: float


@dataclass(frozen=True, eq=False)
class Followed:
    """One object in one frame.

    Attributes
    ----------
    mask : Mask
        Empty if the object was lost.
    evidence : Evidence
    probability : Answer
        A box of the image and the probability there, what the mask was made from.
    """

    mask: Mask
    evidence: Evidence
    probability: Answer = field(repr=False)


def follow_frame(
    segmenter: Segmenter, expected: Mapping[int, Mask], threshold: float = 0.5
) -> dict[int, Followed]:
    """Find objects where they are expected; they exclude one another.

    Parameters
    ----------
    segmenter : Segmenter
        It holds the frame.
    expected : mapping
        Object -> Mask, such as `motion.shifted` makes of the one before.
    threshold : float
        Probabilities above it are foreground.

    Returns
    -------
    dict
        Object -> Followed, for each that was expected.
    """
    there = {number: mask for number, mask in expected.items() if mask.area >= SMALLEST}
    answers = decode_objects(segmenter, there)
    found = settle(answers, there, threshold)
    nothing = Evidence(0.0, 0.0, 0.0, 0.0)
    nowhere = Box(0, 0, 0, 0), np.zeros((0, 0), np.float32)
    for number, mask in expected.items():
        if number not in found:
            found[number] = Followed(Mask.empty(mask.shape), nothing, nowhere)
    return found


def settle(
    answers: Mapping[int, Answer], expected: Mapping[int, Mask], threshold: float = 0.5
) -> dict[int, Followed]:
    """From probabilities to masks: a pixel is the likeliest object's.

    Of each object the connected parts stay that touch its expected mask.

    Parameters
    ----------
    answers : mapping
        Object -> box and probability, (box.height, box.width).
    expected : mapping
        Object -> Mask, of the same objects.
    threshold : float
    """
    if not answers:
        return {}
    around = _around([box for box, _ in answers.values()])
    best = np.full((around.height, around.width), threshold, np.float32)
    owner = np.full(best.shape, -1)
    for number, (box, values) in answers.items():
        there = box.within(around).slices
        wins = values > best[there]
        best[there][wins] = values[wins]
        owner[there][wins] = number
    found = {}
    for number, (box, values) in answers.items():
        own = owner[box.within(around).slices] == number
        pixels = _touching(own, expected[number].read(box))
        mask = Mask.of(pixels, box, expected[number].shape)
        if np.count_nonzero(pixels) < SMALLEST:
            mask = Mask.empty(mask.shape)
        found[number] = Followed(
            mask, _evidence(mask, values, box, expected[number]), (box, values)
        )
    return found


def merged(first: Answer, second: Answer, weight: float) -> Answer:
    """Weighted mean of two probabilities of an object, 0 where either was not looked at.

    Parameters
    ----------
    first, second : Answer
    weight : float
        Of the second one, 0 to 1.
    """
    boxes = [box for box, values in (first, second) if values.size]
    if not boxes:
        return first
    around = _around(boxes)
    ahead, back = (read(values, box, around) for box, values in (first, second))
    return around, ((1 - weight) * ahead + weight * back).astype(np.float32)


def _evidence(mask: Mask, values: NDArray[np.float32], box: Box, expected: Mask) -> Evidence:
    if not mask:
        return Evidence(0.0, 0.0, 0.0, 0.0)
    pixels = mask.read(box)
    # The neighbourhood of the mask, or another object's probability would count.
    near = pixels | expected.read(box)
    loose, tight = (int(np.count_nonzero(near & (values > at))) for at in (LOOSE, TIGHT))
    before, now = expected.area, mask.area
    return Evidence(
        tight / max(1, loose),
        float(values[pixels].mean()),
        overlap(mask, expected),
        math.exp(-abs(math.log(now / before))),
    )


def _touching(pixels: NDArray[np.bool_], expected: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy import ndimage

    parts, count = ndimage.label(pixels)
    if count <= 1:
        return pixels
    touched = np.unique(parts[expected])
    return np.isin(parts, touched[touched > 0])


def _around(boxes: list[Box]) -> Box:
    found = boxes[0]
    for box in boxes[1:]:
        found = found.union(box)
    return found
