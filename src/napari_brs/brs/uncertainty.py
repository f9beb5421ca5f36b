"""Where a prediction is least certain."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from napari_brs.clicks import Click

MARGIN = 0.25
"""Probabilities nearer to the threshold are uncertain."""
APART = 10
"""Pixels around a click in which nothing more is asked."""


def least_certain(
    probability: NDArray[np.floating],
    clicks: Iterable[Click] = (),
    threshold: float = 0.5,
    corner: tuple[int, int] = (0, 0),
) -> tuple[int, int] | None:
    """The middle of the widest uncertain place away from the clicks.

    The rim of an object is uncertain all around; so the width counts, not the area.

    Parameters
    ----------
    probability : (H, W) float
        Of a window of the image, in [0, 1].
    clicks : iterable of Click
        In the image.
    threshold : float
    corner : (int, int)
        Row and column of the window's first pixel in the image.

    Returns
    -------
    (int, int) or None
        Row and column in the image; None if nothing is uncertain.

    Examples
    --------
    >>> values = np.ones((40, 40))
    >>> values[20:25, 20:25] = 0.4
    >>> least_certain(values), least_certain(values, [Click(22, 22)])
    ((22, 22), None)
    """
    from scipy import ndimage

    uncertain = np.abs(probability - threshold) < MARGIN
    top, left = corner
    rows, columns = np.ogrid[: probability.shape[0], : probability.shape[1]]
    for click in clicks:
        near = np.hypot(rows + top - click.row, columns + left - click.column) < APART
        uncertain &= ~near
    if not uncertain.any():
        return None
    depth = ndimage.distance_transform_edt(np.pad(uncertain, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(np.argmax(depth), depth.shape)
    return int(row) + top, int(column) + left
