"""The views in which the objects of a frame are looked at; neighbours share one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from napari_brs.brs.view import View
from napari_brs.brs.zoom import scale_for
from napari_brs.masks import Box, Mask

SURROUNDINGS = 1.0
"""What is seen around an object on each side, in lengths of one."""
LARGEST = 640
"""Grid pixels a side up to which objects are seen together."""


def shared_views(masks: Mapping[int, Mask]) -> list[tuple[View, tuple[int, ...]]]:
    """Views around all masks, and the objects that each is for.

    Objects of about one length are seen at one scale. Neighbours share a view where that
    means fewer grid pixels than two views.

    Parameters
    ----------
    masks : mapping
        Object -> Mask, none of them empty.
    """
    of_length: dict[int, list[int]] = {}
    for number, mask in masks.items():
        of_length.setdefault(round(math.log2(_length(mask))), []).append(number)
    found = []
    for numbers in of_length.values():
        lengths = sorted(_length(masks[number]) for number in numbers)
        length = lengths[len(lengths) // 2]
        scale = scale_for(length)
        boxes = {
            number: masks[number].box.grown(round(SURROUNDINGS * length), masks[number].shape)
            for number in numbers
        }
        found += [(_view(box, scale), own) for box, own in _merged(boxes, LARGEST / scale)]
    return found


def _length(mask: Mask) -> int:
    return max(mask.box.height, mask.box.width)


def _merged(boxes: Mapping[int, Box], longest: float) -> list[tuple[Box, tuple[int, ...]]]:
    """Join two boxes again and again where their union is no larger than both."""
    groups: list[tuple[Box, tuple[int, ...]]] = [(box, (key,)) for key, box in boxes.items()]
    while True:
        joined = _best_pair([box for box, _ in groups], longest)
        if joined is None:
            return groups
        first, second = joined
        union = groups[first][0].union(groups[second][0]), groups[first][1] + groups[second][1]
        groups = [group for i, group in enumerate(groups) if i not in joined] + [union]


def _best_pair(boxes: Sequence[Box], longest: float) -> tuple[int, int] | None:
    best, pair = -1, None
    for i, first in enumerate(boxes):
        for j, second in enumerate(boxes[:i]):
            union = first.union(second)
            saved = _area(first) + _area(second) - _area(union)
            if saved > best and max(union.height, union.width) <= longest:
                best, pair = saved, (j, i)
    return pair


def _area(box: Box) -> int:
    return box.height * box.width


def _view(box: Box, scale: float) -> View:
    return View(box, (max(1, round(box.height * scale)), max(1, round(box.width * scale))))
