from __future__ import annotations

import numpy as np
import pytest
import torch
from fakes import BrightFeatures, BrightNetwork

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.brs.view import View
from napari_brs.completion.features import CELL, descriptors, from_cells, see, to_cells
from napari_brs.completion.tiles import Tile
from napari_brs.masks import Box, Mask


@pytest.fixture
def segmenter() -> BRSSegmenter:
    segmenter = BRSSegmenter(BrightNetwork(), "cpu")
    segmenter.set_image(np.random.default_rng(0).integers(0, 255, (90, 130), dtype=np.uint8))
    return segmenter


def _tile(box: Box, scale: float) -> Tile:
    return Tile(View(box, (round(box.height * scale), round(box.width * scale))), box)


@pytest.mark.parametrize("grid", [(1, 1), (40, 70), (64, 64)])
def test_there_is_a_descriptor_for_each_cell_of_the_grid(grid: tuple[int, int]) -> None:
    features = BrightNetwork().encode(torch.rand(1, 3, *grid) * 255)
    found = descriptors(features, grid)
    assert found.shape == (3 + 6, -(-grid[0] // CELL), -(-grid[1] // CELL))


def test_a_descriptor_holds_what_each_level_has_at_its_cell() -> None:
    features = BrightFeatures(torch.rand(1, 3, 16, 16), torch.ones(1, 6, 8, 8))
    found = descriptors(features, (64, 64))
    torch.testing.assert_close(found[:3], features.s4[0])
    torch.testing.assert_close(found[3:], torch.ones(6, 16, 16))


def test_cells_and_image_are_inverse() -> None:
    view = View(Box(10, 20, 60, 90), (100, 140))
    points = np.array([[10.0, 20.0], [33.5, 71.0]])
    np.testing.assert_allclose(from_cells(view, to_cells(view, points)), points)


def test_a_mask_is_read_in_the_cells_that_it_covers(segmenter: BRSSegmenter) -> None:
    seen = see(segmenter, _tile(Box(0, 0, 90, 130), 1.0))
    mask = Mask.of(np.ones((8, 12), bool), Box(16, 40, 24, 52), (90, 130))
    rows, columns = seen.cells_of(mask)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {
        (row, column) for row in (4, 5) for column in (10, 11, 12)
    }
    values = np.zeros(seen.descriptors.shape[1:], np.float32)
    values[4, 10:13] = 1
    assert seen.mean(values, mask) == 0.5


def test_a_mask_outside_the_tile_has_no_cell_and_mean_zero(segmenter: BRSSegmenter) -> None:
    seen = see(segmenter, _tile(Box(0, 0, 40, 40), 2.0))
    mask = Mask.of(np.ones((8, 12), bool), Box(70, 100, 78, 112), (90, 130))
    assert len(seen.cells_of(mask)[0]) == 0
    assert seen.mean(np.ones(seen.descriptors.shape[1:], np.float32), mask) == 0
