"""``napari-brs demo``: napari on sample cells, with some clicks replayed.

With a display the window stays open to go on clicking. Without one, the same runs
on a virtual display and leaves a screenshot and the labels in a folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_brs.clicks import Click

if TYPE_CHECKING:
    import napari

    from napari_brs.plugin.controller import Controller

OUTPUT = "demo-output"
WINDOW = (1400, 900)
PAUSE = 0.6
"""Seconds between clicks, so that one can follow."""
PATIENCE = 600.0
"""Seconds that a mask may take on a busy machine."""

CELLS: tuple[tuple[Click, ...], ...] = (
    (Click(14, 171), Click(33, 184)),
    (Click(135, 462), Click(165, 446), Click(145, 441)),
    (Click(260, 457), Click(232, 452), Click(275, 472)),
    (Click(382, 434), Click(381, 378), Click(406, 382), Click(435, 432)),
    (Click(348, 359), Click(300, 359), Click(315, 348), Click(287, 383)),
    (Click(63, 308), Click(33, 307), Click(54, 276), Click(76, 288)),
)
"""Clicks on cells of the phase-contrast sample; the last cell is left uncommitted."""


def run_demo(output: str | os.PathLike[str] | None = None) -> int:
    """Show the demo.

    Parameters
    ----------
    output : str or path, optional
        Folder for ``screenshot.png`` and ``labels.tif``; the window closes when they
        are written. By default it stays open, or, if there is no display,
        the folder is ``demo-output``.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    ValueError
        If the folder is something else.
    OSError
        If there is no display and no Xvfb to make one, no Qt, or the folder cannot be
        written to.
    """
    if output is None and not has_display():
        output = OUTPUT
    if output is not None and Path(output).exists() and not Path(output).is_dir():
        raise ValueError(f"cannot write to {output}: it is no folder")
    if has_display():
        _require_qt()
        show(output)
        return 0
    return _run_on_virtual_display(str(output))


def has_display() -> bool:
    """Whether a window can be opened: everywhere but on a Linux without a screen."""
    return sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _run_on_virtual_display(output: str) -> int:
    if shutil.which("xvfb-run") is None:
        raise OSError(
            "there is no display, and no xvfb-run to do without; "
            "on Debian or Ubuntu: sudo apt-get install xvfb"
        )
    screen = "{}x{}x24".format(*WINDOW)
    again = [sys.executable, "-m", "napari_brs", "demo", "--output", output]
    return subprocess.run(["xvfb-run", "-a", "-s", f"-screen 0 {screen}", *again]).returncode


def _require_qt() -> None:
    try:
        from qtpy import QtWidgets  # noqa: F401
    except ImportError as error:
        hint = 'pip install "napari-brs[all]"'
        raise OSError(f"no Qt to open a window with ({error}); install it: {hint}") from None


def show(output: str | os.PathLike[str] | None) -> None:
    """Open napari, replay the clicks, and save the outcome or stay open.

    Raises
    ------
    OSError
        If the dock cannot work, for want of weights, say.
    """
    import napari
    from napari.utils.notifications import show_info

    from napari_brs.plugin.keys import key_of

    viewer = napari.Viewer(show=False)
    viewer.open_sample("napari-brs", "phase_contrast")
    _, dock = viewer.window.add_plugin_dock_widget("napari-brs", "BRS segmentation")
    controller: Controller = dock.controller
    controller.set_image_layer(viewer.layers["phase contrast"])
    problems = controller.state.problems
    if problems:
        viewer.close()
        raise OSError("; ".join(problems.values()))
    viewer.show()
    viewer.window.resize(*WINDOW)
    _handle_events(PAUSE)
    viewer.fit_to_view()
    replay(controller, CELLS, PAUSE if output is None else 0)
    if output is not None:
        save(viewer, controller, Path(output))
        viewer.close()
    elif not controller.closed:
        show_info(
            f"Your turn: click on a cell, Shift+click on what is no part of it; "
            f"{key_of('commit')} commits it."
        )
        napari.run()


def replay(controller: Controller, cells: Sequence[Sequence[Click]], pause: float) -> None:
    """Click on cells one by one, and commit all but the last.

    Parameters
    ----------
    controller : Controller
        Of a dock on which an image is chosen; once that is closed, nothing is clicked.
    cells : sequence of sequence of Click
        The clicks of each cell, in pixels of the image.
    pause : float
        Seconds after every click.
    """
    for number, clicks in enumerate(cells):
        if number and not controller.closed:
            controller.commit()
        for click in clicks:
            if controller.closed:
                return
            controller.add_click(click.row, click.column, click.positive)
            controller.wait(PATIENCE)
            _handle_events(pause)


def _handle_events(seconds: float) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    QApplication.processEvents()
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def save(viewer: napari.Viewer, controller: Controller, folder: Path) -> None:
    """Write ``screenshot.png`` and ``labels.tif``, and tell where."""
    from napari_brs.io.labels import write_labels

    folder.mkdir(parents=True, exist_ok=True)
    objects = controller.objects_layer
    assert objects is not None
    labels = write_labels(folder / "labels.tif", objects.data)
    screenshot = folder / "screenshot.png"
    # Until the canvas has been drawn, it is missing in a picture of the window.
    _handle_events(PAUSE)
    viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
    print(f"{screenshot}\n{labels}: {objects.data.max()} objects")
