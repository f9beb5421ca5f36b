"""How well a colour fits the foreground clicks and the background clicks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVELS = 32
"""Values per channel that colours are counted in."""
BANDWIDTH = 2.0
"""Standard deviation of the kernel, in levels."""
FLOOR = 0.02
"""Share of the kernel's peak: the density of a colour that no seed has."""


def foreground_likelihood(
    image: NDArray[np.floating], foreground: NDArray[np.bool_], background: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Probability that a pixel is foreground, by its colour alone.

    Both densities are kernel estimates over the colours of the seeds, as Bai and Sapiro
    have them (ICCV 2007). A few clicks show few of the colours that surround an
    object, so half of the background's density is that of the whole image.

    Parameters
    ----------
    image : (H, W, 3) float in [0, 1]
    foreground, background : (H, W) bool
        Seeds, at least one of the foreground.

    Returns
    -------
    (H, W) float64 in (0, 1)
        0.5 where both densities are equal.
    """
    levels = np.rint(image * (LEVELS - 1)).astype(np.intp)
    codes = levels @ [LEVELS**2, LEVELS, 1]
    ground = _density(codes.ravel())
    if background.any():
        ground = (ground + _density(codes[background])) / 2
    figure = _density(codes[foreground]) + FLOOR
    likelihood: NDArray[np.float64] = (figure / (figure + ground + FLOOR))[codes]
    return likelihood


def _density(codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Kernel density of every colour, flat; 1 where all codes are the same."""
    from scipy import ndimage

    counts = np.bincount(codes, minlength=LEVELS**3).reshape(LEVELS, LEVELS, LEVELS)
    smooth = ndimage.gaussian_filter(counts / codes.size, BANDWIDTH, mode="constant")
    peak = (BANDWIDTH * np.sqrt(2 * np.pi)) ** 3
    density: NDArray[np.float64] = smooth.ravel() * peak
    return density
