"""Masks for many clicks of one tile: its features are shared, the decoder runs in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_brs.brs.crops import crop_corner, cropped, padded, pasted
from napari_brs.brs.interaction_maps import interaction_maps
from napari_brs.clicks import Click
from napari_brs.completion.features import SeenTile
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
    corners = [crop_corner(own[0], size, whole) for own in points]
    for first in range(0, len(clicks), BATCH):
        batch = range(first, min(first + BATCH, len(clicks)))
        maps = np.stack([interaction_maps(points[i] - corners[i], signs[i], size) for i in batch])
        features = cropped(seen.features, view.grid, [corners[i] for i in batch], size)
        with torch.no_grad():
            logits = network.decode(features, torch.as_tensor(maps).to(features[0]))
        for i, probability in zip(batch, logits.sigmoid().float().cpu(), strict=True):
            box, values = pasted(view, corners[i], probability)
            candidate = _candidate(clicks[i], box, values, seen.shape)
            if candidate is not None:
                found.append(candidate)
    return found


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
