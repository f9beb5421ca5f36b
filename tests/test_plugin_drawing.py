"""Boxes and strokes, drawn with the mouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from conftest import User
from fakes import FakeSegmenter
from test_plugin_collecting import hold

pytest.importorskip("napari")

from napari_brs.cli import main
from napari_brs.io.labels import read_labels
from napari_brs.io.sessions import save_session
from napari_brs.masks import Box
from napari_brs.plugin.drawing import MOST
from napari_brs.plugin.mouse import Gesture
from napari_brs.plugin.trace import Trace

WORLD = (10, 30)
"""Where the image begins; a pixel is two units long."""


def world(row: float, column: float) -> tuple[float, float]:
    return WORLD[0] + 2 * row, WORLD[1] + 2 * column


def show(viewer: Any, user: User, controller: Any, pixels: np.ndarray) -> None:
    viewer.add_image(pixels, scale=(2, 2), translate=WORLD)
    user.wait_for(lambda: controller.image is not None)
    viewer.fit_to_view()
    user.wait(0.1)


def test_a_drag_with_shift_is_a_box_that_undo_knows_and_later_clicks_correct(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    controller = dock.controller
    show(viewer, user, controller, np.zeros((100, 120)))
    centre = viewer.scene.camera.center
    user.draw([world(70, 80), world(30, 40)], "Shift")
    controller.wait(20)
    assert viewer.scene.camera.center == centre
    (plane,) = controller.session.current.planes.values()
    box = plane.box
    edges = (box.top, box.left, box.bottom, box.right)
    assert np.abs(np.subtract(edges, (30, 40, 71, 81))).max() <= 1
    assert plane.clicks == ()
    assert "box · " in dock.status.text()
    assert "every click obeyed" in dock.status.text()
    assert controller.preview_layer.data[50, 60]
    # The box filled, and what the network found in it.
    assert len(fake.predicted) == 2
    assert fake.starts[0][box.slices].all()

    user.click(world(50, 60), key="shift")
    controller.wait(20)
    assert not controller.preview_layer.data[50, 60]
    assert "box, 1 BG" in dock.status.text()
    computed = len(fake.predicted)
    user.press("Z", "Control")
    assert controller.preview_layer.data[50, 60]
    user.press("Z", "Control")
    assert not controller.preview_layer.data.any()
    assert not controller.state.has_clicks
    user.press("Z", "Control+Shift")
    assert controller.session.current.plane((None, None)) is plane
    assert len(fake.predicted) == computed

    # Out of the image it ends at its border, and beside it is nothing.
    user.draw([world(80, 100), world(104, 124)], "Shift")
    controller.wait(20)
    box = controller.session.current.plane((None, None)).box
    assert (box.bottom, box.right) == (100, 120)
    user.draw([world(10, 124), world(20, 128)], "Shift")
    assert dock.status.text() == "outside the image; nothing was added"


def test_a_drag_with_ctrl_is_a_line_of_clicks_in_one_step(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    controller = dock.controller
    show(viewer, user, controller, np.zeros((100, 120)))
    user.draw([world(20, 20), world(20, 100), world(60, 100)], "Control")
    user.draw([world(80, 20), world(80, 100)], "Control+Shift")
    controller.wait(20)
    assert fake.predicted == []
    hold(user.canvas, down=False)
    controller.wait(20)
    (clicks,) = fake.predicted
    on = np.array([click.pixel for click in clicks if click.positive])
    beside = np.array([click.pixel for click in clicks if not click.positive])
    assert set(on[on[:, 1] < 99][:, 0]) <= {19, 20, 21}
    assert set(beside[:, 0]) <= {79, 80, 81}
    distances = np.hypot(*np.diff(beside, axis=0).T)
    assert 5 < len(beside) < len(on) <= MOST
    assert np.ptp(distances) <= 2
    assert "every click obeyed" in dock.status.text()
    user.press("Z", "Control")
    assert controller.session.current.plane((None, None)).clicks == clicks[: len(on)]
    user.press("Z", "Control")
    assert controller.session.current.empty


def test_an_object_of_a_box_and_clicks_is_replayed_bit_for_bit(
    bright: Any, model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = np.full((120, 160), 20, np.uint8)
    image[40:80, 50:90] = 230
    image[40:80, 100:120] = 230
    tifffile.imwrite(tmp_path / "cells.tif", image)
    layer = model.add_image(image, name="cells.tif", contrast_limits=(0, 255))
    bright.set_image_layer(layer)
    assert bright.add_box(Box(36, 46, 84, 94))
    bright.wait(30)
    assert bright.preview_layer.data[60, 70]
    for row, column, positive in ((60, 87, False), (60, 110, True)):
        bright.add_click(row, column, positive)
        bright.wait(30)
        assert bool(bright.preview_layer.data[row, column]) == positive
        assert "every click obeyed" in bright.state.status
    work = bright.context.work
    assert bright.commit() == 1
    labels = bright.objects_layer.data

    def predicted(plane: Any) -> Any:
        made = work.predictions.get(plane, bright.settings.model)
        return None if made is None else made.prediction.packed

    session = tmp_path / "s.json"
    save_session(session, bright.session, "cells.tif", device="cpu", predicted=predicted)
    assert main(["replay", str(session), "-o", str(tmp_path / "again.tif")]) == 0
    assert "1 objects" in capsys.readouterr().out
    assert np.array_equal(read_labels(tmp_path / "again.tif"), labels)
    assert labels[60, 110] == 1


def test_a_box_that_leaves_the_image_is_refused(controller: Any, model: Any) -> None:
    controller.set_image_layer(model.add_image(np.zeros((30, 30))))
    assert not controller.add_box(Box(5, 5, 31, 9))
    assert "box 5,5,31,9 is not allowed" in controller.state.status
    assert not controller.state.can_undo


@pytest.mark.parametrize(("kind", "where"), [("box", (20, 0)), ("stroke", (20, 20))])
def test_what_is_drawn_is_seen_above_the_canvas(qapp: Any, kind: Any, where: Any) -> None:
    from qtpy.QtWidgets import QWidget

    canvas = QWidget()
    canvas.resize(60, 60)
    places = [np.array(place) for place in ((0, 0), (20, 20), (40, 40))]
    trace = Trace(canvas, Gesture(kind, False, pixels=places), "#ff0000")
    picture = trace.grab().toImage()
    assert picture.pixelColor(*where).red() > picture.pixelColor(*where).blue() + 100
    other = picture.pixelColor(30, 10)
    assert other.red() == other.blue()
