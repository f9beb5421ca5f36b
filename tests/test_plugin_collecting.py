"""Clicks that are collected while Ctrl is held."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import User
from fakes import FakeSegmenter

pytest.importorskip("napari")

from napari_brs.clicks import Click
from napari_brs.plugin.text import MESSAGES


def hold(widget: Any, down: bool = True) -> None:
    """Press Ctrl, or let go of it."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    (QTest.keyPress if down else QTest.keyRelease)(widget, Qt.Key.Key_Control)


def test_clicks_with_ctrl_held_are_segmented_once_when_it_is_released(
    viewer: Any, user: User, dock: Any, fake: type[FakeSegmenter]
) -> None:
    viewer.add_image(np.zeros((100, 100)))
    controller = dock.controller
    user.wait_for(lambda: controller.image is not None)
    viewer.fit_to_view()
    user.wait(0.1)
    hold(user.canvas)
    user.click((30, 30), key="control")
    user.click((60, 60), key="control")
    user.click((80, 20), button="right", key="control")
    controller.wait(20)
    assert fake.predicted == []
    assert dock.status.text() == MESSAGES["collecting"]
    hold(user.canvas, down=False)
    controller.wait(20)
    (clicks,) = fake.predicted
    assert [click.positive for click in clicks] == [True, True, False]
    assert controller.preview_layer.data[30, 30]
    assert controller.preview_layer.data[60, 60]
    # Nothing was collected since: to press and release it computes nothing.
    hold(user.canvas)
    hold(user.canvas, down=False)
    controller.wait(20)
    assert len(fake.predicted) == 1
    # It does not matter which widget sees that it is released.
    user.click((30, 60), key="control")
    hold(dock.controls["commit"].native, down=False)
    controller.wait(20)
    assert [len(clicks) for clicks in fake.predicted] == [3, 4]


def test_what_undo_took_back_while_ctrl_was_held_is_not_computed_again(
    controller: Any, model: Any, fake: type[FakeSegmenter]
) -> None:
    from qtpy.QtWidgets import QWidget

    controller.set_image_layer(model.add_image(np.zeros((100, 100))))
    controller.add_click(30, 30)
    controller.wait(20)
    assert controller.clicking.add_clicks((Click(60, 60),), more=True)
    controller.undo()
    hold(QWidget(), down=False)
    controller.wait(20)
    assert len(fake.predicted) == 1
    assert "every click obeyed" in controller.state.status
