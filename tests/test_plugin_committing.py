"""Objects finished, corrected and deleted: no window, and a segmenter that draws discs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import FakeSegmenter, discs
from plugin_hands import SHAPE, click, disc, settle

pytest.importorskip("napari")


from napari_brs.clicks import Click

# objects


def test_commit_writes_the_next_free_id_and_the_next_object_begins(
    controller: Any, image: Any
) -> None:
    click(controller, 10, 10)
    assert controller.commit() == 1
    assert controller.state.status == "object 1 committed; click on the next one"
    assert not controller.preview_layer.data.any()
    assert len(controller.foreground_layer.data) == 0
    click(controller, 35, 50)
    assert controller.commit() == 2
    expected = disc(10, 10) + 2 * disc(35, 50).astype(int)
    assert np.array_equal(controller.objects_layer.data, expected)


def test_nothing_is_committed_without_a_mask(controller: Any, image: Any) -> None:
    assert controller.commit() is None
    assert controller.state.status == "there is no mask to commit yet"
    assert not controller.session.can_undo


def test_ids_painted_by_hand_are_not_given_again(controller: Any, image: Any) -> None:
    controller.objects_layer.data_setitem((np.array([0]), np.array([0])), 300)
    click(controller, 20, 30)
    assert controller.commit() == 301
    assert controller.objects_layer.data[0, 0] == 300


def test_another_object_is_never_written_over_unless_asked(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    controller.commit()
    click(controller, 20, 36)
    controller.commit()
    objects = controller.objects_layer.data
    assert np.array_equal(objects == 1, disc(20, 30))
    assert np.array_equal(objects == 2, disc(20, 36) & ~disc(20, 30))
    click(controller, 20, 30)
    assert controller.commit() is None
    assert "113 of 113 px belong to other objects; nothing was written" in controller.state.status
    controller.set(overwrite=True)
    assert controller.commit() == 3
    assert np.array_equal(objects == 3, disc(20, 30))
    controller.undo()
    assert np.array_equal(objects == 1, disc(20, 30))


def test_an_existing_labels_layer_is_continued_in_its_own_type(
    model: Any, controller: Any, image: Any
) -> None:
    data = np.zeros(SHAPE, np.uint8)
    data[:3, :3] = 254
    chosen = model.add_labels(data)
    controller.set_objects_layer(chosen)
    click(controller, 20, 30)
    assert controller.commit() == 255
    assert chosen.data.dtype == np.uint8
    assert np.array_equal(chosen.data == 255, disc(20, 30))
    click(controller, 35, 50)
    assert controller.commit() is None
    assert controller.state.status.startswith("ids of uint8 labels end at 255")
    assert np.array_equal(chosen.data == 255, disc(20, 30))
    with pytest.raises(ValueError, match="no labels layer of shape"):
        controller.set_objects_layer(model.add_labels(np.zeros((3, 3), int)))


def test_a_layer_that_cannot_be_written_is_named_and_nothing_is_lost(
    model: Any, controller: Any, image: Any
) -> None:
    import dask.array as da

    chosen = model.add_labels(da.zeros(SHAPE, dtype=np.uint16), name="lazy")
    with pytest.raises(ValueError, match="lazy cannot be written to"):
        controller.set_objects_layer(chosen)
    click(controller, 20, 30)
    controller.objects_layer.editable = False
    assert controller.commit() is None
    assert controller.state.status.endswith("cannot be written to; choose another objects layer")
    assert controller.state.has_clicks


def test_hand_edits_of_the_preview_survive_a_commit(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    corner = (np.array([0, 0]), np.array([0, 1]))
    controller.preview_layer.data_setitem(corner, 1)
    settle()
    assert controller.state.status == "object 1 · 1 FG · mask edited by hand"
    controller.commit()
    expected = disc(20, 30)
    expected[corner] = True
    assert np.array_equal(controller.objects_layer.data == 1, expected)


def test_the_next_click_starts_from_a_mask_edited_by_hand_and_undo_returns_to_it(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    controller.preview_layer.data_setitem((np.array([0]), np.array([0])), 1)
    click(controller, 22, 30)
    assert np.asarray(fake.starts[-1]).dtype == bool
    edited = disc(20, 30)
    edited[0, 0] = True
    assert np.array_equal(fake.starts[-1], edited)
    controller.undo()
    assert np.array_equal(controller.preview_layer.data != 0, edited)
    controller.undo()
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))


def test_an_object_can_be_painted_without_any_click(controller: Any, image: Any) -> None:
    controller.preview_layer.data_setitem((np.array([4, 5]), np.array([6, 6])), 1)
    settle()
    assert controller.state.has_mask
    assert controller.commit() == 1
    assert np.argwhere(controller.objects_layer.data == 1).tolist() == [[4, 6], [5, 6]]


def test_hand_edits_of_objects_survive_later_commits_and_reopening(
    controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    controller.commit()
    first = controller.session.objects[0].key
    objects = controller.objects_layer
    objects.data_setitem((np.array([0]), np.array([0])), 1)
    click(controller, 40, 55)
    controller.commit()
    edited = disc(20, 30)
    edited[0, 0] = True
    assert np.array_equal(objects.data == 1, edited)
    controller.open_object(first)
    assert np.array_equal(controller.preview_layer.data != 0, edited)
    controller.commit()
    assert np.array_equal(objects.data == 1, edited)


def test_a_finished_object_is_corrected_under_its_own_id(
    model: Any, controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    controller.commit()
    click(controller, 40, 55)
    controller.commit()
    model.cursor.position = (20, 30)
    controller.reopen_under_cursor()
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
    click(controller, 20, 33, False)
    assert controller.commit() == 1
    expected = discs(SHAPE, [Click(20, 30), Click(20, 33, False)])
    assert np.array_equal(controller.objects_layer.data == 1, expected)
    assert np.array_equal(controller.objects_layer.data == 2, disc(40, 55))
    controller.undo()
    assert np.array_equal(controller.objects_layer.data == 1, disc(20, 30))


def test_a_label_from_elsewhere_can_be_taken_over(
    model: Any, controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    controller.objects_layer.data[5:9, 5:9] = 7
    model.cursor.position = (6, 6)
    controller.reopen_under_cursor()
    assert controller.state.label == 7
    click(controller, 20, 30)
    assert np.asarray(fake.starts[-1]).sum() == 16
    assert controller.commit() == 7
    assert (controller.objects_layer.data == 7).sum() == 16 + disc(20, 30).sum()
    model.cursor.position = (47, 63)
    controller.reopen_under_cursor()
    assert controller.state.status == "there is no finished object under the cursor"


def test_a_cleared_object_leaves_the_objects_layer_when_committed(
    controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    controller.commit()
    controller.open_object(controller.session.objects[0].key)
    controller.clear()
    assert controller.commit() == 1
    assert not controller.objects_layer.data.any()


# deleting


def test_the_object_under_the_mouse_is_deleted_in_one_step(
    model: Any, controller: Any, image: Any
) -> None:
    click(controller, 10, 10)
    controller.commit()
    click(controller, 35, 50)
    controller.commit()
    before = controller.objects_layer.data.copy()
    model.cursor.position = (10, 10)
    controller.delete()
    assert controller.state.status == "object 1 deleted; Ctrl+Z brings it back"
    assert np.array_equal(controller.objects_layer.data, np.where(before == 1, 0, before))
    assert [found.label for found in controller.session.objects if not found.empty] == [2]
    controller.undo()
    assert np.array_equal(controller.objects_layer.data, before)
    controller.reopen_under_cursor()
    assert np.allclose(controller.foreground_layer.data, [[10, 10]])
    controller.undo()
    controller.redo()
    controller.undo()
    controller.undo()
    assert np.array_equal(controller.objects_layer.data == 1, disc(10, 10))


def test_a_label_from_elsewhere_is_deleted_and_comes_back(
    model: Any, controller: Any, image: Any
) -> None:
    controller.objects_layer.data[5:9, 5:9] = 7
    model.cursor.position = (6, 6)
    controller.delete()
    assert not controller.objects_layer.data.any()
    controller.undo()
    assert (controller.objects_layer.data == 7).sum() == 16
    controller.redo()
    assert not controller.objects_layer.data.any()


def test_away_from_objects_the_open_one_is_deleted_and_then_there_is_none(
    model: Any, controller: Any, image: Any
) -> None:
    model.cursor.position = (-9, 0)
    controller.delete()
    assert controller.state.status == "there is no object under the cursor, and none is open"
    click(controller, 20, 30)
    controller.delete()
    assert controller.state.status == "object 1 deleted; Ctrl+Z brings it back"
    assert controller.session.current.empty
    assert not controller.preview_layer.data.any()
    controller.undo()
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    controller.commit()
    controller.open_object(controller.session.objects[0].key)
    controller.delete()
    assert not controller.objects_layer.data.any()


def test_delete_on_points_takes_the_selected_ones_first(
    model: Any, controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    click(controller, 24, 30)
    model.cursor.position = (20, 30)
    points = model.layers.selection.active = controller.foreground_layer
    points.selected_data = {1}
    controller.committing.delete_in_points()
    controller.wait(20)
    assert np.allclose(points.data, [[20, 30]])
    controller.committing.delete_in_points()
    assert not controller.state.has_clicks


# objects that are mostly others'


def test_a_mask_that_is_mostly_others_stays_open_and_says_how_to_go_on(
    controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    controller.commit()
    click(controller, 20, 32)
    before = controller.objects_layer.data.copy()
    assert controller.commit() is None
    taken, asked = (disc(20, 30) & disc(20, 32)).sum(), disc(20, 32).sum()
    assert controller.state.status == (
        f"object 2: {taken} of {asked} px belong to other objects; nothing was written. "
        "Correct it, or tick Overwrite other objects"
    )
    assert controller.state.has_clicks
    assert np.array_equal(controller.objects_layer.data, before)
    controller.set(overwrite=True)
    assert controller.commit() == 2
