import numpy as np
import pytest

from napari_brs import Click
from napari_brs.geometry import Box
from napari_brs.prediction import MaskWindow
from napari_brs.regions import Region, hit, joined

SHAPE = (12, 15)


def mask(*pixels):
    values = np.zeros(SHAPE, bool)
    for pixel in pixels:
        values[pixel] = True
    return values


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    first, second = (rng.random(SHAPE) < 0.2 for _ in range(2))
    first[:3] = False
    second[:, 9:] = False
    return first, second


def test_union_difference_and_changed_box_are_those_of_whole_masks(pair):
    first, second = pair
    one, two = Region.of(first), Region.of(second)
    np.testing.assert_array_equal(one.full(SHAPE), first)
    np.testing.assert_array_equal(one.plus(two).full(SHAPE), first | second)
    np.testing.assert_array_equal(one.minus(two).full(SHAPE), first & ~second)
    assert one.difference(two) == Box.around(first ^ second)
    assert one.difference(one).height == 0
    for pixel in ((0, 0), (5, 5), (11, 14)):
        assert one.holds(*pixel) == first[pixel]


def test_nothing_is_a_region_too(pair):
    nothing, some = Region.of(None), Region.of(pair[0])
    assert not nothing.full(SHAPE).any()
    np.testing.assert_array_equal(nothing.plus(some).full(SHAPE), pair[0])
    assert nothing.difference(some) == Box.around(pair[0])
    assert not nothing.holds(0, 0)


def test_a_mask_in_a_window_stands_for_the_whole_one(pair):
    box = Box(3, 2, 10, 12)
    window = MaskWindow(SHAPE, box, pair[0][box.slices])
    np.testing.assert_array_equal(Region.of(window).full(SHAPE), np.asarray(window))


def test_only_parts_that_touch_at_an_edge_are_joined():
    parts = mask((2, 2), (2, 3), (3, 4), (8, 8))
    np.testing.assert_array_equal(joined(parts, [(2, 2)]), mask((2, 2), (2, 3)))
    np.testing.assert_array_equal(joined(parts, [(8, 8), (3, 4)]), mask((8, 8), (3, 4)))
    assert not joined(parts, [(0, 0)]).any()
    assert not hit(parts, (0, 0)).mask.any()


def test_parts_without_a_positive_click_are_dropped_if_there_is_one():
    region = Region.of(mask((2, 2), (2, 3), (8, 8)))
    kept = region.with_clicks_only([Click(2, 3), Click(8, 9, positive=False)])
    np.testing.assert_array_equal(kept.full(SHAPE), mask((2, 2), (2, 3)))
    assert region.with_clicks_only([Click(8, 9, positive=False)]) is region
    assert region.with_clicks_only([Click(0, 0)]) is region
