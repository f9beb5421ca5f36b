"""How long the window waits for autosave: 2,000 clicks on 500 objects, in a folder.

``measure_autosave.py FOLDER`` prints the longest time that saving takes of the main thread in
one step, and the longest gap between two turns of the event loop while a whole session is
written anew, beside that of a loop with nothing to write.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

from napari_brs.masks import Mask
from napari_brs.plugin.autosaving import Autosaving
from napari_brs.plugin.controller import Controller
from napari_brs.plugin.saved_work import SavedWork

OBJECTS, CLICKS, SIDE, RADIUS = 500, 4, 2048, 30
SPENT = [0.0]
"""Seconds of saving in each step."""


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args)
        finally:
            SPENT[-1] += time.perf_counter() - start

    return call


def gaps(seconds: float) -> np.ndarray:
    """Milliseconds between turns of the event loop, sorted."""
    turns = [time.perf_counter()]
    while turns[-1] - turns[0] < seconds:
        QApplication.processEvents()
        turns.append(time.perf_counter())
    return np.sort(np.diff(turns)) * 1000


def main(folder: Path) -> None:
    # The signals hold on to the methods, so they are wrapped before anything is connected.
    for name in ("_on_changed", "_on_written", "_hand_over", "_on_done"):
        setattr(Autosaving, name, timed(getattr(Autosaving, name)))
    for name in ("_on_history", "note_prediction"):
        setattr(SavedWork, name, timed(getattr(SavedWork, name)))
    application = QApplication([])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_DATA_HOME"] = str(folder)
    viewer = ViewerModel()
    controller = Controller(viewer)
    image = viewer.add_image(np.random.default_rng(0).integers(0, 255, (SIDE, SIDE), np.uint8))
    controller.set_image_layer(image, look=False)
    controller.wait()
    controller.set(run_on_click=False)
    work, saved = controller.context.work, controller.autosaving.now
    assert work is not None
    assert saved is not None
    rows, columns = np.indices((2 * RADIUS + 1, 2 * RADIUS + 1)) - RADIUS
    disc = rows**2 + columns**2 <= RADIUS**2
    whole = np.zeros((SIDE, SIDE), bool)
    for number in range(OBJECTS):
        row, column = (40 + 80 * (number // 24), 40 + 80 * (number % 24))
        whole[:] = False
        whole[row - RADIUS : row + RADIUS + 1, column - RADIUS : column + RADIUS + 1] = disc
        mask = Mask.of(whole)
        for click in range(CLICKS):
            SPENT.append(0.0)
            controller.add_click(float(row + click), float(column))
            plane = work.session.current.plane((None, None))
            work.predictions.put(plane, work.model, mask)
            saved.note_prediction(plane, work.model, mask)
            application.processEvents()
        SPENT.append(0.0)
        controller.commit()
        application.processEvents()
    time.sleep(1)
    spent = np.sort(SPENT) * 1000
    print(f"{OBJECTS * CLICKS} clicks, {OBJECTS} objects, {SIDE} x {SIDE} pixels")
    print(f"saving in a step: median {np.median(spent):.2f}, 99.9 % within "
          f"{spent[int(0.999 * len(spent))]:.2f}, longest {spent[-1]:.2f} ms")  # fmt: skip
    quiet = gaps(2)
    saved.note_all()
    busy = gaps(2)
    for name, found in (("nothing to write", quiet), ("all written anew", busy)):
        print(f"turns, {name}: 99.9 % within {found[int(0.999 * len(found))]:.2f}, "
              f"longest {found[-1]:.2f} ms")  # fmt: skip
    controller.close()
    assert saved.saver is not None
    assert saved.saver.place is not None
    print(f"{saved.saver.place.path.stat().st_size / 2**20:.1f} MiB on the disk")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
