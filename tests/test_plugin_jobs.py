"""A window in which something runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import User
from fakes import FakeSegmenter

pytest.importorskip("napari")


SHAPE = (512, 512)


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
    user.wait_for(lambda: fake.encoded > 0)
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
    assert dock.controls["cancel"].enabled
    for _ in range(50):
        user.wait(0.02)
        bars += [str(bar) for bar in progress._all_instances]
    assert controller.jobs.busy
    beat.stop()
    dock.controls["cancel"].native.click()
    controller.wait(20)
    assert not dock.controls["cancel"].enabled
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
    user.wait_for(lambda: "refining" in dock.status.text())
    # As the cross in its title does.
    dock.parent().destroyOnClose()
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
    user.wait_for(lambda: "refining" in dock.status.text())
    viewer.close()
    controller.wait(10)
    user.wait(0.1)
    assert not controller.jobs.busy
