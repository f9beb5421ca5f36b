from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtWidgets import QApplication

from napari_brs.brs.windows import WHOLE
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
    assert fake.arounds == [(0, 0), (1500, 700), (2999, 1999)]
    assert not fake.predicted


def test_where_a_size_is_known_the_features_are_those_of_its_window(
    model: Any, controller: Controller, fake: Any
) -> None:
    image = model.add_image(np.zeros((600, 600), np.uint8))
    model.cursor.position = (300, 300)
    controller.set_image_layer(image)
    controller.wait(20)
    controller.add_click(300, 300)
    controller.wait(20)
    controller.commit()
    length = max(np.ptp(np.nonzero(controller.objects_layer.data), axis=1)) + 1
    rest(controller, model, 310, 305)
    assert fake.arounds[-1] == (310, 305)
    assert fake.sizes[-1] == length
    looked = len(fake.arounds)
    rest(controller, model, 311, 306)
    assert len(fake.arounds) == looked
    controller.add_click(311, 306)
    controller.wait(20)
    assert fake.sizes[-1] == length
    controller.add_click(312, 300)
    controller.wait(20)
    assert fake.sizes[-1] == length


def test_of_an_image_that_is_seen_whole_features_are_computed_once(
    model: Any, controller: Controller, fake: Any
) -> None:
    image = model.add_image(np.zeros((WHOLE, 900), np.uint8))
    controller.set_image_layer(image)
    controller.wait(20)
    rest(controller, model, 1000, 800)
    assert len(fake.arounds) == 1
