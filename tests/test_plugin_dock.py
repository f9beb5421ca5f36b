"""The dock in a real napari window, with mouse and keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from conftest import User
from fakes import FakeSegmenter, discs, untimed

pytest.importorskip("napari")

from qtpy.QtWidgets import QScrollArea, QToolButton, QWidget

from napari_brs.clicks import Click
from napari_brs.plugin.offer import MORE
from napari_brs.plugin.sections.frames_section import Strip
from napari_brs.plugin.text import CONTROLS, MESSAGES

SHAPE = (512, 512)
BESIDE = ("status", "show_keys")
"""Controls that stand below the sections."""


def disc(row: float, column: float, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return discs(shape, [Click(row, column)])


def points(layer: Any) -> np.ndarray:
    return np.round(np.asarray(layer.data)).astype(int)


def test_a_cell_is_clicked_committed_saved_and_read_back(
    viewer: Any, user: User, fake: type[FakeSegmenter], open_dock: Any, tmp_path: Path
) -> None:
    (image,) = viewer.open_sample("napari-brs", "phase_contrast")
    dock = open_dock()
    controller = dock.controller
    assert dock.controls["image"].value == image
    assert len(viewer.layers) == 5
    user.wait(0.1)

    user.click((200, 300))
    controller.wait(20)
    row, column = points(controller.foreground_layer)[0]
    assert abs(row - 200) <= 2
    assert abs(column - 300) <= 2
    first = controller.foreground_layer.data[0]
    assert np.array_equal(controller.preview_layer.data != 0, disc(*first))
    assert untimed(dock.status.text()) == "object 1 · 1 FG · TIME · every click obeyed"

    # A background click by each way, on the image as on any of our layers.
    user.click((200, 309), key="shift")
    viewer.layers.selection.active = controller.preview_layer
    user.click((200, 291), button="right")
    user.press("T")
    viewer.layers.selection.active = controller.objects_layer
    user.click((209, 300))
    controller.wait(20)
    assert len(controller.foreground_layer.data) == 1
    assert len(controller.background_layer.data) == 3
    assert dock.controls["sign"].value == "background"
    user.press("T")

    # A drag moves the image, and clicks nothing.
    centre = viewer.scene.camera.center
    user.drag((300, 300), 60)
    assert viewer.scene.camera.center != centre
    assert len(fake.predicted) == 4

    # Beside the image there is nothing to click on.
    user.click((530, 200))
    assert dock.status.text() == "outside the image; nothing was added"
    assert len(fake.predicted) == 4

    mask = controller.preview_layer.data != 0
    user.press("D")
    assert dock.status.text() == "object 1 committed; click on the next one"
    user.click((400, 400))
    controller.wait(20)
    second = controller.preview_layer.data != 0
    dock.controls["commit"].native.click()
    path = tmp_path / "labels.tif"
    viewer.layers.selection = {controller.objects_layer}
    assert viewer.layers.save(str(path), selected=True) == [str(path)]
    labels = tifffile.imread(path)
    assert labels.dtype.itemsize > 1
    assert np.array_equal(labels == 1, mask)
    assert np.array_equal(labels == 2, second)
    assert labels.max() == 2


def test_a_scaled_stack_is_clicked_where_the_mouse_is(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    data = np.zeros((4, 100, 200), np.uint16)
    viewer.add_image(data, scale=(1, 0.5, 0.25), translate=(0, 3, 7))
    user.wait_for(lambda: dock.controller.image is not None)
    controller = dock.controller
    viewer.fit_to_view()
    viewer.dims.set_point(0, 2)
    user.wait(0.1)
    user.click((3 + 0.5 * 60, 7 + 0.25 * 120))
    controller.wait(20)
    z, row, column = points(controller.foreground_layer)[0]
    assert z == 2
    assert abs(row - 60) <= 1
    assert abs(column - 120) <= 1
    at = controller.foreground_layer.data[0, 1:]
    assert np.array_equal(controller.preview_layer.data[2] != 0, disc(*at, (100, 200)))
    controller.commit()
    assert set(np.unique(np.nonzero(controller.objects_layer.data)[0])) == {2}


def test_naparis_own_tools_and_ours_do_not_meet(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    viewer.add_image(np.zeros((100, 100)))
    controller = dock.controller
    user.wait_for(lambda: controller.image is not None)
    viewer.fit_to_view()
    user.wait(0.1)
    # napari's tool for adding points adds one point, not two.
    viewer.layers.selection.active = controller.background_layer
    controller.background_layer.mode = "add"
    user.click((20, 20))
    controller.wait(20)
    assert len(controller.background_layer.data) == 1
    assert len(controller.foreground_layer.data) == 0
    assert not controller.settings.positive
    controller.background_layer.mode = "pan_zoom"
    user.click((20, 60))
    controller.wait(20)
    assert len(controller.background_layer.data) == 2
    # A brush paints, and undo takes the stroke back as a step of its own.
    viewer.layers.selection.active = controller.preview_layer
    controller.preview_layer.mode = "paint"
    user.click((70, 70))
    assert controller.preview_layer.data[70, 70]
    assert len(fake.predicted) == 2
    assert dock.status.text().endswith("mask edited by hand")
    user.press("Z", "Control")
    assert not controller.preview_layer.data[70, 70]
    assert len(controller.background_layer.data) == 2
    user.press("Z", "Control+Shift")
    assert controller.preview_layer.data[70, 70]
    # Where somebody else's layer is active, a click is not ours.
    shapes = viewer.add_shapes(ndim=2)
    shapes.mode = "pan_zoom"
    user.click((40, 40))
    assert len(fake.predicted) == 2
    assert dock.status.text() == "select the image in the layer list to click on it"
    # A second channel on top is an image, too: people click on what they see.
    viewer.add_image(np.zeros((100, 100)), blending="additive")
    user.click((40, 40))
    controller.wait(20)
    assert len(fake.predicted) == 3


def test_every_control_says_what_it_does_and_what_is_wrong(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    for name in CONTROLS:
        if name == "frames":
            widget = dock.findChild(Strip)
        else:
            widget = getattr(dock, name) if name in BESIDE else dock.controls[name].native
        parts = [widget, *widget.findChildren(QWidget)]
        assert any(part.toolTip() for part in parts), name
    assert dock.status.text() == "open an image and choose it above"
    assert dock.controls["image"].tooltip == dock.status.text()
    assert not dock.controls["segment"].enabled
    assert not dock.controls["commit"].enabled
    stack = viewer.add_image(np.zeros((3, 40, 40)))
    user.wait_for(lambda: dock.controls["image"].value == stack)
    # The line may be long or short: the buttons above it stay where they are.
    places = set()
    for message in ("short", "long enough for a second line " * 2):
        dock.controller.context.say(message)
        user.wait(0.1)
        commit, sign = dock.controls["commit"].native, dock.controls["sign"]
        places.add((commit.mapToGlobal(commit.pos()).y(), sign.height))
    assert len(places) == 1
    dock.controller.context.say("")
    assert dock.controls["image"].tooltip == CONTROLS["image"].tooltip
    assert not dock.controls["segment"].enabled
    dock.controls["run_on_click"].value = False
    dock.controller.add_click(20, 20)
    assert dock.controls["segment"].enabled
    assert dock.controls["new_object"].enabled
    assert dock.controls["undo"].enabled
    assert not dock.controls["cancel"].enabled
    viewer.dims.ndisplay = 3
    assert "leave the 3D view" in dock.controls["segment"].tooltip
    assert not dock.controls["segment"].enabled
    viewer.dims.ndisplay = 2
    dock.controls["segment"].native.click()
    dock.controller.wait(20)
    assert dock.controls["commit"].enabled
    dock.controls["device"].value = "cuda"
    dock.controller.wait(20)
    dock.controls["segment"].native.click()
    dock.controller.wait(20)
    assert dock.controls["device"].tooltip == "no device 'cuda' here; allowed are auto, cpu"
    assert not dock.controls["segment"].enabled
    dock.controls["device"].value = "auto"
    assert dock.controls["segment"].enabled


def test_the_controls_do_what_they_say(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    first = viewer.add_image(np.zeros((60, 60)), name="first")
    user.wait_for(lambda: dock.controls["image"].value == first)
    second = viewer.add_image(np.zeros((60, 60)), name="second")
    user.wait(0.05)
    assert dock.controls["image"].value == first
    controller = dock.controller
    controller.add_click(20, 20)
    controller.wait(20)
    dock.controls["new_object"].native.click()
    controller.add_click(40, 40)
    controller.wait(20)
    assert len(dock.controls["object"].choices) == 2
    dock.controls["object"].value = dock.controls["object"].choices[0]
    assert np.allclose(controller.foreground_layer.data, [[20, 20]])
    dock.controls["clear"].native.click()
    assert len(controller.foreground_layer.data) == 0
    dock.controls["undo"].native.click()
    assert len(controller.foreground_layer.data) == 1
    dock.controls["redo"].native.click()
    assert len(controller.foreground_layer.data) == 0
    dock.controls["undo"].native.click()
    dock.controls["threshold"].value = 0.95
    controller.wait(20)
    assert not controller.preview_layer.data.any()
    dock.controls["threshold"].value = 0.5
    controller.wait(20)
    labels = viewer.add_labels(np.zeros((60, 60), np.int32))
    assert labels in dock.controls["objects"].choices
    assert controller.preview_layer not in dock.controls["objects"].choices
    dock.controls["objects"].value = dock.controls["objects"].choices[-1]
    dock.controls["commit"].native.click()
    assert labels.data[20, 20] == 1
    dock.controls["sign"].value = "background"
    assert not controller.settings.positive
    dock.controls["image"].value = dock.controls["image"].choices[-1]
    assert controller.image == second
    assert len(controller.foreground_layer.data) == 0
    dock.controls["model"].value = MORE
    dock.controls["model"].value = "brs-densenet"
    controller.wait(20)
    assert fake.made[-1].model == "brs-densenet"
    viewer.layers.remove(controller.image)
    user.wait(0.05)
    # What is left is not chosen by itself.
    assert dock.controls["image"].value is None


def test_methods_for_comparison_are_offered_when_asked_for(dock: Any) -> None:
    model = dock.controls["model"]
    assert model.choices == ("brs-live", "unet-cells", MORE)
    assert model._widget._mgui_get_choice(MESSAGES["more methods"]) == MORE
    model.value = MORE
    assert model.value == "brs-live"
    assert {"brs-densenet", "graph-cut"} <= set(model.choices)
    assert MORE not in model.choices


def test_labels_that_are_loaded_later_can_be_gone_on_with_by_mouse_and_keys(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    viewer.add_image(np.zeros((100, 100)))
    controller = dock.controller
    user.wait_for(lambda: controller.image is not None)
    loaded = np.zeros((100, 100), np.uint16)
    loaded[20:40, 20:40] = 7
    labels = viewer.add_labels(loaded, name="loaded")
    user.wait(0.1)
    dock.controls["objects"].value = next(
        layer for layer in dock.controls["objects"].choices if layer == labels
    )
    assert viewer.layers.selection.active == labels
    viewer.fit_to_view()
    user.wait(0.1)
    user.click((70, 70))
    controller.wait(20)
    assert controller.state.has_clicks
    user.press("Z", "Control")
    assert not controller.state.has_clicks
    user.press("Z", "Control+Shift")
    assert controller.state.has_clicks
    labels.mode = "paint"
    user.click((5, 90))
    assert labels.data[5, 90]
    user.press("Z", "Control")
    assert not labels.data[5, 90]
    assert controller.state.has_clicks
    labels.mode = "pan_zoom"
    viewer.cursor.position = (30, 30)
    user.press("Delete")
    assert not labels.data.any()
    assert dock.status.text() == "object 7 deleted; Ctrl+Z brings it back"
    user.press("Z", "Control")
    assert (labels.data == 7).sum() == 400


def test_the_keys_are_shown_by_a_key_and_by_a_button(viewer: Any, user: User, dock: Any) -> None:
    from qtpy.QtWidgets import QLabel

    from napari_brs.plugin.keys import GESTURES, KEYS, written
    from napari_brs.plugin.keys_dialog import KeysDialog

    viewer.add_image(np.zeros((60, 60)))
    user.wait_for(lambda: dock.controller.image is not None)
    user.press("H")
    (shown,) = dock.findChildren(KeysDialog)
    assert shown.isVisible()
    lines = [label.text() for label in shown.findChildren(QLabel)]
    keys = [(written(key.key), key.meaning) for key in KEYS]
    assert lines == [text for line in (*GESTURES, *keys) for text in line]
    dock.show_keys.click()
    assert not shown.isVisible()
    dock.show_keys.click()
    assert shown.isVisible()


def test_on_a_small_screen_every_control_can_be_reached(viewer: Any, user: User, dock: Any) -> None:
    viewer.window.resize(1280, 720)
    user.wait(0.2)
    window = viewer.window.geometry()
    assert window[2] <= 1280
    assert window[3] <= 720
    height = dock.window().height()
    assert dock.status.mapTo(dock.window(), dock.status.rect().bottomLeft()).y() <= height
    (scroll,) = dock.findChildren(QScrollArea)
    for control in dock.controls.values():
        scroll.ensureWidgetVisible(control.native)
        assert control.native.visibleRegion().boundingRect() == control.native.rect(), control.name


def test_a_section_folds_and_leaves_its_title(viewer: Any, user: User, dock: Any) -> None:
    viewer.add_image(np.zeros((60, 60)))
    user.wait_for(lambda: dock.controller.image is not None)
    clicks = next(one for one in dock.sections if "segment" in one.controls)
    (title,) = clicks.native.findChildren(QToolButton)
    below = dock.controls["commit"].native
    place = below.mapTo(dock, below.pos()).y()
    title.click()
    user.wait(0.05)
    assert clicks.folded
    assert title.isVisible()
    assert not dock.controls["segment"].native.isVisible()
    assert below.mapTo(dock, below.pos()).y() < place
    # Keys work all the same.
    dock.controller.add_click(20, 20)
    dock.controller.wait(20)
    user.press("Z", "Control")
    assert not dock.controller.state.has_clicks
    title.click()
    assert dock.controls["segment"].native.isVisible()
