"""How long the object is that a user is about to click on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_brs.session import Position

NEAR = 512
"""Pixels on each side of a click in which finished objects tell of their size."""
SHOWN = 4
"""Lengths of an object that a user who has zoomed in on it sees around it."""
DENSE = 2**16
"""Beyond this id, ids are numbered anew before they are looked for one by one."""
ZOOMED_IN = 0.7
"""Of the image's longer side, at most so much is on display where a user has zoomed in."""


def size_hint(lengths: list[int], visible: float | None, shape: tuple[int, int]) -> float | None:
    """What the finished objects and the zoom tell, in pixels; None if they tell nothing.

    Parameters
    ----------
    lengths : list of int
        Of finished objects near the click, in pixels; they go before the zoom, but an
        object is not longer than what is on display.
    visible : float or None
        Longer side of what is on display of the image, in pixels, if it is known.
    shape : (int, int)
        Rows and columns of the image.
    """
    if visible is not None and visible > ZOOMED_IN * max(shape):
        visible = None
    if lengths:
        return min(float(np.median(lengths)), visible or np.inf)
    return None if visible is None else visible / SHOWN


def lengths_of(labels: NDArray[np.integer]) -> list[int]:
    """Lengths in pixels of the objects that a window shows whole: longer sides of their boxes.

    Parameters
    ----------
    labels : (height, width) int
        0 background. What touches the window's border may go on beyond it.
    """
    if labels.size and labels.max() > DENSE:
        ids, inverse = np.unique(labels, return_inverse=True)
        labels = inverse.reshape(labels.shape) + (ids[0] != 0)
    bottom, right = labels.shape
    return [
        max(rows.stop - rows.start, columns.stop - columns.start)
        for rows, columns in filter(None, ndimage.find_objects(labels.astype(np.int32)))
        if rows.start and columns.start and rows.stop < bottom and columns.stop < right
    ]


def visible_length(image: Image, position: Position) -> float | None:
    """Longer side of what is on display of a plane, in its pixels; None if nothing is."""
    corners = np.asarray(image.corner_pixels, float)
    if image.multiscale:
        corners = corners * image.downsample_factors[image.data_level]
    if corners.shape[1] != len(position):
        return None  # napari has not drawn the new data yet
    sides = np.diff(corners, axis=0)[0]
    longest = max(side for side, index in zip(sides, position, strict=True) if index is None)
    return float(longest) if longest > 1 else None
