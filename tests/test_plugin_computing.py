from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtWidgets import QApplication

from napari_brs.brs import zoom
from napari_brs.plugin.computing import HALF_TILE, SEEN_WHOLE
from napari_brs.plugin.controller import Controller


def rest(controller: Controller, model: Any, row: float, column: float) -> None:
    """Move the mouse there, and leave it there for a while."""
    model.cursor.position = (row, column)
    for callback in model.mouse_move_callbacks:
        callback(model, None)
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)
    controller.wait(20)


def test_of_a_large_image_the_features_around_the_mouse_are_there_before_the_click(
    model: Any, controller: Controller, fake: Any
) -> None:
    image = model.add_image(np.zeros((3000, 2000), np.uint8))
    model.cursor.position = (0, 0)
    controller.set_image_layer(image)
    controller.wait(20)
    rest(controller, model, 1500, 700)
    rest(controller, model, 1520, 690)  # of the same tile
    rest(controller, model, 2999, 1999)
    assert fake.arounds == [(0, 0), (1536, 768), (2999, 1999)]
    assert not fake.predicted


def test_of_an_image_that_is_seen_whole_features_are_computed_once(
    model: Any, controller: Controller, fake: Any
) -> None:
    image = model.add_image(np.zeros((SEEN_WHOLE, 900), np.uint8))
    controller.set_image_layer(image)
    controller.wait(20)
    rest(controller, model, 1000, 800)
    assert fake.arounds == [None]


def test_sizes_are_those_that_the_segmenter_looks_at() -> None:
    assert SEEN_WHOLE == zoom.WHOLE
    assert HALF_TILE == zoom.LONGEST // 2
