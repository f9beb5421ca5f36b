"""Many objects of one view: its features are shared, the decoder sees a crop around each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from napari_brs.brs.view import View
from napari_brs.masks import Box

COARSEST = 32
"""Stride of the coarsest level, to whose multiples networks pad, and crops begin."""


def stride(level: Tensor, grid: tuple[int, int]) -> int:
    """Grid pixels to one of a level's; levels are padded at their end."""
    return padded(grid)[1] // int(level.shape[-1])


def padded(grid: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a grid as networks pad it."""
    rows, columns = (-(-side // COARSEST) * COARSEST for side in grid)
    return rows, columns


def crop_corner(
    centre: ArrayLike, size: tuple[int, int], whole: tuple[int, int]
) -> tuple[int, int]:
    """Where a crop around a place begins, as all levels of the features can be cut.

    Parameters
    ----------
    centre : (2,) float
        Row and column in the grid.
    size, whole : (int, int)
        Rows and columns of the crop and of the padded grid, multiples of `COARSEST`.
    """
    row, column = (
        int(np.clip(round((at - side / 2) / COARSEST) * COARSEST, 0, limit - side))
        for at, side, limit in zip(np.asarray(centre, float), size, whole, strict=True)
    )
    return row, column


def cropped(
    features: NamedTuple,
    grid: tuple[int, int],
    corners: Sequence[tuple[int, int]],
    size: tuple[int, int],
) -> NamedTuple:
    """The features of crops of the grid, as a batch.

    Parameters
    ----------
    features : NamedTuple of (1, C, h, w) tensors
    grid : (int, int)
    corners : sequence of (int, int)
        Top and left of each crop, multiples of `COARSEST`.
    size : (int, int)
        Of the crops, multiples of `COARSEST`.
    """
    levels = []
    for level in features:
        step = stride(level, grid)
        height, width = size[0] // step, size[1] // step
        windows = [
            level[..., top // step : top // step + height, left // step : left // step + width]
            for top, left in corners
        ]
        levels.append(torch.cat(windows))
    made: NamedTuple = type(features)(*levels)  # type: ignore[call-overload]
    return made


def pasted(
    view: View, corner: tuple[int, int], probability: Tensor
) -> tuple[Box, NDArray[np.float32]]:
    """A crop of the grid, (1, rows, columns), at the pixels whose centres it covers.

    Returns
    -------
    Box
        In pixels of the image.
    (height, width) float32
    """
    size = np.array(probability.shape[-2:])
    ends = view.to_image([corner, np.array(corner) + size - 1])
    (top, left), (bottom, right) = ends.round().astype(int)
    box = Box(int(top), int(left), int(bottom) + 1, int(right) + 1).intersection(view.box)
    # grid_sample wants (column, row), with the outermost pixel centres at -1 and 1.
    first = view.to_grid([(box.top, box.left), (box.bottom - 1, box.right - 1)]) - corner
    low, high = first / np.maximum(size - 1, 1) * 2 - 1
    rows = torch.linspace(low[0], high[0], box.height)
    columns = torch.linspace(low[1], high[1], box.width)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)[None]
    values = F.grid_sample(probability[None], grid, align_corners=True, padding_mode="border")
    return box, values[0, 0].numpy()
