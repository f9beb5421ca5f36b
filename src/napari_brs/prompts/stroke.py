"""A stroke of the mouse as a line of clicks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_brs.clicks import Click


def spread(points: ArrayLike, count: int) -> NDArray[np.float64]:
    """Points at equal distances along a line, its two ends included.

    Parameters
    ----------
    points : (N, 2) array-like
        Corners of the line, (row, column), at least one.
    count : int
        How many points are wanted, at least 2; a line without length gives one.

    Returns
    -------
    (M, 2) float64

    Examples
    --------
    >>> spread([(0, 0), (0, 6), (2, 6)], 3).tolist()
    [[0.0, 0.0], [0.0, 4.0], [2.0, 6.0]]
    """
    corners = np.asarray(points, np.float64).reshape(-1, 2)
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    if not along[-1]:
        return corners[:1]
    wanted = np.linspace(0, along[-1], count)
    return np.stack([np.interp(wanted, along, axis) for axis in corners.T], axis=1)


def stroke_clicks(
    points: ArrayLike,
    positive: bool,
    count: int,
    shape: tuple[int, int],
    clicked: Iterable[Click] = (),
) -> tuple[Click, ...]:
    """Clicks along a stroke, no two on one pixel.

    Parameters
    ----------
    points : (N, 2) array-like
        Where it went, (row, column) in pixels; what lies outside the image gives no click.
    positive : bool
        Whether the stroke is on the object.
    count : int
        How many clicks are wanted, at least 2; fewer come of short strokes.
    shape : (int, int)
        Rows and columns of the image.
    clicked : iterable of Click
        Clicks that are there. Their pixels are left out, as none can have both signs.
    """
    taken = {click.pixel for click in clicked}
    clicks = []
    for row, column in spread(points, count).tolist():
        click = Click(row, column, positive)
        inside = all(0 <= at < size for at, size in zip(click.pixel, shape, strict=True))
        if inside and click.pixel not in taken:
            taken.add(click.pixel)
            clicks.append(click)
    return tuple(clicks)
