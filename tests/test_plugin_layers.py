from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image, Labels

from napari_brs.clicks import Click
from napari_brs.plugin.layers import (
    Preview,
    fits,
    is_writable,
    make_points,
    make_preview,
    merge_clicks,
    read_clicks,
    same_mask,
    show_clicks,
)
from napari_brs.plugin.planes import NOTHING, Patch

FLAT = (None, None)
A, B, C = Click(1, 2), Click(3, 4, False), Click(5, 6)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ([A, C, B], (A, B, C)),
        ([C, B], (B, C)),
        ([A, B, C, Click(9, 9)], (A, B, C, Click(9, 9))),
        ([Click(7, 7), B, C], (B, C, Click(7, 7))),
        ([], ()),
        ([Click(1, 2, False), B, C], (B, C, Click(1, 2, False))),
        ([Click(1.0001, 2), B, C], (A, B, C)),
    ],
)
def test_clicks_that_stayed_keep_their_order_and_new_ones_follow(
    now: list[Click], expected: tuple[Click, ...]
) -> None:
    assert merge_clicks((A, B, C), now) == expected


def test_points_show_clicks_and_give_them_back() -> None:
    image = Image(np.zeros((3, 20, 20)))
    layer = make_points(image, positive=True)
    clicks = {(0, None, None): [A, B], (2, None, None): [C]}
    show_clicks(layer, clicks, positive=True)
    assert np.allclose(layer.data, [[0, 1, 2], [2, 5, 6]])
    assert read_clicks(layer, (0, None, None), True) == [A]
    assert read_clicks(layer, (1, None, None), True) == []
    assert read_clicks(layer, (2, None, None), True) == [C]


def test_points_that_are_right_already_are_left_alone() -> None:
    layer = make_points(Image(np.zeros((20, 20))), positive=True)
    layer.add([[1, 2]])
    before = layer.data
    show_clicks(layer, {FLAT: [A]}, positive=True)
    assert layer.data is before


@pytest.fixture
def preview() -> Preview:
    return Preview(make_preview(Image(np.zeros((10, 12)))))


def test_only_what_changes_is_written(preview: Preview) -> None:
    preview.layer.data[9, 11] = 1  # not ours to touch
    first = Patch(1, 1, np.ones((2, 3), bool))
    preview.show({FLAT: first})
    assert preview.layer.data.sum() == 7
    preview.show({FLAT: Patch(2, 2, np.ones((1, 1), bool))})
    assert np.argwhere(preview.layer.data).tolist() == [[2, 2], [9, 11]]
    preview.show({})
    assert preview.layer.data.sum() == 1


def test_paint_is_told_from_what_is_shown(preview: Preview) -> None:
    preview.show({FLAT: Patch(0, 0, np.array([[0, 1], [0, 0]], bool))})
    assert preview.painted(FLAT) is None
    preview.layer.data[5, 5] = 2
    patch = preview.painted(FLAT)
    assert np.argwhere(patch.full((10, 12))).tolist() == [[0, 1], [5, 5]]
    preview.take(FLAT, patch)
    assert preview.painted(FLAT) is None
    preview.layer.data[:] = 0
    assert same_mask(preview.painted(FLAT), NOTHING)


def test_equal_masks_are_equal_in_any_window() -> None:
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    tight = Patch(1, 2, np.ones((1, 1), bool))
    assert same_mask(tight, Patch(0, 0, mask))
    assert not same_mask(tight, Patch(1, 0, mask))
    assert not same_mask(NOTHING, Patch(0, 0, mask))
    assert same_mask(NOTHING, Patch(3, 3, np.zeros((2, 2), bool)))


def test_only_labels_of_the_images_shape_can_hold_its_objects() -> None:
    image = Image(np.zeros((10, 12, 3), np.uint8), rgb=True)
    assert fits(Labels(np.zeros((10, 12), int)), image)
    assert not fits(Labels(np.zeros((12, 10), int)), image)
    assert not fits(image, image)


def test_what_cannot_be_written_is_known() -> None:
    da = pytest.importorskip("dask.array")
    data = np.zeros((8, 8), np.uint8)
    assert is_writable(Labels(data))
    assert not is_writable(Labels([data, data[::2, ::2]], multiscale=True))
    locked = Labels(data)
    locked.editable = False
    assert not is_writable(locked)
    assert not is_writable(Labels(da.zeros((8, 8), dtype=np.uint8)))
    data = data.copy()
    data.flags.writeable = False
    assert not is_writable(Labels(data))
