"""Networks that segment whole images, in the dock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import User, has_display

pytest.importorskip("napari")

import torch
from plugin_hands import made
from qtpy.QtWidgets import QFileDialog, QMessageBox
from test_converted_segmenter import Bright, scene

from napari_brs.plugin.controller import Controller
from napari_brs.plugin.text import MESSAGES

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that takes what is bright for cells, in a TorchScript file."""
    path = tmp_path_factory.mktemp("models") / "bright.pt"
    torch.jit.trace(Bright().eval(), torch.zeros(1, 1, 32, 32)).save(path)
    return path


@pytest.fixture
def opened(model: Any, bright: Path) -> Any:
    """The controller of a viewer without a window, with the scene segmented by that network."""
    image = model.add_image(scene(), name="cells", contrast_limits=(0, 255))
    controller = Controller(model)
    controller.set_image_layer(image, look=False)
    controller.open_model(bright)
    controller.wait(60)
    yield controller
    controller.close()
    controller.wait(30)


def labels(controller: Any) -> np.ndarray:
    return np.array(controller.objects_layer.data)


def test_all_objects_appear_at_once_each_with_its_id(opened: Any) -> None:
    found = labels(opened)
    assert sorted(np.unique(found)) == [0, 1, 2, 3]
    assert found[110, 50] == found[110, 90] != found[30, 30] != found[260, 360] != 0
    assert opened.state.status == MESSAGES["found"].format(count=3)
    assert opened.state.label == 4


def test_they_are_one_step_of_undo_and_come_back_with_redo(opened: Any) -> None:
    found = labels(opened)
    opened.undo()
    opened.wait()
    assert not labels(opened).any()
    opened.redo()
    opened.wait()
    np.testing.assert_array_equal(labels(opened), found)


def test_what_was_undone_is_not_shown_again_by_itself(opened: Any) -> None:
    opened.undo()
    opened.set(threshold=0.55)
    opened.wait(30)
    opened.add_click(30, 30)
    opened.wait(30)
    assert not labels(opened).any()
    assert opened.session.current.planes


def test_a_background_click_repairs_the_object_that_it_hits_and_leaves_the_rest(
    opened: Any,
) -> None:
    before = labels(opened)
    label = int(before[115, 90])
    opened.add_click(115, 90, positive=False)
    opened.wait(60)
    assert opened.state.label == label
    assert opened.commit() == label
    after = labels(opened)
    assert after[115, 50] == label
    assert after[115, 90] == 0
    others = (before != label) & (before != 0)
    np.testing.assert_array_equal(after[others], before[others])
    assert set(np.unique(after[before == 0])) == {0}
    opened.undo()
    np.testing.assert_array_equal(labels(opened), before)


def test_a_click_where_nothing_is_begins_a_new_object(opened: Any) -> None:
    before = labels(opened)
    opened.add_click(210, 115)
    opened.wait(60)
    assert opened.commit() == 4
    after = labels(opened)
    assert after[210, 115] == 4
    np.testing.assert_array_equal(after[before > 0], before[before > 0])


def test_labels_that_are_there_are_left_alone_until_more_is_asked_for(
    model: Any, bright: Path
) -> None:
    image = model.add_image(scene(), name="cells", contrast_limits=(0, 255))
    controller = Controller(model)
    try:
        controller.set_image_layer(image, look=False)
        controller.objects_layer.data[105:110, 40:45] = 7
        mine = labels(controller)
        controller.open_model(bright)
        controller.wait(60)
        np.testing.assert_array_equal(labels(controller), mine)
        assert controller.state.status == MESSAGES["labels there"]
        controller.segment_image()
        controller.wait(60)
        found = labels(controller)
        assert (found[105:110, 40:45] == 7).all()
        assert found[30, 30] == 8
        assert found[260, 360] == 9
        # The object beneath the hand-made label is left out whole.
        assert found[110, 90] == 0
    finally:
        controller.close()
        controller.wait(30)


def test_each_slice_of_a_stack_gets_its_own_objects(model: Any, bright: Path) -> None:
    stack = np.stack([scene(), np.roll(scene(), 60, axis=1)])
    image = model.add_image(stack, name="stack", contrast_limits=(0, 255))
    model.dims.set_point(0, 0)
    controller = Controller(model)
    try:
        controller.set_image_layer(image, look=False)
        controller.open_model(bright)
        controller.wait(60)
        assert labels(controller)[0].max() == 3
        assert not labels(controller)[1].any()
        model.dims.set_point(0, 1)
        controller.features.look()
        controller.wait(60)
        assert sorted(np.unique(labels(controller)[1])) == [0, 4, 5, 6]
    finally:
        controller.close()
        controller.wait(30)


def test_a_model_that_needs_clicks_shows_nothing_by_itself(controller: Any, model: Any) -> None:
    image = model.add_image(scene(), name="cells")
    controller.set_image_layer(image)
    controller.wait(30)
    assert not controller.state.whole_image
    assert not labels(controller).any()


def test_a_file_is_opened_only_if_the_user_trusts_it(
    dock: Any, viewer: Any, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = viewer.add_image(scene(), name="cells", contrast_limits=(0, 255))
    dock.controller.set_image_layer(image, look=False)
    asked = []

    def answer(button: Any) -> Any:
        def warning(_parent: Any, _title: str, text: str, *_: Any) -> Any:
            asked.append(text)
            return button

        return warning

    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(bright), ""))
    monkeypatch.setattr(QMessageBox, "warning", answer(QMessageBox.StandardButton.Cancel))
    dock.controls["open_model"].native.click()
    assert "runs its code" in asked[0]
    assert dock.controls["model"].value == "brs-live"
    monkeypatch.setattr(QMessageBox, "warning", answer(QMessageBox.StandardButton.Open))
    dock.controls["open_model"].native.click()
    assert dock.controls["model"].value == str(bright)
    assert dock.controls["model"].current_choice == "bright.pt"
    assert dock.controls["segment_image"].enabled


def test_one_undo_takes_back_the_first_click_and_closes_what_it_reopened(opened: Any) -> None:
    opened.add_click(115, 90, positive=False)
    opened.wait(60)
    assert opened.state.label == int(labels(opened)[115, 90])
    opened.undo()
    assert opened.session.current.empty
    assert opened.state.label == 4
    opened.redo()
    assert opened.state.has_clicks


def test_a_file_is_opened_while_the_object_has_clicks(
    model: Any, controller: Any, bright: Path
) -> None:
    image = model.add_image(scene(), name="cells", contrast_limits=(0, 255))
    controller.set_image_layer(image, look=False)
    controller.add_click(30, 30)
    controller.wait(60)
    controller.open_model(bright)
    controller.wait(60)
    assert controller.settings.model == str(bright)
    assert made(controller, str(bright)), controller.state.status


@pytest.mark.parametrize("clicked", [True, False])
def test_a_file_that_cannot_be_loaded_gives_way_to_the_model_before(
    clicked: bool, model: Any, controller: Any, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"no model")
    image = model.add_image(scene(), name="cells", contrast_limits=(0, 255))
    controller.set_image_layer(image, look=False)
    if clicked:
        controller.add_click(30, 30)
        controller.wait(60)
    controller.open_model(bad)
    controller.wait(60)
    assert controller.settings.model == "brs-live"
    assert controller.state.status.startswith("bad.pt cannot be used: ")
    assert controller.state.status.endswith("; back to brs-live")
    assert not controller.context.offer.files
    assert controller.add_click(40, 40)
    controller.wait(60)
    assert made(controller, "brs-live")


@pytest.mark.skipif(not has_display(), reason="needs a display with OpenGL")
def test_a_frame_is_segmented_its_objects_are_fixed_and_it_is_saved(
    viewer: Any, user: User, open_dock: Any, bright: Path, tmp_path: Path
) -> None:
    import tifffile

    viewer.add_image(scene(), name="cells", contrast_limits=(0, 255))
    controller = open_dock().controller
    user.wait(0.2)
    controller.open_model(bright)
    controller.wait(60)
    label = int(labels(controller)[115, 90])
    user.click((115, 90), key="Shift")  # the touching neighbour
    controller.wait(60)
    user.press("D")
    user.click((115, 90))  # to this network it is one with the cell beside it
    controller.wait(60)
    user.press("D")
    assert "belong to other objects" in controller.state.status
    user.press("Z", "Control")
    user.click((210, 115))  # missed, because it is dim
    controller.wait(60)
    user.press("D")
    path = tmp_path / "objects.tif"
    controller.objects_layer.save(str(path))
    saved = tifffile.imread(path)
    assert saved[115, 50] == label
    assert saved[115, 90] == 0
    assert saved[210, 115] not in (0, label)
    assert len(np.unique(saved)) == 5
