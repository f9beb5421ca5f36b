from __future__ import annotations

import numpy as np
import pytest

from napari_brs.masks import Box, Mask
from napari_brs.propagation.motion import compared, displacement, shifted


@pytest.fixture
def texture() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, 70))


@pytest.mark.parametrize("by", [(0, 0), (4, -3), (-2, 6)])
def test_a_window_that_moved_says_how_far(texture: np.ndarray, by: tuple[int, int]) -> None:
    before = texture[10:50, 10:60]
    after = texture[10 - by[0] : 50 - by[0], 10 - by[1] : 60 - by[1]]
    assert displacement(before, after, farthest=10) == by


def test_what_moved_too_far_is_taken_not_to_have_moved(texture: np.ndarray) -> None:
    before, after = texture[10:50, 10:60], texture[4:44, 10:60]
    assert displacement(before, after, farthest=5) == (0, 0)


def test_a_flat_window_does_not_move() -> None:
    flat = np.full((20, 20), 7.0)
    assert displacement(flat, flat, farthest=10) == (0, 0)


def test_pixels_that_leave_the_image_are_gone() -> None:
    mask = Mask.of(np.ones((4, 4), bool), Box(0, 0, 4, 4), (10, 10))
    assert shifted(mask, (-3, 0)).area == 4
    assert not shifted(mask, (-4, 0))
    assert shifted(shifted(mask, (2, 5)), (-2, -5)) == mask


def test_the_compared_window_lies_in_the_image() -> None:
    mask = Mask.of(np.ones((1, 1), bool))
    assert compared(mask) == Box(0, 0, 1, 1)
