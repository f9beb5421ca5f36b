"""Clicks as images: the interaction maps of Section 3.1.

A map tells every pixel how close the nearest click of one sign is:
1 − min(d, 255)/255 with d the Euclidean distance in pixels, so it is 1 on a
click, falls to 0 at 255 pixels, and is 0 everywhere without clicks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

RADIUS = 255
"""Distance in pixels at which a click stops being felt."""


def interaction_maps(
    points: ArrayLike, positive: ArrayLike, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Foreground and background map of a set of clicks.

    Parameters
    ----------
    points : (N, 2) array of float
        (row, column) in pixels of the maps; positions between pixels and
        outside the maps are allowed.
    positive : (N,) array of bool
        True for foreground clicks.
    shape : (int, int)
        Rows and columns of the maps.

    Returns
    -------
    (2, rows, columns) float32 in [0, 1]
        Foreground first.
    """
    maps = np.zeros((2, *shape), dtype=np.float32)
    for point, sign in zip(np.asarray(points), np.asarray(positive), strict=True):
        _draw(maps, point[0], point[1], bool(sign))
    return maps


def add_click(
    maps: NDArray[np.float32], point: tuple[float, float], positive: bool
) -> NDArray[np.float32]:
    """New maps with one more click; equal to computing all clicks afresh.

    The nearest of two sets of clicks is the nearer of the two, so a click only
    raises its own map, and only within `RADIUS` pixels.
    """
    maps = maps.copy()
    _draw(maps, point[0], point[1], positive)
    return maps


def _draw(maps: NDArray[np.float32], row: float, column: float, positive: bool) -> None:
    rows = _reach(row, maps.shape[1])
    columns = _reach(column, maps.shape[2])
    distance = np.hypot(
        np.arange(rows.start, rows.stop)[:, None] - row,
        np.arange(columns.start, columns.stop)[None, :] - column,
    )
    closeness = (1.0 - np.minimum(distance, RADIUS) / RADIUS).astype(np.float32)
    window = maps[0 if positive else 1, rows, columns]
    np.maximum(window, closeness, out=window)


def _reach(centre: float, size: int) -> slice:
    start = min(max(0, math.ceil(centre - RADIUS)), size)
    return slice(start, max(start, min(size, math.floor(centre + RADIUS) + 1)))
