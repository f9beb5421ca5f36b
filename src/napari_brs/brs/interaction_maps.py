"""Clicks as images: the interaction maps of Section 3.1.

A map tells every pixel how close the nearest click of one sign is:
1 − min(d, 255)/255 with d the Euclidean distance in pixels, so it is 1 on a
click, falls to 0 at 255 pixels, and is 0 everywhere without clicks.
"""

from __future__ import annotations

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
    chosen = np.asarray(points, dtype=float).reshape(-1, 2)
    signs = np.asarray(positive, dtype=bool)
    maps = np.zeros((2, *shape), dtype=np.float32)
    for channel, sign in enumerate((True, False)):
        if (signs == sign).any():
            maps[channel] = _closeness(chosen[signs == sign], shape)
    return maps


def add_click(
    maps: NDArray[np.float32], point: tuple[float, float], positive: bool
) -> NDArray[np.float32]:
    """New maps with one more click; equal to computing all clicks afresh.

    The nearest of two sets of clicks is the nearer of the two, so a click only
    raises its own map.
    """
    maps = maps.copy()
    own = maps[0 if positive else 1]
    np.maximum(own, _closeness(np.array([point], float), own.shape), out=own)
    return maps


def _closeness(points: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The map of one or more clicks of one sign.

    Squared distances are sums of a row's and a column's part, and the nearest click is
    found before the one root is taken: a further click costs an addition a pixel.
    """
    down, across = (
        ((np.arange(size) - points[:, axis, None]) ** 2).astype(np.float32)
        for axis, size in enumerate(shape)
    )
    nearest: NDArray[np.float32] = np.add.outer(down[0], across[0])
    other = np.empty_like(nearest)
    for rows, columns in zip(down[1:], across[1:], strict=True):
        np.minimum(nearest, np.add.outer(rows, columns, out=other), out=nearest)
    np.minimum(np.sqrt(nearest, out=nearest), RADIUS, out=nearest)
    nearest /= -RADIUS
    nearest += 1
    return nearest
