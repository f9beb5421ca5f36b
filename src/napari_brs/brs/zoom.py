"""Which part of the image to look at, and how closely.

The first click looks at the whole image, or at a window around the click if
the image is large or the size of the object is known: one of overlapping tiles, so
that objects side by side share features. Once there is a mask, the view closes in
on the object (its box and a fifth on each side) at a scale that suits it, so that
a nucleus of 15 pixels and an organoid of 3,000 fill the grid alike. A view is kept
as long as it still fits, because a new one costs a pass of the encoder.
"""

from __future__ import annotations

import math

from napari_brs.brs.view import View
from napari_brs.masks import Box

LONGEST = 512
"""Longest side of the grid."""
COMFORTABLE = 320
"""Longest side that a small window is magnified to."""
MAGNIFICATION = 4.0
"""Largest magnification; beyond it there is nothing more to see."""
WHOLE = 2 * LONGEST
"""Longest image side in pixels that is looked at as a whole."""
SURROUNDINGS = 3.5
"""Side of the first view, in lengths of an object whose size is known."""
CONTEXT = 0.2
"""Margin around the object on each side, as a share of its longer side."""
TIGHT = 0.05
"""A view is left when the object comes closer to its border than this share."""
LOOSE = 1.6
"""A view is left when the object could be seen this much larger."""


def first_view(shape: tuple[int, int], clicks: Box, size_hint: float | None = None) -> View:
    """View before there is any mask.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    clicks : Box
        Box around the clicked pixels; it lies in the view.
    size_hint : float, optional
        About how long the object is, in pixels of the image.
    """
    if size_hint is None:
        side, step, whole = LONGEST, LONGEST // 2, max(shape) <= WHOLE
    else:
        side = _rounded(SURROUNDINGS * size_hint)
        step, whole = max(1, side // 4), side >= max(shape)
    if whole:
        return _view(Box(0, 0, *shape))
    tile = _tile(shape, clicks, side, step)
    needed = clicks.grown(side // 5, shape)
    if needed.intersection(tile) == needed:
        return _view(tile)
    margin = max((side - max(clicks.height, clicks.width)) // 2, side // 4)
    return _view(clicks.grown(margin, shape))


def object_view(shape: tuple[int, int], target: Box) -> View:
    """View that suits an object of the given box (the mask's and the clicks')."""
    side = max(target.height, target.width)
    return _view(target.grown(max(4, round(CONTEXT * side)), shape))


def next_view(view: View, shape: tuple[int, int], target: Box) -> View:
    """The view to use for an object now: the current one if it still fits."""
    side = max(target.height, target.width)
    needed = target.grown(max(1, round(TIGHT * side)), shape)
    better = object_view(shape, target)
    fits = needed.intersection(view.box) == needed
    return view if fits and better.scale <= LOOSE * view.scale else better


def _tile(shape: tuple[int, int], clicks: Box, side: int, step: int) -> Box:
    """The window around clicks on a lattice: those near one another share its features."""
    centre = (clicks.top + clicks.bottom) // 2, (clicks.left + clicks.right) // 2
    top, left = (
        min(max(0, round(at / step) * step - side // 2), max(0, size - side))
        for at, size in zip(centre, shape, strict=True)
    )
    return Box(top, left, min(top + side, shape[0]), min(left + side, shape[1]))


def _rounded(length: float) -> int:
    """The nearest power of the root of two: lengths that hardly differ share their tiles."""
    return max(8, round(2 ** (round(2 * math.log2(length)) / 2)))


def _view(box: Box) -> View:
    longest = max(box.height, box.width)
    if longest <= COMFORTABLE:
        scale = min(MAGNIFICATION, COMFORTABLE / longest)
    else:
        scale = min(1.0, LONGEST / longest)
    return View(box, (max(1, round(box.height * scale)), max(1, round(box.width * scale))))
