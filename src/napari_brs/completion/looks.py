"""What an object looks like: the figures by which candidates and examples are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_brs.completion.features import SeenTile
from napari_brs.masks import Mask

RING = 0.12
"""Width of the ring around an object that it is compared with, in its lengths."""


@dataclass(frozen=True, eq=False)
class Look:
    """Figures of one object.

    Attributes
    ----------
    length : float
        Longer side of the box, in pixels.
    area : float
        In pixels.
    intensity : (3,) float32
        Mean RGB, in [0, 1].
    contrast : (3,) float32
        By how much it exceeds that of the ring around the object.
    texture : float
        Standard deviation of the pixels, of the scale of the intensity.
    kinship : (C,) float32
        Mean of the vectors that the network compares places by, of unit length.
    kind : int
        The class that the object belongs to.
    fidelity : float
        IoU of the object with what the network makes of one click on it, in [0, 1].
    """

    length: float
    area: float
    intensity: NDArray[np.float32]
    contrast: NDArray[np.float32]
    texture: float
    kinship: NDArray[np.float32]
    kind: int = 0
    fidelity: float = 1.0

    @property
    def compactness(self) -> float:
        """Root of the area over the length: 0.89 for a disc, little for what is thin."""
        return float(np.sqrt(self.area) / self.length)


def ring_of(mask: Mask) -> Mask:
    """The pixels around an object, without the object."""
    width = max(2, round(RING * max(mask.box.height, mask.box.width)))
    box = mask.box.grown(width, mask.shape)
    pixels = mask.read(box)
    return Mask.of(ndimage.binary_dilation(pixels, iterations=width) & ~pixels, box, mask.shape)


def look_of(seen: SeenTile, mask: Mask, ring: Mask) -> Look:
    """Measure an object that lies, at least in part, in a tile."""
    view = seen.view.box
    inside = seen.pixels[mask.read(view)] / 255
    around = seen.pixels[ring.read(view)] / 255
    intensity = inside.mean(0)
    contrast = intensity - around.mean(0) if len(around) else np.zeros(3, np.float32)
    rows, columns = seen.cells_of(mask)
    _, height, width = seen.descriptors.shape
    # Each pixel counts for the cell that it lies in.
    cells = np.bincount(rows * width + columns, minlength=height * width)
    hit = np.flatnonzero(cells)
    vectors = seen.kinship.reshape(-1, height * width)[:, hit].numpy()
    kinship = vectors @ cells[hit].astype(np.float32)
    kinship = np.asarray(kinship / max(float(np.linalg.norm(kinship)), 1e-6), np.float32)
    return Look(
        float(max(mask.box.height, mask.box.width)),
        float(mask.area),
        intensity,
        contrast,
        float(inside.std()),
        kinship,
    )
