"""Masks for many clicks of one tile: its features are shared, the decoder runs in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_brs.brs.interaction_maps import interaction_maps
from napari_brs.brs.view import View
from napari_brs.clicks import Click
from napari_brs.completion.features import COARSEST, SeenTile, cropped, padded
from napari_brs.masks import Box, Mask, joined

if TYPE_CHECKING:
    from napari_brs.networks.base import InteractiveNetwork

CROP = 192
"""Grid pixels a side of what the decoder sees around a click: three lengths of an object."""
BATCH = 8
"""Clicks that are decoded at once; the first proposals wait for the first batch."""
LOOSE, TIGHT = 0.3, 0.7
"""Thresholds between which a certain mask hardly changes."""
SMALLEST = 10
"""Pixels of a mask that is one."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """What the network takes for the object under a click.

    Attributes
    ----------
    clicks : tuple of Click
        The foreground click, and background clicks on objects beside it.
    mask : Mask
        The connected part under the click.
    stability : float
        Area above the higher of two thresholds over that above the lower one, in [0, 1].
    certainty : float
        Mean probability in the mask.
    """

    clicks: tuple[Click, ...]
    mask: Mask
    stability: float
    certainty: float


def decode_clicks(
    network: InteractiveNetwork,
    seen: SeenTile,
    clicks: Sequence[tuple[Click, ...]],
) -> list[Candidate]:
    """Decode the clicks of several objects, each for itself.

    Parameters
    ----------
    network : InteractiveNetwork
    seen : SeenTile
    clicks : sequence of tuple of Click
        Of each object; the first is on it, in the tile's view.

    Returns
    -------
    list of Candidate
        In the same order, but for clicks that the network makes nothing of.
    """
    found = []
    view = seen.view
    whole = padded(view.grid)
    size = min(CROP, whole[0]), min(CROP, whole[1])
    points = [view.to_grid([click.pixel for click in own]) for own in clicks]
    signs = [np.array([click.positive for click in own]) for own in clicks]
    corners = [_corner(own[0], size, whole) for own in points]
    for first in range(0, len(clicks), BATCH):
        batch = range(first, min(first + BATCH, len(clicks)))
        maps = np.stack([interaction_maps(points[i] - corners[i], signs[i], size) for i in batch])
        features = cropped(seen.features, view.grid, [corners[i] for i in batch], size)
        with torch.no_grad():
            logits = network.decode(features, torch.as_tensor(maps).to(features[0]))
        for i, probability in zip(batch, logits.sigmoid().float().cpu(), strict=True):
            box, values = _in_image(view, corners[i], probability)
            candidate = _candidate(clicks[i], box, values, seen.shape)
            if candidate is not None:
                found.append(candidate)
    return found


def _corner(
    point: NDArray[np.float64], size: tuple[int, int], whole: tuple[int, int]
) -> tuple[int, int]:
    """Where the crop around a click begins, as all levels of the features can be cut."""
    row, column = (
        int(np.clip(round((at - side / 2) / COARSEST) * COARSEST, 0, limit - side))
        for at, side, limit in zip(point, size, whole, strict=True)
    )
    return row, column


def _candidate(
    clicks: tuple[Click, ...], box: Box, values: NDArray[np.float32], shape: tuple[int, int]
) -> Candidate | None:
    row, column = clicks[0].pixel
    here = row - box.top, column - box.left
    pixels, loose, tight = (joined(values > at, [here]) for at in (0.5, LOOSE, TIGHT))
    area = np.count_nonzero(pixels)
    if area < SMALLEST:
        return None
    stability = np.count_nonzero(tight) / np.count_nonzero(loose)
    mask = Mask.of(pixels, box, shape)
    return Candidate(clicks, mask, stability, float(values[pixels].mean()))


def _in_image(
    view: View, corner: tuple[int, int], probability: Tensor
) -> tuple[Box, NDArray[np.float32]]:
    """A crop of the grid, (1, rows, columns), at the pixels whose centres it covers."""
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
