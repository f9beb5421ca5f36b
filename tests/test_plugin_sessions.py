"""Work that is saved by itself, and taken up again in another viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from conftest import User
from sessions import everything, open_image, paint, pause, write_image


def do_some_work(controller: Any) -> None:
    """Two commits, clicks of both signs, strokes in both layers, undo, settings."""
    controller.add_click(30, 30)
    controller.wait(20)
    controller.add_click(30, 34, False)
    controller.wait(20)
    controller.commit()
    paint(controller.objects_layer, (60, 60), 1)
    controller.add_click(40, 90)
    controller.wait(20)
    paint(controller.preview_layer, (50, 95), int(controller.preview_layer.data.max()))
    controller.commit()
    controller.add_click(70, 20)
    controller.wait(20)
    controller.add_click(71, 21)
    controller.wait(20)
    controller.undo()
    controller.set(overwrite=True, confidence=0.7)


def test_work_is_taken_up_with_one_key_in_a_new_window_as_it_was_with_its_undo_steps(
    model: Any, controller: Any, viewer: Any, user: User, open_dock: Any, tmp_path: Path
) -> None:
    path = write_image(tmp_path / "Zellen – größere" / "a b.tif")
    open_image(model, controller, path)
    do_some_work(controller)
    pause(2)
    assert controller.state.saved == "all is saved"
    was = everything(controller)
    assert len(was["past"]) > 5
    assert len(was["future"]) == 1
    controller.close()
    assert {one.suffix for one in path.parent.iterdir()} == {".tif", ".napari-brs"}

    dock = open_dock()
    again = dock.controller
    open_image(viewer, again, path)
    assert "3 objects, 4 clicks" in dock.controls["resume"].text
    assert "press Shift+R" in dock.status.text()
    user.press("R", "Shift")
    again.wait(20)
    assert dock.status.text().startswith("resumed: ")
    assert everything(again) == was
    for _ in was["past"]:
        again.undo()
    assert not again.session.can_undo
    # What was painted by hand is no step of the session: it stays.
    assert np.unique(again.objects_layer.data).tolist() == [0, 1]
    for _ in [*was["past"], *was["future"]]:
        again.redo()
    again.undo()
    assert everything(again) == was
