"""Which pixels are foreground or background beyond doubt."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RADIUS = 3.0
"""Of the disk that a click marks, and the depth from which a given mask is believed; pixels."""


class Seeds(NamedTuple):
    """Pixels whose label is given, each (H, W) bool; no pixel is both."""

    foreground: NDArray[np.bool_]
    background: NDArray[np.bool_]


def seeds(
    points: NDArray[np.float64],
    labels: NDArray[np.bool_],
    shape: tuple[int, int],
    given: NDArray[np.bool_] | None = None,
) -> Seeds:
    """A small disk around each click, and what surrounds the object.

    Where two disks meet, the nearer click decides. Without a given mask the
    outermost pixels are background: an object is seldom cut off by the border of the view,
    and first clicks are all of the foreground. Where it is cut off, a click there says so.

    Parameters
    ----------
    points : (N, 2) float64
        (row, column) of the clicks; at least one.
    labels : (N,) bool
        True for foreground.
    shape : (int, int)
        Rows and columns.
    given : (H, W) bool, optional
        A mask to correct. It is believed away from its boundary, and from
        clicks that contradict it: each opens it within twice its depth there.
    """
    from scipy import ndimage

    rows, columns = np.indices(shape)
    distances = np.stack([np.hypot(rows - row, columns - column) for row, column in points])
    nearest = labels[distances.argmin(axis=0)]
    clicked = distances.min(axis=0) <= RADIUS
    if given is None:
        believed = np.ones(shape, bool)
        believed[1:-1, 1:-1] = False
        given = np.zeros(shape, bool)
    else:
        depth = np.where(
            given, ndimage.distance_transform_edt(given), ndimage.distance_transform_edt(~given)
        )
        believed = depth > RADIUS
        pixels = np.rint(points).astype(int).clip(0, np.array(shape) - 1)
        for (row, column), label, distance in zip(pixels, labels, distances, strict=True):
            if label != given[row, column]:
                believed &= distance > 2 * depth[row, column]
    foreground = np.where(clicked, nearest, believed & given)
    background = np.where(clicked, ~nearest, believed & ~given)
    return Seeds(foreground, background)
