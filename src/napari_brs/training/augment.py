"""Colour and intensity augmentation that makes photographs and microscopy one domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

_LUMINANCE = np.array([[0.299], [0.587], [0.114]], np.float32)
_GREY_SPREAD = 2.0
"""Standard deviation of the channels' difference, in grey values, below which an image is grey."""


def augment(
    pixels: NDArray[np.float32], rng: np.random.Generator, *, microscopy: bool
) -> NDArray[np.float32]:
    """A randomly changed copy of an image.

    Grey conversion, inversion, the stretch between robust limits that 16-bit
    images get before the network, gamma, contrast and brightness, colour cast,
    blur and noise, each with its own probability. Of microscopes also what other
    modalities look like: relief (DIC), halo (phase contrast), shading, and other stains.

    Parameters
    ----------
    pixels : (H, W, 3) float32
        RGB in [0, 255].
    rng : numpy.random.Generator
    microscopy : bool
        Inversion and stretch are common among microscopes and rare among cameras.

    Returns
    -------
    (H, W, 3) float32 in [0, 255]
    """
    x = pixels / np.float32(255)
    if rng.random() < (0.3 if microscopy else 0.12):
        x = np.repeat(x @ _LUMINANCE, 3, axis=2)
    if rng.random() < (0.25 if microscopy else 0.03):
        x = 1 - x
    if rng.random() < (0.3 if microscopy else 0.05):
        low, high = np.percentile(x, (rng.uniform(0, 2), rng.uniform(98, 100)))
        x = np.clip((x - low) / max(high - low, 1e-3), 0, 1)
    if microscopy:
        x = _other_modality(x, rng)
    if rng.random() < 0.4:
        x = x ** np.exp(rng.uniform(-0.5, 0.5))
    if rng.random() < 0.5:
        x = (x - x.mean()) * rng.uniform(0.6, 1.4) + x.mean() + rng.uniform(-0.12, 0.12)
    if rng.random() < 0.3:
        x = x * rng.uniform(0.85, 1.15, 3)
    if rng.random() < 0.12:
        x = gaussian_filter(x, (sigma := rng.uniform(0.4, 1.8), sigma, 0))
    if rng.random() < 0.2:
        x = x + rng.normal(0, rng.uniform(0.005, 0.05), (*x.shape[:2], 1))
    result: NDArray[np.float32] = np.clip(x * 255, 0, 255).astype(np.float32)
    return result


def _other_modality(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The image as another microscope might show it; (H, W, 3) in [0, 1] to the same."""
    kind = rng.random()
    if kind < 0.08:
        # Differential interference contrast shows the slope of what phase contrast shows.
        shift = rng.integers(1, 4, 2) * rng.choice((-1, 1), 2)
        grey = x @ _LUMINANCE
        slope = grey - np.roll(grey, shift, (0, 1))
        x = np.repeat(0.5 + slope * (0.2 / max(float(slope.std()), 1e-3)), 3, axis=2)
    elif kind < 0.16:
        # A bright or dark rim of some pixels, as around thick cells in phase contrast.
        blurred = gaussian_filter(x, (sigma := rng.uniform(2, 8), sigma, 0))
        x = x + rng.uniform(0.5, 2) * (x - blurred)
    if rng.random() < 0.15:
        rows, columns = (np.linspace(-1, 1, size, dtype=np.float32) for size in x.shape[:2])
        down, across = rng.uniform(-0.35, 0.35, 2)
        x = x * (1 + down * rows[:, None, None] + across * columns[None, :, None])
    if rng.random() < 0.4 and float((x[..., 0] - x[..., 2]).std()) * 255 > _GREY_SPREAD:
        # Absorbances mix anew when a stain is stronger or of another hue.
        mix = (np.eye(3) + rng.normal(0, 0.12, (3, 3))).astype(np.float32)
        x = np.exp(np.log(np.clip(x, 1 / 255, 1)) @ mix)
    changed: NDArray[np.float32] = np.clip(x, 0, 1).astype(np.float32)
    return changed
