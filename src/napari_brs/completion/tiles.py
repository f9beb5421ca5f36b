"""The windows in which a frame is looked at, at a scale that suits its objects."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_brs.brs.view import View
from napari_brs.brs.zoom import LONGEST, scale_for
from napari_brs.masks import Box

OVERLAP = 1.5
"""Of neighbouring tiles, in lengths of an object: each lies well inside one of them."""


@dataclass(frozen=True)
class Tile:
    """A view, and the part of it that no other tile answers for.

    Attributes
    ----------
    view : View
    own : Box
        In pixels of the image; the tiles' own boxes cover the region and are disjoint.
    """

    view: View
    own: Box


def tiles_of(shape: tuple[int, int], region: Box, length: float) -> list[Tile]:
    """Overlapping tiles over a region of an image.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    region : Box
    length : float
        Of the objects, in pixels.
    """
    scale = scale_for(length)
    side, overlap = LONGEST / scale, OVERLAP * length
    rows = _spans(region.top, region.bottom, shape[0], side, overlap)
    columns = _spans(region.left, region.right, shape[1], side, overlap)
    return [
        Tile(_view(Box(top, left, bottom, right), scale), Box(up, before, down, after))
        for top, bottom, up, down in rows
        for left, right, before, after in columns
    ]


def _view(box: Box, scale: float) -> View:
    return View(box, (max(1, round(box.height * scale)), max(1, round(box.width * scale))))


def _spans(
    start: int, stop: int, size: int, side: float, overlap: float
) -> list[tuple[int, int, int, int]]:
    """Start and stop of each tile along an axis, and of what it owns."""
    # Objects at the region's border are seen with what lies around them.
    low, high = max(0, round(start - overlap / 2)), min(size, round(stop + overlap / 2))
    count = max(1, math.ceil((high - low - overlap) / max(1.0, side - overlap)))
    length = math.ceil((high - low + (count - 1) * overlap) / count)
    step = (high - low - length) / max(1, count - 1)
    starts = [round(low + i * step) for i in range(count)]
    cuts = [start, *((a + b + length) // 2 for a, b in zip(starts[1:], starts, strict=False)), stop]
    return [
        (first, min(first + length, high), cuts[i], cuts[i + 1]) for i, first in enumerate(starts)
    ]
