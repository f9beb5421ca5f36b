from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image, Labels

from napari_brs.masks import Box, Mask
from napari_brs.plugin.layers.objects import (
    erase_object,
    fits,
    is_writable,
    next_label,
    write_object,
)

FLAT = (None, None)
SHAPE = (6, 8)
NOTHING = Mask.empty(SHAPE)


@pytest.fixture
def layer() -> Labels:
    data = np.zeros((6, 8), np.int16)
    data[0:2, 0:2] = 3
    return Labels(data)


def square(top: int, left: int, side: int = 3) -> Mask:
    box = Box(top, left, top + side, left + side)
    return Mask.of(np.ones((side, side), bool), box, SHAPE)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.int64])
def test_ids_end_where_the_type_ends(dtype: type) -> None:
    highest = np.iinfo(dtype).max
    layer = Labels(np.array([[0, highest - 1]], dtype))
    assert next_label(layer) == highest
    layer.data[0, 0] = highest
    with pytest.raises(ValueError, match=f"end at {highest}"):
        next_label(layer)


def test_ids_given_before_are_not_given_again(layer: Labels) -> None:
    assert next_label(layer) == 4
    assert next_label(layer, 9) == 10
    assert next_label(Labels(np.zeros((2, 2), np.uint16))) == 1


def test_writing_keeps_other_objects_and_the_type(layer: Labels) -> None:
    before = layer.data.copy()
    write_object(layer, 4, {FLAT: square(1, 1)}, overwrite=False)
    assert layer.data.dtype == np.int16
    assert np.array_equal(layer.data == 3, before == 3)
    assert (layer.data == 4).sum() == 8


def test_overwriting_takes_them_if_asked(layer: Labels) -> None:
    write_object(layer, 4, {FLAT: square(1, 1)}, overwrite=True)
    assert (layer.data == 4).sum() == 9
    assert (layer.data == 3).sum() == 3


def test_a_mask_wholly_on_another_object_is_refused(layer: Labels) -> None:
    before = layer.data.copy()
    with pytest.raises(ValueError, match="4 of 4 px belong to other objects"):
        write_object(layer, 4, {FLAT: square(0, 0, 2)}, overwrite=False)
    assert np.array_equal(layer.data, before)


def test_correcting_an_object_removes_what_is_no_longer_its_own(layer: Labels) -> None:
    first = write_object(layer, 4, {FLAT: square(2, 2)}, overwrite=False)
    assert first.positions == (FLAT,)
    write_object(layer, 4, {FLAT: square(3, 3)}, overwrite=False)
    expected = np.zeros((6, 8), bool)
    expected[3:6, 3:6] = True
    assert np.array_equal(layer.data == 4, expected)
    gone = write_object(layer, 4, {FLAT: NOTHING}, overwrite=False)
    assert not (layer.data == 4).any()
    assert gone.positions == ()


def test_every_commit_can_be_taken_back_and_put_back(layer: Labels) -> None:
    states = [layer.data.copy()]
    written = []
    for mask in (square(1, 1), square(3, 3), NOTHING, square(0, 4)):
        written.append(write_object(layer, 4, {FLAT: mask}, overwrite=True))
        states.append(layer.data.copy())
    for record, state in zip(reversed(written), reversed(states[:-1]), strict=True):
        record.take_back()
        assert np.array_equal(layer.data, state)
    for record, state in zip(written, states[1:], strict=True):
        record.put_back()
        assert np.array_equal(layer.data, state)


def test_a_commit_is_one_step_of_naparis_undo(layer: Labels) -> None:
    before = layer.data.copy()
    write_object(layer, 4, {FLAT: square(2, 2)}, overwrite=False)
    write_object(layer, 4, {FLAT: square(3, 3)}, overwrite=False)
    layer.undo()
    assert Mask.of(layer.data == 4) == square(2, 2)
    layer.undo()
    assert np.array_equal(layer.data, before)


def test_an_object_of_several_slices_and_axes_is_written_at_once() -> None:
    layer = Labels(np.zeros((4, 5, 6), np.uint16))
    masks = {(1, None, None): square(0, 0, 2), (None, 4, None): square(2, 3, 2)}
    written = write_object(layer, 1, masks, overwrite=False)
    assert (layer.data[1, :2, :2] == 1).all()
    assert (layer.data[2:4, 4, 3:5] == 1).all()
    assert layer.data.sum() == 8
    written.take_back()
    assert not layer.data.any()


def test_labels_that_are_not_numpy_can_be_written() -> None:
    zarr = pytest.importorskip("zarr")
    layer = Labels(zarr.array(np.zeros((6, 8), np.uint16)))
    written = write_object(layer, 1, {FLAT: square(2, 2)}, overwrite=False)
    assert np.asarray(layer.data[2:5, 2:5]).sum() == 9
    assert next_label(layer) == 2
    written.take_back()
    assert not np.asarray(layer.data[:]).any()


def test_a_mask_that_is_mostly_others_is_refused_and_leaves_no_specks(layer: Labels) -> None:
    before = layer.data.copy()
    layer.data[0:6, 3:8] = 2
    taken = layer.data.copy()
    with pytest.raises(ValueError, match="object 4: 6 of 9 px belong to other objects"):
        write_object(layer, 4, {FLAT: square(2, 2)}, overwrite=False)
    assert np.array_equal(layer.data, taken)
    write_object(layer, 4, {FLAT: square(2, 2)}, overwrite=True)
    assert (layer.data == 4).sum() == 9
    layer.data[:] = before
    layer.data[0:6, 4:8] = 2
    write_object(layer, 4, {FLAT: square(2, 2)}, overwrite=False)
    assert (layer.data == 4).sum() == 6


def test_a_layer_of_another_shape_is_left_alone_by_undo_and_redo(layer: Labels) -> None:
    written = write_object(layer, 4, {FLAT: square(2, 2)}, overwrite=False)
    for shape in ((3, 4), (2, 6, 8)):
        layer.data = np.full(shape, 4, np.int16)
        written.take_back()
        written.put_back()
        assert (layer.data == 4).all()


def test_an_object_is_erased_in_all_slices_and_nothing_else_is() -> None:
    data = np.zeros((3, 6, 8), np.uint16)
    data[0, 1:3, 1:3] = data[2, 4, 4] = 5
    data[1, 2, 2] = 6
    layer = Labels(data.copy())
    written = erase_object(layer, 5, (1, None, None))
    assert np.unique(layer.data).tolist() == [0, 6]
    written.take_back()
    assert np.array_equal(layer.data, data)


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
