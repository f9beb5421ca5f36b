import numpy as np
import pytest

from napari_brs.brs.zoom import LONGEST, MAGNIFICATION, first_view, next_view, object_view
from napari_brs.masks import Box

SHAPES = [(1, 1), (1, 700), (20, 30), (333, 500), (1000, 700), (1025, 300), (20_000, 20_000)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_view_contains_its_target_and_stays_in_the_image_and_the_grid(shape):
    rng = np.random.default_rng(0)
    for _ in range(200):
        top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        target = Box(top, left, rng.integers(top, shape[0]) + 1, rng.integers(left, shape[1]) + 1)
        size = float(rng.uniform(1, 2 * max(shape)))
        for view in (
            first_view(shape, target),
            first_view(shape, target, size),
            object_view(shape, target),
        ):
            assert view.box.intersection(target) == target
            assert view.box.intersection(Box(0, 0, *shape)) == view.box
            assert 1 <= max(view.grid) <= LONGEST
            assert view.scale <= MAGNIFICATION


def test_an_image_of_ordinary_size_is_first_seen_as_a_whole():
    assert first_view((480, 640), Box(5, 5, 6, 6)).box == Box(0, 0, 480, 640)


def test_a_huge_image_is_first_seen_at_full_resolution_around_the_click():
    view = first_view((20_000, 20_000), Box(9_000, 150, 9_001, 151))
    assert view.scale == 1
    assert max(view.box.height, view.box.width) <= LONGEST
    assert view.box.top < 9_000 < view.box.bottom


def test_clicks_side_by_side_in_a_huge_image_share_a_tile_that_shows_what_is_around_them():
    rng = np.random.default_rng(0)
    views = set()
    for row, column in rng.integers(0, 1000, (400, 2)) + 5_000:
        view = first_view((20_000, 20_000), Box(row, column, row + 1, column + 1))
        views.add(view)
        box = view.box
        assert (box.height, box.width) == (LONGEST, LONGEST)
        assert min(row - box.top, column - box.left) >= LONGEST // 5
        assert min(box.bottom - row, box.right - column) > LONGEST // 5
    assert len(views) <= 36


@pytest.mark.parametrize("size", [9.0, 25.0, 110.0, 260.0])
def test_an_object_of_known_size_is_first_seen_with_as_much_around_it(size):
    rng = np.random.default_rng(0)
    for row, column in rng.integers(0, 900, (100, 2)):
        view = first_view((900, 900), Box(row, column, row + 1, column + 1), size)
        assert 2.5 * size <= view.box.height <= 4.5 * size
        # In its middle, where the image goes on that far.
        for at, first, last in (
            (row, view.box.top, view.box.bottom),
            (column, view.box.left, view.box.right),
        ):
            assert at - first >= view.box.height // 3 or first == 0
            assert last - at >= view.box.height // 3 or last == 900


def test_objects_of_similar_size_side_by_side_share_a_first_view():
    rng = np.random.default_rng(0)
    views = set()
    for row, column in rng.integers(0, 60, (200, 2)) + 400:
        size = float(rng.uniform(55, 65))
        views.add(first_view((900, 900), Box(row, column, row + 1, column + 1), size))
    assert len(views) <= 9


def test_an_object_as_long_as_the_image_is_first_seen_with_all_of_it():
    assert first_view((900, 700), Box(5, 5, 6, 6), 400).box == Box(0, 0, 900, 700)


@pytest.mark.parametrize("side", [15, 100, 3_000])
def test_nucleus_and_organoid_fill_the_grid_alike(side):
    view = object_view((8_000, 8_000), Box(4_000, 4_000, 4_000 + side, 4_000 + side))
    assert 60 <= side * view.scale <= LONGEST


def test_a_view_is_kept_while_the_object_changes_a_little():
    shape = (900, 900)
    view = object_view(shape, Box(300, 300, 400, 400))
    assert next_view(view, shape, Box(295, 300, 405, 410)) == view


@pytest.mark.parametrize("target", [Box(300, 300, 330, 330), Box(300, 300, 700, 400)])
def test_a_view_is_left_when_the_object_is_much_smaller_or_reaches_its_border(target):
    shape = (900, 900)
    view = object_view(shape, Box(300, 300, 400, 400))
    assert next_view(view, shape, target) == object_view(shape, target)
