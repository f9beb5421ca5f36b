"""The dock in a real napari window, with mouse and keyboard."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from conftest import User, has_display
from fakes import FakeSegmenter, discs, untimed

pytest.importorskip("napari")

from qtpy.QtWidgets import QWidget

from napari_brs.clicks import Click
from napari_brs.plugin.text import CONTROLS

SHAPE = (512, 512)


def disc(row: float, column: float, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return discs(shape, [Click(row, column)])


def points(layer: Any) -> np.ndarray:
    return np.round(np.asarray(layer.data)).astype(int)


OPEN_WITHOUT_TORCH = """
import sys, napari
viewer = napari.Viewer()
viewer.open_sample("napari-brs", "phase_contrast")
_, dock = viewer.window.add_plugin_dock_widget("napari-brs", "BRS segmentation")
assert dock.controller.image is not None
assert dock.controller.foreground_layer is not None
print("torch" in sys.modules)
viewer.close()
"""


@pytest.mark.skipif(not has_display(), reason="needs a display with OpenGL")
def test_opening_the_dock_on_an_image_loads_no_torch() -> None:
    run = subprocess.run(
        [sys.executable, "-c", OPEN_WITHOUT_TORCH], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["False"]


def test_a_cell_is_clicked_committed_saved_and_read_back(
    viewer: Any, user: User, fake: type[FakeSegmenter], open_dock: Any, tmp_path: Path
) -> None:
    (image,) = viewer.open_sample("napari-brs", "phase_contrast")
    dock = open_dock()
    controller = dock.controller
    assert dock.image.value == image
    assert len(viewer.layers) == 5
    user.wait(0.1)

    user.click((200, 300))
    controller.wait(20)
    row, column = points(controller.foreground_layer)[0]
    assert abs(row - 200) <= 2
    assert abs(column - 300) <= 2
    first = controller.foreground_layer.data[0]
    assert np.array_equal(controller.preview_layer.data != 0, disc(*first))
    assert untimed(dock.status.value) == "object 1 · 1 FG · TIME · every click obeyed"

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
    assert dock.sign.value == "background"
    user.press("T")

    # A drag moves the image, and clicks nothing.
    centre = viewer.scene.camera.center
    user.drag((300, 300), 60)
    assert viewer.scene.camera.center != centre
    assert len(fake.predicted) == 4

    # Beside the image there is nothing to click on.
    user.click((530, 200))
    assert dock.status.value == "outside the image; nothing was added"
    assert len(fake.predicted) == 4

    mask = controller.preview_layer.data != 0
    user.press("D")
    assert dock.status.value == "object 1 committed; click on the next one"
    user.click((400, 400))
    controller.wait(20)
    second = controller.preview_layer.data != 0
    dock.commit.native.click()
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
    assert dock.status.value.endswith("mask edited by hand")
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
    assert dock.status.value == "select the image in the layer list to click on it"
    # A second channel on top is an image, too: people click on what they see.
    viewer.add_image(np.zeros((100, 100)), blending="additive")
    user.click((40, 40))
    controller.wait(20)
    assert len(fake.predicted) == 3


def test_every_control_says_what_it_does_and_what_is_wrong(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    for name in CONTROLS:
        widget = getattr(dock, "clear_clicks" if name == "clear" else name)
        parts = [widget.native, *widget.native.findChildren(QWidget)]
        assert any(part.toolTip() for part in parts), name
    assert dock.status.value == "open an image and choose it above"
    assert dock.image.tooltip == dock.status.value
    assert not dock.segment.enabled
    assert not dock.commit.enabled
    stack = viewer.add_image(np.zeros((3, 40, 40)))
    user.wait_for(lambda: dock.image.value == stack)
    # The line may be long or short: the buttons above it stay where they are.
    places = set()
    for message in ("short", "long enough for a second line " * 2):
        dock.controller.say(message)
        user.wait(0.1)
        places.add((dock.commit.native.mapToGlobal(dock.commit.native.pos()).y(), dock.sign.height))
    assert len(places) == 1
    dock.controller.say("")
    assert dock.image.tooltip == CONTROLS["image"].tooltip
    assert not dock.segment.enabled
    dock.run_on_click.value = False
    dock.controller.add_click(20, 20)
    assert dock.segment.enabled
    assert dock.new_object.enabled
    assert dock.undo.enabled
    assert not dock.cancel.enabled
    viewer.dims.ndisplay = 3
    assert "leave the 3D view" in dock.segment.tooltip
    assert not dock.segment.enabled
    viewer.dims.ndisplay = 2
    dock.segment.native.click()
    dock.controller.wait(20)
    assert dock.commit.enabled
    dock.device.value = "cuda"
    dock.controller.wait(20)
    dock.segment.native.click()
    dock.controller.wait(20)
    assert dock.device.tooltip == "no device 'cuda' here; allowed are auto, cpu"
    assert not dock.segment.enabled
    dock.device.value = "auto"
    assert dock.segment.enabled


def test_the_controls_do_what_they_say(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    first = viewer.add_image(np.zeros((60, 60)), name="first")
    user.wait_for(lambda: dock.image.value == first)
    second = viewer.add_image(np.zeros((60, 60)), name="second")
    user.wait(0.05)
    assert dock.image.value == first
    controller = dock.controller
    controller.add_click(20, 20)
    controller.wait(20)
    dock.new_object.native.click()
    controller.add_click(40, 40)
    controller.wait(20)
    assert len(dock.object.choices) == 2
    dock.object.value = dock.object.choices[0]
    assert np.allclose(controller.foreground_layer.data, [[20, 20]])
    dock.clear_clicks.native.click()
    assert len(controller.foreground_layer.data) == 0
    dock.undo.native.click()
    assert len(controller.foreground_layer.data) == 1
    dock.redo.native.click()
    assert len(controller.foreground_layer.data) == 0
    dock.undo.native.click()
    dock.threshold.value = 0.95
    controller.wait(20)
    assert not controller.preview_layer.data.any()
    dock.threshold.value = 0.5
    controller.wait(20)
    labels = viewer.add_labels(np.zeros((60, 60), np.int32))
    assert labels in dock.objects.choices
    assert controller.preview_layer not in dock.objects.choices
    dock.objects.value = dock.objects.choices[-1]
    dock.commit.native.click()
    assert labels.data[20, 20] == 1
    dock.sign.value = "background"
    assert not controller.settings.positive
    dock.image.value = dock.image.choices[-1]
    assert controller.image == second
    assert len(controller.foreground_layer.data) == 0
    dock.model.value = "brs-densenet"
    controller.wait(20)
    assert fake.made[-1].model == "brs-densenet"
    viewer.layers.remove(controller.image)
    user.wait(0.05)
    # What is left is not chosen by itself.
    assert dock.image.value is None


def test_models_without_weights_are_not_offered(dock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import napari_brs.models

    monkeypatch.setattr(
        napari_brs.models.ModelInfo, "available", property(lambda info: info.name != "saliency")
    )
    dock.reset_choices()
    assert "saliency" not in dock.model.choices
    assert {"brs-live", "graph-cut"} <= set(dock.model.choices)


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
    dock.objects.value = next(layer for layer in dock.objects.choices if layer == labels)
    assert viewer.layers.selection.active == labels
    viewer.fit_to_view()
    user.wait(0.1)
    user.click((70, 70))
    controller.wait(20)
    assert controller.has_clicks
    user.press("Z", "Control")
    assert not controller.has_clicks
    user.press("Z", "Control+Shift")
    assert controller.has_clicks
    labels.mode = "paint"
    user.click((5, 90))
    assert labels.data[5, 90]
    user.press("Z", "Control")
    assert not labels.data[5, 90]
    assert controller.has_clicks
    labels.mode = "pan_zoom"
    viewer.cursor.position = (30, 30)
    user.press("Delete")
    assert not labels.data.any()
    assert dock.status.value == "object 7 deleted; Ctrl+Z brings it back"
    user.press("Z", "Control")
    assert (labels.data == 7).sum() == 400


def test_the_keys_are_shown_by_a_key_and_by_a_button(viewer: Any, user: User, dock: Any) -> None:
    from qtpy.QtWidgets import QLabel

    from napari_brs.plugin.keys import KEYS, written
    from napari_brs.plugin.keys_dialog import KeysDialog

    viewer.add_image(np.zeros((60, 60)))
    user.wait_for(lambda: dock.controller.image is not None)
    user.press("H")
    (shown,) = dock.native.findChildren(KeysDialog)
    assert shown.isVisible()
    lines = [label.text() for label in shown.findChildren(QLabel)]
    assert lines == [text for key in KEYS for text in (written(key.key), key.meaning)]
    dock.show_keys.native.click()
    assert not shown.isVisible()
    dock.show_keys.native.click()
    assert shown.isVisible()


def test_the_dock_fits_a_small_screen(viewer: Any, user: User, dock: Any) -> None:
    viewer.window.resize(1280, 720)
    user.wait(0.2)
    window = viewer.window.geometry()
    assert window[2] <= 1280
    assert window[3] <= 720
    last = dock.status.native
    bottom = last.mapTo(last.window(), last.rect().bottomLeft()).y()
    assert bottom <= last.window().height()


def test_the_mouse_over_the_image_starts_the_work_on_its_features(
    viewer: Any, user: User, fake: type[FakeSegmenter], open_dock: Any
) -> None:
    from qtpy.QtTest import QTest

    viewer.add_image(np.zeros((60, 60)))
    controller = open_dock().controller
    user.wait(0.05)
    assert not fake.made
    for column in (20, 25, 30):
        QTest.mouseMove(user.canvas, user.on_canvas((30, column)))
        user.wait(0.02)
    user.wait_for(lambda: fake.encoded == 1)
    controller.wait(20)
    assert not fake.predicted


def test_the_window_lives_and_shows_progress_while_something_runs(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    from napari.utils.progress import progress
    from qtpy.QtCore import QElapsedTimer, QTimer

    viewer.add_image(np.zeros((60, 60)))
    controller = dock.controller
    user.wait_for(lambda: controller.image is not None)
    fake.held.set()
    gaps: list[int] = []
    clock = QElapsedTimer()
    clock.start()
    beat = QTimer()
    beat.timeout.connect(lambda: gaps.append(clock.restart()))
    beat.start(10)
    bars = []
    controller.add_click(20, 20)
    assert dock.cancel.enabled
    for _ in range(50):
        user.wait(0.02)
        bars += [str(bar) for bar in progress._all_instances]
    assert controller.busy
    beat.stop()
    dock.cancel.native.click()
    controller.wait(20)
    assert not dock.cancel.enabled
    assert any("segmenting" in bar for bar in bars)
    assert not progress._all_instances
    # A second of work, and the window was never away for long.
    assert len(gaps) > 20
    assert max(gaps) < 500


def test_the_dock_can_be_closed_in_the_middle_of_a_run_and_opened_again(
    viewer: Any, user: User, fake: type[FakeSegmenter], open_dock: Any
) -> None:
    viewer.add_image(np.zeros((60, 60)))
    dock = open_dock()
    controller = dock.controller
    fake.held.set()
    controller.add_click(20, 20)
    user.wait_for(lambda: "refining" in dock.status.value)
    # As the cross in its title does.
    dock.native.parent().destroyOnClose()
    assert controller.closed
    controller.wait(10)
    assert len(viewer.layers) == 5
    user.click((40, 40))
    assert len(fake.predicted) == 1
    fake.held.clear()
    again = open_dock().controller
    assert again is not controller
    assert len(viewer.layers) == 5
    user.click((40, 40))
    again.wait(20)
    assert len(again.foreground_layer.data) == 2


def test_the_window_can_be_closed_in_the_middle_of_a_run(
    make_viewer: Any, fake: type[FakeSegmenter]
) -> None:
    viewer = make_viewer()
    user = User(viewer)
    viewer.add_image(np.zeros((60, 60)))
    _, dock = viewer.window.add_plugin_dock_widget("napari-brs", "BRS segmentation")
    controller = dock.controller
    fake.held.set()
    controller.add_click(20, 20)
    user.wait_for(lambda: "refining" in dock.status.value)
    viewer.close()
    controller.wait(10)
    user.wait(0.1)
    assert not controller.busy
