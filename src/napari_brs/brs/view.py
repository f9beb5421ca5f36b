"""The way between an image and the grid that a network sees, and back.

All positions are (row, column) with pixel centres at integers, in the image
and in the grid alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from napari_brs.masks import Box


@dataclass(frozen=True, slots=True)
class View:
    """A window of the image, stretched to the network's grid; invertible.

    Parameters
    ----------
    box : Box
        The window, inside the image.
    grid : (int, int)
        Rows and columns that the window is resampled to.
    """

    box: Box
    grid: tuple[int, int]

    @property
    def scale(self) -> float:
        """Grid pixels per image pixel along the longer side."""
        if self.box.height >= self.box.width:
            return self.grid[0] / self.box.height
        return self.grid[1] / self.box.width

    def to_grid(self, points: ArrayLike) -> NDArray[np.float64]:
        """(N, 2) image positions as grid positions."""
        return (np.asarray(points, float) - self._origin + 0.5) * self._factor - 0.5

    def to_image(self, points: ArrayLike) -> NDArray[np.float64]:
        """(N, 2) grid positions as image positions; inverse of `to_grid`."""
        return (np.asarray(points, float) + 0.5) / self._factor - 0.5 + self._origin

    def crop(self, pixels: NDArray[np.float32]) -> Tensor:
        """Resample the pixels of the window to the grid.

        Parameters
        ----------
        pixels : (height, width, C) float32
            The window's own pixels, as `ImageSource.read` returns them.

        Returns
        -------
        (1, C, rows, columns) float32
            Bilinear, averaging where the grid is coarser than the image.
        """
        tensor = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
        if tensor.shape[-2:] == self.grid:
            return tensor
        return F.interpolate(
            tensor, self.grid, mode="bilinear", align_corners=False, antialias=True
        )

    def paste(self, values: Tensor) -> Tensor:
        """Resample (1, 1, rows, columns) values of the grid to the window's (height, width).

        Plain bilinear interpolation, so that the value of a pixel is what
        `sample` reads at its centre.
        """
        size = (self.box.height, self.box.width)
        if values.shape[-2:] != size:
            values = F.interpolate(values, size, mode="bilinear", align_corners=False)
        return values[0, 0]

    def paste_array(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `paste`, of (rows, columns) values; a new (height, width) array."""
        pasted: NDArray[np.float32] = self.paste(torch.tensor(values)[None, None]).numpy()
        return pasted

    @property
    def _origin(self) -> NDArray[np.float64]:
        return np.array([self.box.top, self.box.left], float)

    @property
    def _factor(self) -> NDArray[np.float64]:
        return np.array([self.grid[0] / self.box.height, self.grid[1] / self.box.width])


def sample(values: Tensor, points: Tensor, channels: Tensor | int = 0) -> Tensor:
    """Bilinear samples of a (1, K, rows, columns) tensor at (N, 2) grid positions.

    `channels` says which of the K to read: one for all positions, or (N,) of them.
    Positions beyond the outermost pixel centres take the value there. The
    result is (N,) and differentiable in `values`.
    """
    plane = values[0]
    rows, columns = plane.shape[1:]
    row = points[:, 0].clamp(0, rows - 1)
    column = points[:, 1].clamp(0, columns - 1)
    top, left = row.floor().long(), column.floor().long()
    bottom, right = (top + 1).clamp(max=rows - 1), (left + 1).clamp(max=columns - 1)
    down, across = row - top, column - left
    upper = plane[channels, top, left] * (1 - across) + plane[channels, top, right] * across
    lower = plane[channels, bottom, left] * (1 - across) + plane[channels, bottom, right] * across
    return upper * (1 - down) + lower * down
