"""Which part of the image to look at, and how closely.

The first click looks at a window that is chosen without a mask (`windows`). Once there
is one, the view closes in on the object (its box and a fifth on each side) at a scale
that suits it, so that a nucleus of 15 pixels and an organoid of 3,000 fill the grid
alike. A view is kept as long as it still fits, because a new one costs a pass of the
encoder.
"""

from __future__ import annotations

from napari_brs.brs.view import View
from napari_brs.brs.windows import first_window
from napari_brs.masks import Box

LONGEST = 512
"""Longest side of the grid."""
COMFORTABLE = 320
"""Longest side that a small window is magnified to."""
MAGNIFICATION = 4.0
"""Largest magnification; beyond it there is nothing more to see."""
CONTEXT = 0.2
"""Margin around the object on each side, as a share of its longer side."""
TIGHT = 0.05
"""A view is left when the object comes closer to its border than this share."""
LOOSE = 1.6
"""A view is left when the object could be seen this much larger."""

SMALL, LARGE = 64, 96
"""Grid pixels that objects are long where many share a view: from the least that shows what they
are to what shows their outlines well."""
ENLARGED = 1.5
"""Grid pixels to one of the image, beyond which more size shows nothing more."""


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
    return _view(first_window(shape, clicks, size_hint))


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


def scale_for(length: float) -> float:
    """Grid pixels to one of the image, for objects of a length in pixels."""
    return min(MAGNIFICATION, LARGE / length, max(SMALL / length, ENLARGED))


def _view(box: Box) -> View:
    longest = max(box.height, box.width)
    if longest <= COMFORTABLE:
        scale = min(MAGNIFICATION, COMFORTABLE / longest)
    else:
        scale = min(1.0, LONGEST / longest)
    return View(box, (max(1, round(box.height * scale)), max(1, round(box.width * scale))))
