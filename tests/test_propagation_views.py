from __future__ import annotations

import numpy as np

from napari_brs.masks import Box, Mask
from napari_brs.propagation.views import shared_views


def _square(top: int, left: int, side: int, shape: tuple[int, int] = (600, 800)) -> Mask:
    box = Box(top, left, top + side, left + side)
    return Mask.of(np.ones((side, side), bool), box, shape)


def test_neighbours_share_a_view_and_far_ones_do_not() -> None:
    masks = {1: _square(40, 40, 30), 2: _square(60, 80, 30), 3: _square(500, 700, 30)}
    groups = sorted(tuple(sorted(numbers)) for _, numbers in shared_views(masks))
    assert groups == [(1, 2), (3,)]


def test_each_mask_is_in_its_view_and_none_is_forgotten() -> None:
    rng = np.random.default_rng(1)
    masks = {
        n: _square(int(rng.integers(0, 500)), int(rng.integers(0, 700)), int(rng.integers(8, 90)))
        for n in range(1, 30)
    }
    seen = []
    for view, numbers in shared_views(masks):
        for number in numbers:
            assert masks[number].box.intersection(view.box) == masks[number].box
        seen += numbers
    assert sorted(seen) == list(masks)


def test_large_and_small_objects_are_seen_at_scales_of_their_own() -> None:
    masks = {1: _square(40, 40, 12), 2: _square(50, 80, 200)}
    scales = {numbers: view.scale for view, numbers in shared_views(masks)}
    assert scales[1,] > 2 * scales[2,]
