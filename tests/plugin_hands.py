"""What tests do with a controller."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from fakes import discs

pytest.importorskip("napari")

from qtpy.QtWidgets import QApplication

from napari_brs.clicks import Click

SHAPE = (48, 64)


def disc(row: float, column: float, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return discs(shape, [Click(row, column)])


def settle() -> None:
    """Let postponed calls happen."""
    for _ in range(5):
        QApplication.processEvents()


def pause(seconds: float) -> None:
    """Let timers go off."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def click(controller: Any, *place: Any, wait: bool = True) -> None:
    assert controller.add_click(*place), controller.state.status
    if wait:
        controller.wait(20)


def made(controller: Any, model: str) -> Any:
    """What a model made of the clicks of a flat image."""
    plane = controller.session.current.plane((None, None))
    return controller.context.work.predictions.get(plane, model)
