"""Images, models and slices that are switched: no window, and a segmenter that draws discs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import FakeSegmenter, untimed
from plugin_hands import SHAPE, click, disc

pytest.importorskip("napari")


from napari_brs.clicks import Click
from napari_brs.plugin.layers.placement import PLACEMENT

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
