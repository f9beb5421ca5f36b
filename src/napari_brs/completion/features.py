"""What the network's encoder says of every place of a tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_brs.brs.crops import stride
from napari_brs.brs.view import View
from napari_brs.completion.tiles import Tile
from napari_brs.masks import Mask

if TYPE_CHECKING:
    from napari_brs.brs.segmenter import BRSSegmenter

CELL = 4
"""Grid pixels a side of the cells that are told apart."""


@dataclass(frozen=True, eq=False)
class SeenTile:
    """A tile, and all that is known of it before any click.

    Attributes
    ----------
    tile : Tile
    shape : (int, int)
        Rows and columns of the image.
    pixels : (height, width, 3) float32
        Of the tile's view, RGB in [0, 255].
    features : NamedTuple of (1, C, h, w) tensors
    descriptors : (channels, rows, columns) float32
        All levels side by side, a vector for each cell.
    """

    tile: Tile
    shape: tuple[int, int]
    pixels: NDArray[np.float32]
    features: NamedTuple
    descriptors: Tensor

    @property
    def view(self) -> View:
        """The tile's."""
        return self.tile.view

    @property
    def kinship(self) -> Tensor:
        """(C, rows, columns): the level that the network itself compares places by, on cells."""
        return self.descriptors[-self.features[-1].shape[1] :]

    def cells_of(self, mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row and column of the cell that each pixel of a mask lies in, in the view."""
        box = mask.box.intersection(self.view.box)
        if not box.height or not box.width:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        corners = [(box.top, box.left), (box.bottom - 1, box.right - 1)]
        (top, left), (bottom, right) = to_cells(self.view, corners)
        rows, columns = np.nonzero(mask.read(box))
        _, height, width = self.descriptors.shape
        row = np.rint(np.linspace(top, bottom, box.height)).astype(int).clip(0, height - 1)
        column = np.rint(np.linspace(left, right, box.width)).astype(int).clip(0, width - 1)
        return row[rows], column[columns]

    def mean(self, values: NDArray[np.float32], mask: Mask) -> float:
        """Mean of a value of each cell, (rows, columns), over the pixels of a mask; 0 for none."""
        cells = self.cells_of(mask)
        return float(values[cells].mean()) if len(cells[0]) else 0.0


def see(segmenter: BRSSegmenter, tile: Tile) -> SeenTile:
    """Encode a tile of the segmenter's image."""
    features = segmenter.features(tile.view)
    return SeenTile(
        tile,
        segmenter.shape,
        segmenter.pixels(tile.view.box),
        features,
        descriptors(features, tile.view.grid),
    )


def to_cells(view: View, points: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """(N, 2) image positions as positions in cells, whose centres are integers."""
    return (view.to_grid(points) + 0.5) / CELL - 0.5


def from_cells(view: View, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Inverse of `to_cells`."""
    return view.to_image((points + 0.5) * CELL - 0.5)


def descriptors(features: NamedTuple, grid: tuple[int, int]) -> Tensor:
    """All levels of the features side by side, one vector for each cell.

    Parameters
    ----------
    features : NamedTuple of (1, C, h, w) tensors
    grid : (int, int)
        Rows and columns of the view's grid.

    Returns
    -------
    (channels, rows, columns) float32
        Of the cells, on the CPU.
    """
    rows, columns = (-(-side // CELL) for side in grid)
    parts = []
    for level in features:
        step = stride(level, grid)
        if step < CELL:
            level = F.avg_pool2d(level, CELL // step)
        elif step > CELL:
            level = F.interpolate(
                level, scale_factor=step // CELL, mode="bilinear", align_corners=False
            )
        parts.append(level[0, :, :rows, :columns].cpu())
    return torch.cat(parts)
