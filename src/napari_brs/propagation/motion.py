"""How far an object moved between two frames, and its mask there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_brs.masks import Box, Mask

FARTHEST = 0.75
"""Of an object's length: what seems to have moved farther was taken for another."""
SURROUNDINGS = 0.5
"""Margin of the window around an object that is compared, as a share of its size."""


def compared(mask: Mask) -> Box:
    """The window around an object in which two frames are compared."""
    return mask.box.grown(max(4, round(SURROUNDINGS * mask.area**0.5)), mask.shape)


def displacement(
    before: NDArray[np.floating], after: NDArray[np.floating], farthest: float
) -> tuple[int, int]:
    """By how much what is seen in a window of two frames moved between them.

    Cross-correlation of the two windows, tapered towards their borders. Phase correlation,
    which weighs all frequencies alike, follows the noise in most microscopy
    (``docs/propagation.md`` compares them).

    Parameters
    ----------
    before, after : (height, width) float
        Grey values.
    farthest : float
        Pixels; what moved farther is taken not to have moved.

    Returns
    -------
    (int, int)
        Rows and columns.

    Examples
    --------
    >>> spot = np.zeros((32, 32))
    >>> spot[12:16, 10:14] = 1
    >>> displacement(spot, np.roll(spot, (3, -2), axis=(0, 1)), farthest=10)
    (3, -2)
    """
    from skimage.registration import phase_cross_correlation

    if not np.ptp(before) or not np.ptp(after):
        return 0, 0
    taper = np.outer(*(np.hanning(side + 2)[1:-1] for side in before.shape))
    moved, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        (after - after.mean()) * taper, (before - before.mean()) * taper, normalization=None
    )
    rows, columns = (round(float(part)) for part in moved)
    return (rows, columns) if np.hypot(rows, columns) <= farthest else (0, 0)


def shifted(mask: Mask, by: tuple[int, int]) -> Mask:
    """A mask moved by (rows, columns); what leaves the image is gone.

    Examples
    --------
    >>> mask = Mask.of(np.ones((2, 3), bool), Box(0, 0, 2, 3), shape=(4, 4))
    >>> shifted(mask, (1, 2)).box
    Box(top=1, left=2, bottom=3, right=4)
    """
    box = mask.box.shifted(*by).intersection(Box(0, 0, *mask.shape))
    if not box.height or not box.width:
        return Mask.empty(mask.shape)
    return Mask.of(mask.read(box.shifted(-by[0], -by[1])), box, mask.shape)
