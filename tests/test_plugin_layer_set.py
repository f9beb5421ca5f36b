"""The four layers of an image when something else removes, reshapes or covers them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from plugin_hands import SHAPE, click, disc, settle

SHAPES = [(20, 30), (3, *SHAPE)]


@pytest.fixture
def image(model: Any, controller: Any) -> Any:
    layer = model.add_image(np.zeros(SHAPE, np.uint16), name="cells")
    controller.set_image_layer(layer, look=False)
    return layer


@pytest.mark.parametrize("run", [True, False])
@pytest.mark.parametrize("sign", ["foreground", "background"])
def test_points_drawn_by_hand_count_with_the_other_points_layer_deleted(
    run: bool, sign: str, model: Any, controller: Any, image: Any
) -> None:
    click(controller, 10, 10)
    click(controller, 40, 10, False)
    controller.set(run_on_click=run)
    other = "background" if sign == "foreground" else "foreground"
    model.layers.remove(getattr(controller, f"{other}_layer"))
    layer = getattr(controller, f"{sign}_layer")
    layer.add([[20, 30]])
    controller.wait(20)
    settle()
    clicks = controller.session.current.plane((None, None)).clicks
    assert [(c.row, c.column, c.positive) for c in clicks] == [
        (10, 10, True),
        (40, 10, False),
        (20, 30, sign == "foreground"),
    ]
    assert len(layer.data) == 2
    # A click on the canvas brings the other layer back, with its own clicks.
    click(controller, 30, 50)
    assert len(controller.foreground_layer.data) + len(controller.background_layer.data) == 4


@pytest.mark.parametrize("shape", SHAPES)
def test_an_objects_layer_of_another_shape_stays_as_it_is_and_a_new_one_is_made(
    shape: tuple[int, ...], model: Any, controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    controller.commit()
    reshaped = controller.objects_layer
    reshaped.data = np.full(shape, 9, np.uint16)
    assert controller.objects_layer is None
    assert controller.state.status.startswith("objects · cells has another shape now")
    image.scale = (2, 3)
    controller.undo()
    controller.redo()
    assert (reshaped.data == 9).all()
    click(controller, 40, 50)
    assert controller.commit() == 2
    assert controller.objects_layer is not reshaped
    assert np.array_equal(controller.objects_layer.data == 2, disc(40, 50))
    assert (reshaped.data == 9).all()
    assert reshaped in model.layers


@pytest.mark.parametrize("shape", SHAPES)
def test_a_preview_of_another_shape_stays_as_it_is_and_a_new_one_is_made(
    shape: tuple[int, ...], model: Any, controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    reshaped = controller.preview_layer
    reshaped.data = np.ones(shape, np.uint8)
    assert "another shape" in controller.state.status
    image.scale = (2, 3)
    controller.undo()
    controller.redo()
    click(controller, 20, 33)
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30) | disc(20, 33))
    assert reshaped.data.all()


def test_helpers_of_another_image_are_not_offered_for_objects(
    model: Any, controller: Any, image: Any
) -> None:
    preview = controller.preview_layer
    controller.set_image_layer(model.add_image(np.zeros(SHAPE)), look=False)
    assert not controller.context.can_be_objects(preview)
    assert not controller.context.can_be_objects(controller.preview_layer)
    with pytest.raises(ValueError, match="choose another objects layer"):
        controller.set_objects_layer(preview)
    assert controller.context.can_be_objects(model.add_labels(np.zeros(SHAPE, int)))


def test_labels_that_are_taken_over_hide_neither_preview_nor_clicks(
    model: Any, controller: Any, image: Any
) -> None:
    labels = model.add_labels(np.full(SHAPE, 7, np.uint16), name="loaded")
    controller.set_objects_layer(labels)
    above = list(model.layers)[list(model.layers).index(labels) + 1 :]
    assert above == [
        controller.preview_layer,
        controller.background_layer,
        controller.foreground_layer,
    ]
    model.cursor.position = (20, 30)
    controller.reopen_under_cursor()
    assert controller.state.status == "object 7 opened; click to correct it"
    controller.context.say("")
    assert controller.state.status == "object 7 · no clicks · click to correct it"


def test_objects_made_anew_lie_below_preview_and_clicks(
    model: Any, controller: Any, image: Any
) -> None:
    model.layers.remove(controller.objects_layer)
    click(controller, 20, 30)
    layers = list(model.layers)
    assert layers.index(controller.objects_layer) < layers.index(controller.preview_layer)
