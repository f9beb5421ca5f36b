"""A click in the dock costs the same on an image of 20,000 x 20,000 pixels."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("zarr")

import zarr

from napari_brs.clicks import Click
from napari_brs.plugin.controller import Controller

SIDE = 20_000
FLAT = (None, None)


@pytest.fixture
def controller(bright: Controller) -> Controller:
    return bright


def squares() -> np.ndarray:
    """Bright squares on dark ground, 512 x 512."""
    tile = np.full((512, 512), 20, np.uint8)
    tile[60:100, 60:100] = tile[300:340, 200:240] = 230
    return tile


@pytest.fixture
def large(tmp_path: Path) -> list[Any]:
    """The squares in the middle of a pyramid on disk; all else is empty."""
    levels = []
    for step in (1, 4, 16):
        part = squares()[::step, ::step]
        level = zarr.create_array(
            tmp_path / f"{step}.zarr",
            shape=(SIDE // step, SIDE // step),
            chunks=(512, 512),
            dtype="uint8",
            fill_value=20,
        )
        at = 10_240 // step
        level[at : at + len(part), at : at + len(part)] = part
        levels.append(level)
    return levels


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def click(controller: Controller, corner: int, row: int, column: int) -> None:
    assert controller.add_click(corner + row, corner + column), controller.state.status
    controller.wait(60)


def test_a_click_takes_as_long_as_on_a_small_image_and_makes_nothing_as_large(
    model: Any, controller: Controller, large: list[Any]
) -> None:
    small = model.add_image(squares(), contrast_limits=(0, 255))
    huge = model.add_image(large, multiscale=True, contrast_limits=(0, 255))
    seconds: dict[int, list[float]] = {}
    for image, corner in ((small, 0), (huge, 10_240)):
        controller.set_image_layer(image, look=False)
        seconds[corner] = []
        for row, column in ((80, 80), (320, 220), (82, 75), (318, 228)):
            controller.new_object()
            click(controller, corner, row, column)
            click(controller, corner, row + 9, column)
            seconds[corner].append(timed(lambda: click(controller, corner, row, column + 9)))  # noqa: B023
    assert min(seconds[10_240]) < 3 * min(seconds[0]) + 0.05
    tracemalloc.start()
    click(controller, 10_240, 310, 215)
    controller.undo()
    controller.redo()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6  # a byte for every pixel would be 400 MB
    preview = controller.context.work.preview
    assert preview.layer.data.size < 5e6
    shown = np.argwhere(preview.layer.data) + preview.origin
    assert 1000 < len(shown) < 2200
    assert (abs(shown.mean(axis=0) - (10_560, 10_460)) < 5).all()


def test_an_object_is_committed_and_reopened_and_corrected_where_it_lies(
    model: Any, controller: Controller, large: list[Any]
) -> None:
    huge = model.add_image(large, multiscale=True, contrast_limits=(0, 255))
    controller.set_image_layer(huge, look=False)
    click(controller, 10_240, 80, 80)
    assert controller.commit() == 1
    objects = controller.objects_layer.data
    before = np.argwhere(objects[10_200:10_400, 10_200:10_400])
    assert 1000 < len(before) < 2200
    # What another program made: it has an id and pixels, but no clicks.
    objects[10_540:10_580, 10_440:10_460] = 2
    tracemalloc.start()
    assert controller.context.work.open_at(FLAT, Click(10_550, 10_450))
    controller.context.refresh()
    click(controller, 10_240, 320, 235)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6
    assert controller.commit() == 2
    corrected = np.argwhere(objects[10_500:10_620, 10_400:10_520] == 2)
    # This network sees what is near the clicks; what it does not see is given up.
    assert len(corrected) > 500
    assert corrected[:, 1].min() > 40
    assert corrected[:, 1].max() > 70
    assert (np.argwhere(objects[10_200:10_400, 10_200:10_400] == 1) == before).all()
