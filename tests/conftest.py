"""A napari window, a user with mouse and keyboard, and a segmenter that needs no network."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def has_display() -> bool:
    """Whether a window with OpenGL can be opened."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        return False
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if not has_display():
    # Everything that needs no window still runs.
    os.environ["QT_QPA_PLATFORM"] = "offscreen"


WITH_A_WINDOW = ("test_plugin_", "test_same_mask")
LONGEST_FIRST = (
    *WITH_A_WINDOW,
    "test_shipped_weights",
    "test_training_trainer",
    "test_packaging",
    "test_training_run",
    "test_evaluation_speed",
    "test_meta_device",
    "test_cli",
    "test_commands_segment",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process has one left at the end."""

    def rank(item: pytest.Item) -> int:
        name = item.path.stem
        longest = (n for n, start in enumerate(LONGEST_FIRST) if name.startswith(start))
        return next(longest, len(LONGEST_FIRST))

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file's tests in one process, and in one of them all that open windows."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            window = Path(file).stem.startswith(WITH_A_WINDOW)
            return "window" if window else file

    # In the order above, not by how many tests a file has.
    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def data_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder: that of nobody, here and in processes that a test starts."""
    import platformdirs

    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: str(folder / "napari-brs"))
    return folder / "napari-brs"


class User:
    """Does with a viewer what people do: real Qt events on the canvas."""

    def __init__(self, viewer: Any) -> None:
        from qtpy.QtWidgets import QApplication

        self.viewer = viewer
        self.app = QApplication.instance()
        # Every click is waited for that long.
        self.app.setDoubleClickInterval(50)

    @property
    def canvas(self) -> Any:
        widgets = [w for w in self.app.allWidgets() if "Canvas" in type(w).__name__]
        return next(w for w in widgets if w.isVisible())

    def wait(self, seconds: float = 0.05) -> None:
        end = time.monotonic() + seconds
        while True:
            self.app.processEvents()
            if time.monotonic() > end:
                return
            time.sleep(0.002)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            self.wait(0.01)

    def on_canvas(self, world: Any) -> Any:
        """Canvas pixel of a point of the displayed world plane."""
        from qtpy.QtCore import QPoint

        camera, size = self.viewer.scene.camera, self.canvas.size()
        row, column = (np.asarray(world) - camera.center[-2:]) * camera.zoom
        return QPoint(round(column + size.width() / 2), round(row + size.height() / 2))

    def click(self, world: Any, button: str = "left", key: str = "no") -> None:
        """Press and release on a point of the displayed world plane."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseClick(
            self.canvas,
            getattr(Qt.MouseButton, f"{button.title()}Button"),
            getattr(Qt.KeyboardModifier, f"{key.title()}Modifier"),
            self.on_canvas(world),
        )
        # Longer than Qt's double click, which is not two clicks.
        self.wait(self.app.doubleClickInterval() / 1000 + 0.05)

    def drag(self, start: Any, pixels: int) -> None:
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        at, none = self.on_canvas(start), Qt.KeyboardModifier.NoModifier
        QTest.mousePress(self.canvas, Qt.MouseButton.LeftButton, none, at)
        for step in range(1, 6):
            QTest.mouseMove(self.canvas, at + QPoint(pixels * step // 5, 0))
            self.wait(0.03)
        end = at + QPoint(pixels, 0)
        QTest.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, none, end)
        self.wait(self.app.doubleClickInterval() / 1000 + 0.05)

    def draw(self, world: Any, held: str = "No", button: str = "left") -> None:
        """Drag along points of the displayed world plane, with modifiers such as ``Shift``."""
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtTest import QTest

        def move(at: Any) -> None:
            # QTest's own moves tell of no modifiers.
            place = QPointF(at)
            event = QMouseEvent(
                QEvent.Type.MouseMove,
                place,
                QPointF(self.canvas.mapToGlobal(at)),
                Qt.MouseButton.NoButton,
                pressed,
                modifiers,
            )
            self.app.sendEvent(self.canvas, event)
            self.wait(0.01)

        pressed, modifiers = getattr(Qt.MouseButton, f"{button.title()}Button"), _modifiers(held)
        places = [self.on_canvas(point) for point in world]
        QTest.mousePress(self.canvas, pressed, modifiers, places[0])
        for before, after in itertools.pairwise(places):
            for step in range(1, 6):
                move(before + (after - before) * step / 5)
        QTest.mouseRelease(self.canvas, pressed, modifiers, places[-1])
        self.wait(self.app.doubleClickInterval() / 1000 + 0.05)

    def press(self, key: str, modifiers: str = "No") -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.keyClick(self.canvas, getattr(Qt.Key, f"Key_{key}"), _modifiers(modifiers))
        self.wait(0.02)


def _modifiers(names: str) -> Any:
    """Qt's modifiers of names such as ``Control+Shift``."""
    from qtpy.QtCore import Qt

    held = Qt.KeyboardModifier.NoModifier
    for name in names.split("+"):
        held |= getattr(Qt.KeyboardModifier, f"{name}Modifier")
    return held


@pytest.fixture
def make_viewer(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes napari windows that forbid private attributes and calls off the main thread."""
    if not has_display():
        pytest.skip("needs a display with OpenGL; scripts/test brings its own")
    make = request.getfixturevalue("make_napari_viewer_proxy")
    return lambda: make(show=True)


@pytest.fixture
def viewer(make_viewer: Callable[..., Any]) -> Any:
    return make_viewer()


@pytest.fixture
def user(viewer: Any) -> User:
    return User(viewer)


@pytest.fixture
def model(qapp: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A viewer without a window; the same things are forbidden."""
    from napari.components import ViewerModel
    from napari.utils._proxies import PublicOnlyProxy

    monkeypatch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", "1")
    return PublicOnlyProxy(ViewerModel())


@pytest.fixture
def controller(fake: Any, model: Any) -> Iterator[Any]:
    """The controller of a viewer without a window, with the fake segmenter."""
    from napari_brs.plugin.controller import Controller

    controller = Controller(model)
    yield controller
    controller.close()
    controller.wait(30)


@pytest.fixture
def image(model: Any, controller: Any) -> Any:
    """A flat image, chosen."""
    from plugin_hands import SHAPE

    layer = model.add_image(np.arange(48 * 64, dtype=np.uint16).reshape(SHAPE), name="cells")
    controller.set_image_layer(layer, look=False)
    return layer


@pytest.fixture
def stack(model: Any, controller: Any) -> Any:
    """Five planes that lie somewhere in the world, the fourth on display."""
    from plugin_hands import SHAPE

    layer = model.add_image(
        np.zeros((5, *SHAPE), np.uint16),
        name="stack",
        scale=(2, 0.5, 0.25),
        translate=(1, 10, 20),
    )
    controller.set_image_layer(layer, look=False)
    model.dims.set_point(0, 1 + 2 * 3)
    return layer


@pytest.fixture
def bright(model: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A controller of the real segmenter, with a network that knows bright from dark."""
    from brightness import Brightness

    import napari_brs.brs.segmenter
    import napari_brs.models
    from napari_brs.plugin.controller import Controller

    monkeypatch.setattr(napari_brs.models.ModelInfo, "available", True)
    monkeypatch.setattr(napari_brs.brs.segmenter, "load_model", lambda _: Brightness())
    controller = Controller(model)
    controller.set(device="cpu")
    yield controller
    controller.close()
    controller.wait(30)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both models are there, and answer with discs around clicks."""
    from fakes import FakeSegmenter

    import napari_brs.brs.segmenter
    import napari_brs.models

    FakeSegmenter.reset()
    monkeypatch.setattr(napari_brs.brs.segmenter, "BRSSegmenter", FakeSegmenter)
    monkeypatch.setattr(napari_brs.models.ModelInfo, "available", True)
    return FakeSegmenter


@pytest.fixture
def open_dock(viewer: Any) -> Iterator[Callable[[], Any]]:
    """Opens the dock as the menu does; nothing runs any more when the test ends."""
    docks = []

    def open_one(where: Any = viewer) -> Any:
        _, dock = where.window.add_plugin_dock_widget("napari-brs", "BRS segmentation")
        docks.append(dock)
        return dock

    yield open_one
    for dock in docks:
        dock.controller.close()
        dock.controller.wait(30)


@pytest.fixture
def dock(fake: Any, open_dock: Callable[[], Any]) -> Any:
    """The dock with the fake segmenter."""
    return open_dock()


@pytest.fixture
def another(fake: Any, qapp: Any) -> Iterator[Callable[[], Any]]:
    """Makes controllers, each of a further viewer without a window."""
    from napari.components import ViewerModel

    from napari_brs.plugin.controller import Controller

    made = []

    def make() -> Any:
        made.append(Controller(ViewerModel()))
        return made[-1]

    yield make
    for controller in made:
        controller.close()
        controller.wait(30)


@pytest.fixture
def weights(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """Weights of a network that knows bright from dark, by which it is found."""
    from command_line import Brightness, register_brightness

    from napari_brs import models

    monkeypatch.setattr(models, "_MODELS", models._MODELS)
    register_brightness()
    folder = tmp_path_factory.mktemp("weights")
    return str(models.save_weights(Brightness(), folder / "w.safetensors", "brightness"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an image of two bright squares, 16 bit."""
    import tifffile
    from command_line import two_squares

    monkeypatch.chdir(tmp_path)
    tifffile.imwrite(tmp_path / "cells.tif", two_squares())
    return tmp_path
