"""Which window of an image a first click looks at."""

from __future__ import annotations

import math

from napari_brs.masks import Box

WHOLE = 1024
"""Longest image side in pixels that is looked at as a whole, if no size is known."""
TILE = 512
"""Side of the window of a larger image, if no size is known."""
SURROUNDINGS = 3.5
"""Side of the window, in lengths of an object whose size is known."""


def first_window(shape: tuple[int, int], clicks: Box, size_hint: float | None = None) -> Box:
    """The image, or a window around the clicks where it is large or the object's size is known.

    Windows are tiles of a lattice, and sizes that hardly differ share it, so that objects
    side by side share a tile and its features.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    clicks : Box
        Box around the clicked pixels; it lies in the window.
    size_hint : float, optional
        About how long the object is, in pixels of the image.

    Examples
    --------
    >>> click = Box(300, 200, 301, 201)
    >>> first_window((1000, 800), click)
    Box(top=0, left=0, bottom=1000, right=800)
    >>> first_window((1000, 800), click, size_hint=20)
    Box(top=272, left=160, bottom=336, right=224)
    """
    if size_hint is None:
        side, step, whole = TILE, TILE // 2, max(shape) <= WHOLE
    else:
        side = _rounded(SURROUNDINGS * min(size_hint, max(shape)))
        step, whole = max(1, side // 4), side >= max(shape)
    if whole:
        return Box(0, 0, *shape)
    tile = _tile(shape, clicks, side, step)
    needed = clicks.grown(side // 5, shape)
    if needed.intersection(tile) == needed:
        return tile
    margin = max((side - max(clicks.height, clicks.width)) // 2, side // 4)
    return clicks.grown(margin, shape)


def _tile(shape: tuple[int, int], clicks: Box, side: int, step: int) -> Box:
    centre = (clicks.top + clicks.bottom) // 2, (clicks.left + clicks.right) // 2
    top, left = (
        min(max(0, round(at / step) * step - side // 2), max(0, size - side))
        for at, size in zip(centre, shape, strict=True)
    )
    return Box(top, left, min(top + side, shape[0]), min(left + side, shape[1]))


def _rounded(length: float) -> int:
    """The nearest power of the root of two."""
    return max(8, round(2 ** (round(2 * math.log2(length)) / 2)))
