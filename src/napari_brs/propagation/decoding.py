"""What an interactive network makes of the masks that objects are expected to have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_brs.brs.crops import COARSEST, crop_corner, cropped, padded, pasted
from napari_brs.brs.interaction_maps import interaction_maps
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.brs.view import View
from napari_brs.clicks import Click
from napari_brs.masks import Box, Mask, deepest_pixel
from napari_brs.propagation.views import shared_views
from napari_brs.segmenters import Segmenter

CROP = 192
"""Least grid pixels a side of what the decoder sees of an object."""
ROOM = 1.6
"""Side of that crop, in lengths of the object."""

Answer = tuple[Box, NDArray[np.float32]]
"""Probabilities, (box.height, box.width), in a box of the image."""


def decode_objects(segmenter: Segmenter, expected: Mapping[int, Mask]) -> dict[int, Answer]:
    """Look at the objects of the segmenter's image where they are expected.

    Each gets one foreground click, at the deepest pixel of its expected mask, background
    clicks at those of its neighbours, and the expected mask as previous mask.

    Parameters
    ----------
    segmenter : Segmenter
        It holds the image.
    expected : mapping
        Object -> Mask, none of them empty.
    """
    places = {number: deepest_pixel(mask) for number, mask in expected.items()}
    if not isinstance(segmenter, BRSSegmenter) or not segmenter.network.uses_previous:
        return _one_by_one(segmenter, expected, places)
    found: dict[int, Answer] = {}
    for view, numbers in shared_views(expected):
        features = segmenter.features(view)
        whole = padded(view.grid)
        for number in numbers:
            mask = expected[number]
            side = ROOM * max(mask.box.height, mask.box.width) * view.scale
            side = max(CROP, math.ceil(side / COARSEST) * COARSEST)
            size = min(side, whole[0]), min(side, whole[1])
            middle = (
                (mask.box.top + mask.box.bottom - 1) / 2,
                (mask.box.left + mask.box.right - 1) / 2,
            )
            corner = crop_corner(view.to_grid([middle])[0], size, whole)
            others = [place for other, place in places.items() if other != number]
            maps = _maps(view, corner, size, places[number], others)
            previous = _previous(view, corner, size, mask)
            with torch.no_grad():
                logits = segmenter.network.decode(
                    cropped(features, view.grid, [corner], size),
                    maps.to(features[0]),
                    previous.to(features[0]),
                )
            found[number] = pasted(view, corner, logits.sigmoid().float().cpu()[0])
    return found


def _maps(
    view: View,
    corner: tuple[int, int],
    size: tuple[int, int],
    place: tuple[int, int],
    others: Sequence[tuple[int, int]],
) -> Tensor:
    """(1, 2, rows, columns) interaction maps of the clicks in a crop."""
    points = view.to_grid([place, *others]) - corner
    inside = np.all((points >= 0) & (points < size), axis=1)
    signs = np.arange(len(points)) == 0
    # The first is that of the object itself, which a crop at the image's border may just miss.
    inside = inside | signs
    return torch.as_tensor(interaction_maps(points[inside], signs[inside], size)[None])


def _previous(view: View, corner: tuple[int, int], size: tuple[int, int], mask: Mask) -> Tensor:
    """(1, 1, rows, columns) expected mask in a crop, which may end in the padding."""
    whole = view.crop(mask.read(view.box)[..., None].astype(np.float32))
    rows, columns = padded(view.grid)
    whole = F.pad(whole, (0, columns - whole.shape[-1], 0, rows - whole.shape[-2]))
    return whole[..., corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]


def _one_by_one(
    segmenter: Segmenter, expected: Mapping[int, Mask], places: Mapping[int, tuple[int, int]]
) -> dict[int, Answer]:
    """Of models whose features cannot be shared."""
    found = {}
    for number, mask in expected.items():
        prediction = segmenter.predict([Click(*places[number])], previous=mask, refine=False)
        found[number] = prediction.view.box, prediction.window_probability
    return found
