from __future__ import annotations

import numpy as np
import pytest

from napari_brs.brs.zoom import LARGE, LONGEST, MAGNIFICATION, SMALL, scale_for
from napari_brs.completion.tiles import tiles_of
from napari_brs.masks import Box


@pytest.mark.parametrize("shape", [(1, 1), (30, 700), (480, 480), (2000, 1500)])
@pytest.mark.parametrize("length", [3.0, 21.5, 90.0, 900.0])
def test_every_pixel_of_the_image_is_owned_by_one_tile(
    shape: tuple[int, int], length: float
) -> None:
    owners = np.zeros(shape, int)
    for tile in tiles_of(shape, Box(0, 0, *shape), length):
        owners[tile.own.slices] += 1
        assert tile.own.intersection(tile.view.box) == tile.own
    assert (owners == 1).all()


def test_an_object_lies_whole_in_the_tile_that_owns_its_middle() -> None:
    shape, length = (900, 900), 30.0
    for tile in tiles_of(shape, Box(0, 0, *shape), length):
        around = tile.own.grown(14, shape)
        assert around.intersection(tile.view.box) == around


def test_the_grid_stays_in_what_the_network_is_used_to() -> None:
    for length in (4.0, 25.0, 70.0, 500.0):
        for tile in tiles_of((1200, 1200), Box(0, 0, 1200, 1200), length):
            assert max(tile.view.grid) <= LONGEST + 4


def test_objects_are_seen_at_a_length_that_suits_the_network() -> None:
    assert scale_for(2) == MAGNIFICATION
    assert scale_for(20) * 20 == SMALL
    assert SMALL < scale_for(60) * 60 < LARGE
    assert scale_for(400) * 400 == LARGE


def test_tiles_of_a_region_stay_around_it() -> None:
    region = Box(9000, 12000, 9400, 12500)
    tiles = tiles_of((20000, 20000), region, 40.0)
    assert all(
        tile.view.box.intersection(region.grown(60, (20000, 20000))) == tile.view.box
        for tile in tiles
    )
    assert sum(tile.own.height * tile.own.width for tile in tiles) == 400 * 500
