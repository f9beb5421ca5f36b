"""What the dock can do, on a viewer without a window and with a segmenter that draws discs."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from fakes import RADIUS, FakeSegmenter, discs, untimed

pytest.importorskip("napari")

from napari.layers import Labels
from qtpy.QtWidgets import QApplication

from napari_brs.clicks import Click
from napari_brs.plugin.layers.placement import PLACEMENT
from napari_brs.plugin.layers.planes import plane_index, shown_mask

SHAPE = (48, 64)


def disc(row: float, column: float, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return discs(shape, [Click(row, column)])


def settle() -> None:
    """Let postponed calls happen."""
    for _ in range(5):
        QApplication.processEvents()


def pause(seconds: float) -> None:
    """Let timers go off."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


@pytest.fixture
def image(model: Any, controller: Any) -> Any:
    layer = model.add_image(np.arange(48 * 64, dtype=np.uint16).reshape(SHAPE), name="cells")
    controller.set_image_layer(layer, look=False)
    return layer


@pytest.fixture
def stack(model: Any, controller: Any) -> Any:
    layer = model.add_image(
        np.zeros((5, *SHAPE), np.uint16),
        name="stack",
        scale=(2, 0.5, 0.25),
        translate=(1, 10, 20),
    )
    controller.set_image_layer(layer, look=False)
    model.dims.set_point(0, 1 + 2 * 3)
    return layer


def click(controller: Any, *place: Any, wait: bool = True) -> None:
    assert controller.add_click(*place), controller.state.status
    if wait:
        controller.wait(20)


def made(controller: Any, model: str) -> Any:
    """What a model made of the clicks of a flat image."""
    plane = controller.session.current.plane((None, None))
    return controller.context.work.predictions.get(plane, model)


# layers


def test_choosing_an_image_adds_four_layers_that_lie_where_it_lies(
    model: Any, controller: Any
) -> None:
    layer = model.add_image(
        np.zeros((3, 8, 9)),
        scale=(1, 0.5, 0.25),
        translate=(4, 5, 6),
        rotate=np.eye(3),
        shear=(0.1, 0.2, 0.3),
        affine=np.diag([1, 2, 3, 1]),
        units=("um", "um", "um"),
        axis_labels=("z", "y", "x"),
    )
    controller.set_image_layer(layer, look=False)
    ours = [
        controller.foreground_layer,
        controller.background_layer,
        controller.preview_layer,
        controller.objects_layer,
    ]
    assert len(model.layers) == 5
    assert model.layers.selection.active == layer
    for one in ours:
        for name in PLACEMENT:
            assert np.array_equal(np.asarray(getattr(one, name)), np.asarray(getattr(layer, name)))
    layer.scale = (2, 1, 1)
    layer.translate = (0, 0, 1)
    for one in ours:
        assert tuple(one.scale) == (2, 1, 1)
        assert tuple(one.translate) == (0, 0, 1)


def test_the_objects_layer_holds_more_than_255_ids(controller: Any, image: Any) -> None:
    assert controller.objects_layer.data.dtype == np.uint16
    assert controller.objects_layer.data.shape == SHAPE


# clicks


def test_a_click_gives_a_mask_in_the_preview_and_a_point(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
    assert len(controller.background_layer.data) == 0
    assert untimed(controller.state.status) == "object 1 · 1 FG · TIME · every click obeyed"
    click(controller, 20, 32, False)
    assert np.allclose(controller.background_layer.data, [[20, 32]])
    assert (
        untimed(controller.state.status)
        == "object 1 · 1 FG, 1 BG · TIME · 1 of 2 clicks not obeyed"
    )
    assert fake.predicted == [
        (Click(20, 30),),
        (Click(20, 30), Click(20, 32, False)),
    ]


def test_the_second_click_starts_from_the_first_mask(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    click(controller, 22, 30)
    assert fake.starts[0] is None
    assert fake.starts[1].clicks == (Click(20, 30),)


@pytest.mark.parametrize("place", [(-0.6, 3), (47.6, 3), (3, 63.6), (3, -7)])
def test_a_click_outside_is_not_added_and_says_so(
    place: tuple[float, float], controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    assert not controller.add_click(*place)
    assert controller.state.status == "outside the image; nothing was added"
    assert len(controller.foreground_layer.data) == 0
    assert not fake.predicted


def test_both_signs_on_one_pixel_are_refused_with_the_reason(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    assert not controller.add_click(20, 30, False)
    assert "foreground and as background" in controller.state.status
    assert len(controller.background_layer.data) == 0


def test_without_run_on_click_nothing_is_computed_until_segment(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    controller.set(run_on_click=False)
    controller.segment()
    assert controller.state.status == "click on an object first"
    click(controller, 20, 30)
    click(controller, 24, 30)
    assert not fake.predicted
    controller.segment()
    controller.wait(20)
    assert fake.predicted == [(Click(20, 30), Click(24, 30))]


def test_points_added_moved_and_deleted_with_naparis_own_tools_count(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    controller.foreground_layer.add([[20, 30]])
    controller.wait(20)
    assert fake.predicted[-1] == (Click(20, 30),)
    controller.background_layer.add([[30, 40]])
    controller.wait(20)
    assert fake.predicted[-1] == (Click(20, 30), Click(30, 40, False))
    controller.foreground_layer.data = [[25, 30]]
    controller.wait(20)
    assert set(fake.predicted[-1]) == {Click(25, 30), Click(30, 40, False)}
    # A moved point must not keep pulling at the mask from where it was.
    assert fake.starts[-1] is None
    controller.background_layer.selected_data = {0}
    controller.background_layer.remove_selected()
    controller.wait(20)
    assert fake.predicted[-1] == (Click(25, 30),)
    runs = len(fake.predicted)
    controller.undo()
    controller.undo()
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
    assert np.allclose(controller.background_layer.data, [[30, 40]])
    assert len(fake.predicted) == runs


def test_a_point_put_outside_the_image_does_not_stay(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    controller.foreground_layer.add([[20, 99]])
    assert "outside the image" in controller.state.status
    settle()
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])


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


# undo and redo


def test_undo_and_redo_of_clicks_and_commits_compute_nothing(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    click(controller, 24, 30)
    controller.commit()
    click(controller, 40, 55)
    runs = len(fake.predicted)
    objects, preview = controller.objects_layer, controller.preview_layer
    controller.undo()
    assert not preview.data.any()
    controller.undo()
    assert not objects.data.any()
    assert np.array_equal(preview.data != 0, disc(20, 30) | disc(24, 30))
    assert controller.state.label == 1
    controller.undo()
    assert np.array_equal(preview.data != 0, disc(20, 30))
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
    for _ in range(3):
        controller.redo()
    assert np.array_equal(objects.data == 1, disc(20, 30) | disc(24, 30))
    assert np.array_equal(preview.data != 0, disc(40, 55))
    assert len(fake.predicted) == runs
    # The warm start came back too.
    controller.undo()
    controller.undo()
    click(controller, 22, 34)
    assert fake.starts[-1].clicks == (Click(20, 30), Click(24, 30))


def test_naparis_own_undo_takes_a_commit_back(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    controller.commit()
    controller.objects_layer.undo()
    assert not controller.objects_layer.data.any()
    controller.undo()
    assert not controller.objects_layer.data.any()
    assert controller.state.has_clicks


def test_undo_leaves_pixels_alone_that_others_wrote_since(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    controller.commit()
    controller.objects_layer.data_setitem((np.array([20]), np.array([30])), 9)
    controller.undo()
    assert controller.objects_layer.data.sum() == 9


# switching


def test_switching_images_loses_nothing(model: Any, controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    other = model.add_image(np.zeros((30, 30)), name="other")
    controller.set_image_layer(other, look=False)
    assert not controller.state.has_clicks
    click(controller, 5, 5)
    controller.set_image_layer(image)
    controller.wait(20)
    assert len(model.layers) == 10
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
    assert controller.foreground_layer.visible
    controller.undo()
    assert not controller.state.has_clicks
    controller.set_image_layer(other)
    controller.wait(20)
    assert np.allclose(controller.foreground_layer.data, [[5, 5]])


def test_switching_models_keeps_clicks_and_each_models_masks(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    controller.set(model="brs-densenet")
    controller.wait(20)
    assert [made.model for made in fake.made] == ["brs-live", "brs-densenet"]
    assert fake.predicted == [(Click(20, 30),)] * 2
    controller.set(model="brs-live")
    controller.wait(20)
    assert len(fake.predicted) == 2
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    assert len(fake.made) == 2


def test_the_threshold_is_used_and_changing_it_segments_again(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    controller.set(threshold=0.95)
    controller.wait(20)
    assert not controller.preview_layer.data.any()
    controller.set(threshold=0.5)
    controller.wait(20)
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))


def test_closing_and_opening_the_dock_loses_nothing(
    model: Any, controller: Any, image: Any
) -> None:
    from napari_brs.plugin.controller import Controller

    click(controller, 20, 30)
    controller.close()
    for callbacks in (model.mouse_drag_callbacks, model.mouse_move_callbacks):
        assert all(call.__module__.startswith("napari.") for call in callbacks)
    assert not any(model.keymap.values())
    again = Controller(model)
    again.set_image_layer(image, look=False)
    assert len(model.layers) == 5
    assert again.state.has_clicks
    again.undo()
    assert not again.state.has_clicks
    again.close()


def test_two_viewers_have_nothing_in_common(fake: Any, controller: Any, image: Any) -> None:
    from napari.components import ViewerModel

    from napari_brs.plugin.controller import Controller

    other = Controller(ViewerModel())
    other.set_image_layer(other.viewer.add_image(np.zeros(SHAPE)), look=False)
    click(controller, 20, 30)
    assert not other.state.has_clicks
    click(other, 5, 5)
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
    other.close()


def test_a_removed_image_is_forgotten(model: Any, controller: Any, image: Any) -> None:
    from napari_brs.plugin.layers.kept import workspaces

    click(controller, 20, 30)
    assert list(workspaces(model)) == [controller.context.work]
    model.layers.remove(image)
    assert not list(workspaces(model))


# stacks


def test_slices_are_segmented_one_by_one_in_pixels_whatever_the_scale(
    model: Any, controller: Any, stack: Any, fake: type[FakeSegmenter]
) -> None:
    assert controller.state.position == (3, None, None)
    # World (12, 24) is pixel (4, 16): translated by (10, 20), scaled by (0.5, 0.25).
    controller.clicking.click_at((7, 12, 24), False)
    controller.wait(20)
    assert fake.predicted == [(Click(4, 16),)]
    assert fake.images[-1][0].shape == SHAPE
    assert np.array_equal(controller.preview_layer.data[3] != 0, disc(4, 16))
    assert not controller.preview_layer.data[[0, 1, 2, 4]].any()
    assert np.allclose(controller.foreground_layer.data, [[3, 4, 16]])
    controller.commit()
    model.dims.set_point(0, 1)
    assert controller.state.position == (0, None, None)
    click(controller, 30, 40)
    controller.commit()
    assert np.array_equal(controller.objects_layer.data[3], disc(4, 16))
    assert np.array_equal(controller.objects_layer.data[0] == 2, disc(30, 40))


def test_one_object_may_have_clicks_in_several_slices(
    model: Any, controller: Any, stack: Any
) -> None:
    click(controller, 20, 30)
    model.dims.set_point(0, 1 + 2 * 4)
    click(controller, 22, 30)
    assert np.allclose(controller.foreground_layer.data, [[3, 20, 30], [4, 22, 30]])
    assert controller.commit() == 1
    assert np.array_equal(controller.objects_layer.data[3] == 1, disc(20, 30))
    assert np.array_equal(controller.objects_layer.data[4] == 1, disc(22, 30))
    # One step of napari's undo as well.
    controller.objects_layer.undo()
    assert not controller.objects_layer.data.any()


def test_undo_shows_the_slice_in_which_something_changed(
    model: Any, controller: Any, stack: Any
) -> None:
    click(controller, 20, 30)
    model.dims.set_point(0, 1)
    controller.undo()
    assert controller.state.position == (3, None, None)


def test_slices_keep_their_clicks(model: Any, controller: Any, stack: Any, fake: Any) -> None:
    click(controller, 20, 30)
    model.dims.set_point(0, 1)
    assert not controller.state.has_clicks
    assert controller.state.status.startswith("object 1 · no clicks")
    model.dims.set_point(0, 1 + 2 * 3)
    assert controller.state.has_clicks
    assert untimed(controller.state.status) == "object 1 · 1 FG · TIME · every click obeyed"
    assert len(fake.predicted) == 1


@pytest.mark.parametrize(
    ("order", "position", "shape"),
    [
        ((1, 0, 2), (None, 7, None), (5, 64)),
        ((2, 0, 1), (None, None, 9), (5, 48)),
        ((0, 2, 1), (3, None, None), (48, 64)),
    ],
)
def test_any_two_axes_can_be_on_display(
    order: tuple[int, ...],
    position: tuple,
    shape: tuple[int, int],
    model: Any,
    controller: Any,
    stack: Any,
    fake: Any,
) -> None:
    model.dims.order = order
    model.dims.set_point(1, 10 + 0.5 * 7)
    model.dims.set_point(2, 20 + 0.25 * 9)
    assert controller.state.position == position
    click(controller, 2, 30)
    index = tuple(slice(None) if i is None else i for i in position)
    assert fake.images[-1][0].shape == shape
    assert np.array_equal(controller.preview_layer.data[index] != 0, disc(2, 30, shape))
    assert controller.preview_layer.data.sum() == disc(2, 30, shape).sum()
    controller.commit()
    assert np.array_equal(controller.objects_layer.data[index] == 1, disc(2, 30, shape))


def test_four_dimensions_work_too(model: Any, controller: Any, fake: Any) -> None:
    layer = model.add_image(np.zeros((2, 3, *SHAPE), np.uint8))
    controller.set_image_layer(layer, look=False)
    model.dims.set_point((0, 1), (1, 2))
    click(controller, 20, 30)
    controller.commit()
    assert np.array_equal(controller.objects_layer.data[1, 2] == 1, disc(20, 30))
    assert controller.objects_layer.data.sum() == disc(20, 30).sum()


def test_a_flat_image_in_a_viewer_with_a_stack_works(model: Any, controller: Any) -> None:
    model.add_image(np.zeros((4, *SHAPE)))
    flat = model.add_image(np.zeros(SHAPE))
    controller.set_image_layer(flat, look=False)
    assert controller.state.position == (None, None)
    click(controller, 20, 30)
    controller.clicking.click_at((2, 30, 40), False)
    controller.wait(20)
    assert np.allclose(controller.foreground_layer.data, [[20, 30], [30, 40]])
    model.dims.order = (1, 0, 2)
    assert not controller.add_click(1, 1)
    assert controller.state.status == "the view shows axes that this image does not have"


def test_beyond_the_image_there_is_no_plane(model: Any, controller: Any, stack: Any) -> None:
    model.add_image(np.zeros((50, *SHAPE)))
    model.dims.set_point(0, 40)
    assert controller.state.problems == {"image": "the image ends before this slice"}
    assert not controller.add_click(1, 1)


def test_in_3d_nothing_is_clicked_and_the_reason_is_given(
    model: Any, controller: Any, stack: Any
) -> None:
    model.dims.ndisplay = 3
    assert "leave the 3D view" in controller.state.status
    assert not controller.add_click(1, 1)
    model.dims.ndisplay = 2
    click(controller, 1, 1)


# images as people have them


def test_lazy_images_are_read_only_where_they_are_looked_at(
    model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    import dask.array as da

    read: list[Any] = []

    def block(block_info: Any = None) -> np.ndarray:
        read.append(block_info[None]["chunk-location"])
        return np.ones((1, 48, 64), np.uint8)

    lazy = da.map_blocks(block, chunks=((1,) * 6, (48,), (64,)), dtype=np.uint8, meta=np.zeros(0))
    layer = model.add_image(lazy, contrast_limits=(0, 1), multiscale=False)
    controller.set_image_layer(layer, look=False)
    model.dims.set_point(0, 4)
    read.clear()
    click(controller, 20, 30)
    plane = fake.images[-1][0]
    assert plane.shape == SHAPE
    assert {location[0] for location in read} <= {4}
    assert np.asarray(plane[3:5, 6:8]).shape == (2, 2)
    assert {location[0] for location in read} == {4}


def test_multiscale_images_are_segmented_at_full_resolution(
    model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    full = np.zeros(SHAPE, np.uint8)
    layer = model.add_image([full, full[::2, ::2]], multiscale=True)
    controller.set_image_layer(layer, look=False)
    click(controller, 20, 30)
    assert fake.images[-1][0].shape == SHAPE
    assert controller.objects_layer.data.shape == SHAPE


def test_colour_images_keep_their_channels_and_have_flat_labels(
    model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    layer = model.add_image(np.zeros((*SHAPE, 3), np.uint8), rgb=True)
    controller.set_image_layer(layer, look=False)
    click(controller, 20, 30)
    pixels, limits = fake.images[-1]
    assert pixels.shape == (*SHAPE, 3)
    assert limits is None
    assert controller.objects_layer.data.shape == SHAPE


def test_contrast_limits_of_the_layer_are_what_the_network_sees(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    image.contrast_limits = (100, 900)
    click(controller, 20, 30)
    assert fake.images[-1][1] == (100, 900)
    assert controller.session.contrast_limits == (100, 900)
    click(controller, 21, 30)
    assert len(fake.images) == 1
    image.contrast_limits = (0, 500)
    click(controller, 22, 30)
    assert fake.images[-1][1] == (0, 500)


def test_new_pixels_are_read_again(controller: Any, image: Any, fake: Any) -> None:
    click(controller, 20, 30)
    image.data = np.ones(SHAPE, np.uint16)
    click(controller, 21, 30)
    assert fake.images[-1][0].max() == 1


def test_an_image_that_changes_its_shape_begins_anew(
    model: Any, controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    image.data = np.zeros((20, 20), np.uint16)
    controller.wait(20)
    assert controller.preview_layer.data.shape == (20, 20)
    click(controller, 5, 5)


# running


def test_features_are_computed_in_the_background_when_an_image_is_chosen(
    model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    layer = model.add_image(np.zeros(SHAPE))
    controller.set_image_layer(layer)
    controller.wait(20)
    assert fake.encoded == 1
    assert not fake.predicted
    click(controller, 20, 30)
    assert len(fake.images) == 1


def test_everything_is_computed_off_the_main_thread(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    assert fake.threads
    assert threading.get_ident() not in fake.threads


def test_the_mask_is_shown_after_the_forward_pass_already(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    seen = []
    controller.changed.connect(
        lambda: seen.append((controller.jobs.busy, bool(controller.preview_layer.data.any())))
    )
    click(controller, 20, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    assert (True, True) in seen
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    fake.held.clear()
    controller.wait(20)


def test_a_new_click_stops_the_running_one_and_wins(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    while not fake.predicted:
        QApplication.processEvents()
    click(controller, 24, 30, wait=False)
    click(controller, 28, 30, wait=False)
    fake.held.clear()
    controller.wait(20)
    # The second click never ran alone; the third has all of them, and starts from the first.
    assert [len(made) for made in fake.predicted] == [1, 3]
    assert fake.starts[-1].clicks == (Click(20, 30),)
    expected = disc(20, 30) | disc(24, 30) | disc(28, 30)
    assert np.array_equal(controller.preview_layer.data != 0, expected)
    assert untimed(controller.state.status) == "object 1 · 3 FG · TIME · every click obeyed"


def test_a_mask_goes_to_the_slice_that_was_clicked_wherever_one_has_gone(
    model: Any, controller: Any, stack: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    model.dims.set_point(0, 1)
    fake.held.clear()
    controller.wait(20)
    assert np.array_equal(controller.preview_layer.data[3] != 0, disc(20, 30))
    assert controller.preview_layer.data.sum() == disc(20, 30).sum()
    assert controller.state.status.startswith("object 1 · no clicks")


def test_a_result_that_comes_after_its_click_was_undone_is_not_shown(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    fake.held.set()
    click(controller, 24, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    controller.undo()
    controller.wait(20)
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    # It is not lost either.
    controller.redo()
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30) | disc(24, 30))
    assert len(fake.predicted) == 2


def test_the_next_object_does_not_get_the_mask_of_the_one_before(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    assert controller.commit() == 1
    fake.held.clear()
    click(controller, 20, 30)
    assert fake.starts[-1] is None
    assert np.array_equal(controller.objects_layer.data == 1, disc(20, 30))


def test_cancel_stops_soon_and_keeps_the_best_mask(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    controller.cancel()
    controller.wait(1.0)
    assert controller.state.status.endswith("cancelled; this is the best mask so far")
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    prediction = made(controller, "brs-live").prediction
    assert prediction.refinement is not None


@pytest.mark.parametrize(
    "victim",
    ["image", "foreground_layer", "background_layer", "preview_layer", "objects_layer", "all"],
)
def test_a_layer_deleted_during_a_run_does_no_harm(
    victim: str, model: Any, controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 10, 10)
    controller.commit()
    objects = controller.objects_layer
    fake.held.set()
    click(controller, 35, 50, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    if victim == "all":
        model.layers.clear()
    else:
        model.layers.remove(getattr(controller, victim))
    fake.held.clear()
    controller.wait(20)
    settle()
    assert np.array_equal(objects.data == 1, disc(10, 10))
    if victim == "image":
        assert list(model.layers) == [objects]
        assert controller.state.status == "open an image and choose it above"
        return
    if victim == "all":
        assert not model.layers
        return
    # What is missing comes back when it is needed; nothing that was clicked is lost.
    click(controller, 35, 46)
    assert len(model.layers) == 5
    assert len(controller.foreground_layer.data) == 2
    assert np.array_equal(controller.preview_layer.data != 0, disc(35, 50) | disc(35, 46))
    controller.commit()
    assert (controller.objects_layer.data == 2).sum() == (disc(35, 50) | disc(35, 46)).sum()


def test_closing_during_a_run_does_no_harm(
    model: Any, controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 35, 50, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    controller.close()
    controller.wait(5)
    assert len(model.layers) == 5


def test_a_failure_is_said_and_the_next_click_works(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.error = ValueError("the weights are damaged")
    click(controller, 20, 30)
    assert controller.state.status == "the weights are damaged"
    fake.error = None
    click(controller, 22, 30)
    assert untimed(controller.state.status) == "object 1 · 2 FG · TIME · every click obeyed"


def test_an_unforeseen_failure_is_shown_by_napari_and_ends_the_run(
    controller: Any, image: Any, fake: type[FakeSegmenter], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.utils.notifications import notification_manager

    told: list[Any] = []
    monkeypatch.setattr(notification_manager, "receive_error", lambda *args: told.append(args))
    fake.error = RuntimeError("CUDA error")
    click(controller, 20, 30)
    assert told[0][0] is RuntimeError
    assert not controller.jobs.busy
    fake.error = None
    click(controller, 22, 30)
    assert untimed(controller.state.status) == "object 1 · 2 FG · TIME · every click obeyed"


def test_a_device_that_is_not_there_is_named_until_another_is_chosen(
    controller: Any, image: Any
) -> None:
    controller.set(device="cuda")
    controller.wait(20)
    assert controller.state.problems == {"device": "no device 'cuda' here; allowed are auto, cpu"}
    assert controller.state.status == "no device 'cuda' here; allowed are auto, cpu"
    controller.set(device="cpu")
    click(controller, 20, 30)
    assert not controller.state.problems


def test_a_model_without_weights_says_so_and_runs_nothing(
    controller: Any, image: Any, fake: type[FakeSegmenter], monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_brs.models

    monkeypatch.setattr(napari_brs.models.ModelInfo, "available", False)
    click(controller, 20, 30)
    controller.segment()
    controller.wait(20)
    assert controller.state.problems == {"model": "no weights for brs-live are installed"}
    assert not fake.made


def test_the_fake_is_not_the_judge(fake: type[FakeSegmenter]) -> None:
    """Its discs are what these tests say they are."""
    assert disc(20, 30).sum() == sum(
        (r - 20) ** 2 + (c - 30) ** 2 <= RADIUS**2 for r in range(48) for c in range(64)
    )


def test_labels_are_a_plain_napari_layer(controller: Any, image: Any) -> None:
    assert type(controller.objects_layer) is Labels


@pytest.mark.parametrize("seed", range(6))
def test_whatever_people_do_layers_show_the_session_and_undo_redo_are_exact(
    seed: int, model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    random = np.random.default_rng(seed)
    images = [
        model.add_image(np.zeros((3, 20, 24), np.uint8)),
        model.add_image(np.zeros((20, 24), np.uint16)),
    ]
    controller.set_image_layer(images[0], look=False)

    def add(positive: bool) -> None:
        shape = (20, 24)
        if "image" not in controller.state.problems:
            shape = controller.session.plane_shape(controller.state.position)
        controller.add_click(*(random.uniform(-1, size) for size in shape), positive)

    def paint() -> None:
        rows, columns = random.integers(0, 20, (2, 5))
        if "image" in controller.state.problems:
            return
        index = list(controller.state.position)
        free = [axis for axis, at in enumerate(index) if at is None]
        full = [np.full(5, 0 if at is None else at) for at in index]
        full[free[0]] = rows % controller.session.shape[free[0]]
        full[free[1]] = columns % controller.session.shape[free[1]]
        controller.preview_layer.data_setitem(tuple(full), int(random.integers(0, 2)))

    def move_point() -> None:
        layer = controller.foreground_layer
        if len(layer.data):
            data = np.array(layer.data)
            data[0, -2:] = random.uniform(0, 19, 2)
            layer.data = data

    def open_any() -> None:
        controller.open_object(int(random.choice([o.key for o in controller.session.objects])))

    def reopen() -> None:
        model.cursor.position = (*model.dims.point[:-2], *random.uniform(0, 20, 2))
        controller.reopen_under_cursor()

    def delete() -> None:
        model.cursor.position = (*model.dims.point[:-2], *random.uniform(0, 20, 2))
        controller.delete()

    def remove_layer() -> None:
        layer = random.choice([controller.foreground_layer, controller.preview_layer])
        if layer is not None and random.random() < 0.3:
            model.layers.remove(layer)
            controller.context.make_layers()
            controller.context.refresh()

    actions = [
        *[lambda: add(True)] * 6,
        *[lambda: add(False)] * 3,
        *[controller.undo] * 3,
        *[controller.redo] * 2,
        *[controller.commit] * 3,
        controller.new_object,
        controller.clear,
        controller.segment,
        paint,
        move_point,
        open_any,
        reopen,
        delete,
        remove_layer,
        lambda: controller.set(overwrite=bool(random.integers(2))),
        lambda: controller.set(model=str(random.choice(["brs-live", "brs-densenet"]))),
        lambda: controller.set_image_layer(images[random.integers(2)]),
        lambda: model.dims.set_point(0, int(random.integers(3))),
        lambda: setattr(model.dims, "order", [(0, 1, 2), (1, 0, 2), (0, 2, 1)][random.integers(3)]),
    ]

    def check() -> None:
        session = controller.session
        expected = np.zeros(session.shape, bool)
        for position, shown in controller.context.work.shown(session.current).items():
            mask = shown_mask(shown, session.plane_shape(position))
            expected[plane_index(position)] |= mask.full()
        assert np.array_equal(controller.preview_layer.data != 0, expected)
        if "image" not in controller.state.problems:
            along = [index is None for index in controller.state.position]
            clicks = [
                click
                for position, plane in session.current.planes.items()
                if [index is None for index in position] == along
                for click in plane.clicks
            ]
            shown = len(controller.foreground_layer.data) + len(controller.background_layer.data)
            assert shown == len(clicks)
        labels = [found.label for found in session.objects if found.label is not None]
        assert len(labels) == len(set(labels))

    for _ in range(60):
        actions[random.integers(len(actions))]()
        if random.random() < 0.8:
            controller.wait(20)
        settle()
        check()
    controller.wait(20)
    settle()
    runs = len(fake.predicted)
    objects, preview = controller.objects_layer.data.copy(), controller.preview_layer.data.copy()
    steps = 0
    while controller.session.can_undo:
        controller.undo()
        check()
        steps += 1
    assert controller.session.current.empty
    for _ in range(steps):
        controller.redo()
    assert np.array_equal(controller.objects_layer.data, objects)
    assert np.array_equal(controller.preview_layer.data, preview)
    assert len(fake.predicted) == runs


# pixels that change in place


def test_pixels_changed_in_place_are_read_again_at_the_next_click(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    click(controller, 21, 30)
    assert len(fake.images) == 1
    image.data[10:20, 10:20] = 60_000
    click(controller, 22, 30)
    assert len(fake.images) == 2


def test_after_a_refresh_the_features_of_new_pixels_are_computed(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    encoded = fake.encoded
    image.refresh()
    pause(0.5)
    assert fake.encoded == encoded
    image.data[10:20, 10:20] = 60_000
    image.refresh()
    pause(0.5)
    controller.wait(20)
    assert fake.encoded == encoded + 1
    assert len(fake.images) == 2


# undo over the objects layer


def test_undo_in_the_objects_layer_goes_back_in_the_order_things_were_done(
    controller: Any, image: Any
) -> None:
    objects = controller.objects_layer
    corner = (np.array([0]), np.array([0]))
    click(controller, 20, 30)
    objects.data_setitem(corner, 5)
    click(controller, 24, 30)
    objects.data_setitem(corner, 6)
    seen = []
    for _ in range(4):
        controller.history.undo_in_objects()
        clicks = len(controller.session.current.plane((None, None)).clicks)
        seen.append((int(objects.data[0, 0]), clicks))
    assert seen == [(5, 2), (5, 1), (0, 1), (0, 0)]
    for expected in [(0, 1), (5, 1), (5, 2), (6, 2)]:
        controller.history.redo_in_objects()
        clicks = len(controller.session.current.plane((None, None)).clicks)
        assert (int(objects.data[0, 0]), clicks) == expected


def test_undo_in_the_objects_layer_never_brings_back_what_undo_took(
    controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    controller.commit()
    for _ in range(5):
        controller.history.undo_in_objects()
    assert not controller.objects_layer.data.any()
    controller.history.redo_in_objects()
    controller.history.redo_in_objects()
    assert np.array_equal(controller.objects_layer.data == 1, disc(20, 30))


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


# the time that is told


def test_the_time_told_is_what_the_user_waited_for(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    pause(0.4)
    fake.held.clear()
    controller.wait(20)
    waited = made(controller, "brs-live").waited
    assert 0.4 < waited < 20
    assert (
        f"{waited * 1000:.0f} ms" in controller.state.status
        or f"{waited:.1f} s" in controller.state.status
    )
