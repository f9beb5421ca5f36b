from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_brs.masks import Box, Mask, joined, label_masks, read

SHAPE = (12, 15)
MASKS = arrays(bool, SHAPE) | st.builds(
    lambda top, left, bottom, right: np.pad(
        np.ones((max(0, bottom - top), max(0, right - left)), bool),
        ((top, SHAPE[0] - max(top, bottom)), (left, SHAPE[1] - max(left, right))),
    ),
    st.integers(0, 12), st.integers(0, 15), st.integers(0, 12), st.integers(0, 15),
)  # fmt: skip


def test_the_box_around_a_mask_is_tight_and_none_if_it_is_empty():
    mask = np.zeros((9, 12), bool)
    assert Box.around(mask) is None
    mask[2, 3] = mask[5, 8] = True
    assert Box.around(mask) == Box(2, 3, 6, 9)


def test_boxes_unite_intersect_and_grow_inside_the_image():
    one, two = Box(2, 2, 6, 6), Box(4, 5, 10, 9)
    assert one.union(two) == Box(2, 2, 10, 9)
    assert one.intersection(two) == Box(4, 5, 6, 6)
    apart = one.intersection(Box(20, 20, 30, 30))
    assert apart.height == apart.width == 0
    assert one.grown(3, (8, 40)) == Box(0, 0, 8, 9)
    assert one.holds(2, 5)
    assert not one.holds(6, 5)
    assert two.within(one) == Box(2, 3, 8, 7)


@given(MASKS)
def test_a_mask_is_the_pixels_it_was_made_of_in_the_smallest_box(pixels: np.ndarray) -> None:
    mask = Mask.of(pixels)
    np.testing.assert_array_equal(mask.full(), pixels)
    np.testing.assert_array_equal(np.asarray(mask), pixels)
    assert (mask.box if mask else None) == Box.around(pixels)
    assert mask.area == pixels.sum()
    assert len(mask.packed) == -(-mask.box.height * mask.box.width // 8)
    np.testing.assert_array_equal(np.array(mask.nonzero()), np.nonzero(pixels))
    assert all(mask.holds(*place) == pixels[place] for place in np.ndindex(SHAPE))


@given(MASKS, MASKS)
def test_sets_of_pixels_are_those_of_whole_masks(first: np.ndarray, second: np.ndarray) -> None:
    one, two = Mask.of(first), Mask.of(second)
    np.testing.assert_array_equal(one.union(two).full(), first | second)
    np.testing.assert_array_equal(one.difference(two).full(), first & ~second)
    np.testing.assert_array_equal(one.symmetric_difference(two).full(), first ^ second)
    changed = one.changed(two)
    assert (changed if changed.height else None) == Box.around(first ^ second)
    assert (one == two) == np.array_equal(first, second)


@given(MASKS, st.data())
def test_a_box_is_read_and_pasted_as_in_a_whole_mask(
    pixels: np.ndarray, data: st.DataObject
) -> None:
    top, left = data.draw(st.integers(0, 11)), data.draw(st.integers(0, 14))
    box = Box(top, left, data.draw(st.integers(top + 1, 12)), data.draw(st.integers(left + 1, 15)))
    mask = Mask.of(pixels)
    np.testing.assert_array_equal(mask.read(box), pixels[box.slices])
    inside = data.draw(arrays(bool, (box.height, box.width)))
    expected = pixels.copy()
    expected[box.slices] = inside
    np.testing.assert_array_equal(mask.paste(box, inside).full(), expected)


def test_a_mask_given_in_a_window_lies_where_the_window_does() -> None:
    box = Box(3, 2, 6, 7)
    mask = Mask.of(np.ones((3, 5)), box, SHAPE)
    assert mask.box == box
    assert mask.area == mask.read(Box(-4, -4, 20, 20)).sum() == 15
    assert mask == Mask.of(mask.full())
    assert hash(mask) == hash(Mask.of(mask.full()))


def test_a_mask_cannot_be_changed_and_does_not_follow_its_array() -> None:
    pixels = np.ones((2, 2), bool)
    mask = Mask.of(pixels)
    pixels[:] = False
    assert mask.area == 4
    with pytest.raises(ValueError, match="read-only"):
        mask.pixels[0, 0] = False
    assert pickle.loads(pickle.dumps(mask)) == mask


@pytest.mark.parametrize(
    ("size", "box", "message"),
    [((2, 2), Box(0, 0, 2, 3), "do not fit"), ((2, 2), Box(11, 0, 13, 2), "leaves the image")],
)
def test_a_window_that_does_not_fit_is_refused(size, box, message) -> None:
    with pytest.raises(ValueError, match=message):
        Mask.of(np.ones(size), box, SHAPE)


def test_a_window_read_elsewhere_is_zero_outside_itself() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = read(values, Box(1, 1, 3, 4), Box(2, 0, 5, 3))
    np.testing.assert_array_equal(found, [[0, 3, 4], [0, 0, 0], [0, 0, 0]])
    assert found.dtype == np.float32
    assert not read(values, Box(1, 1, 3, 4), Box(7, 7, 9, 9)).any()


def test_only_parts_that_touch_at_an_edge_are_joined() -> None:
    parts = np.zeros(SHAPE, bool)
    parts[2, 2] = parts[2, 3] = parts[3, 4] = parts[8, 8] = True
    assert np.argwhere(joined(parts, [(2, 2)])).tolist() == [[2, 2], [2, 3]]
    assert np.argwhere(joined(parts, [(8, 8), (3, 4)])).tolist() == [[3, 4], [8, 8]]
    assert not joined(parts, [(0, 0)]).any()


@pytest.mark.parametrize("background", [0, 5])
def test_objects_of_a_label_image_are_masks_by_their_ids(background: int) -> None:
    labels = np.full((4, 6), background)
    labels[1:3, 2:4], labels[0, 0] = 70_000, 3
    found = label_masks(labels, (10, 20), (30, 40))
    assert set(found) == {3, 70_000} | ({5} if background else set())
    assert found[70_000].box == Box(11, 22, 13, 24)
    assert found[3].shape == (30, 40)
    assert sum(mask.area for mask in found.values()) == (24 if background else 5)
