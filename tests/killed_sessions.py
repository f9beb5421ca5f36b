"""Sessions that are killed in the middle: ``killed_sessions.py FOLDER COUNT SEED``.

Each works on an image in a folder of its own, and logs, for every step, when it was done and a
digest of all there is then. A log ends with the time of the kill.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from fakes import FakeSegmenter
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
from sessions import SHAPE, digest, open_image, paint, pause, write_image

import napari_brs.brs.segmenter
import napari_brs.models
from napari_brs.io import saver
from napari_brs.plugin.controller import Controller

TOGETHER = 5
"""Sessions at a time."""
LONGEST = 2.5
"""Seconds of a session."""


def step(controller: Any, chance: random.Random) -> None:
    """Something that a user does."""
    place = chance.randrange(SHAPE[0]), chance.randrange(SHAPE[1])
    what = chance.choice("ccccccdddppeeuuruno")
    if what == "c":
        controller.add_click(*map(float, place), chance.random() < 0.7)
    elif what == "d":
        controller.commit()
    elif what == "p":
        paint(controller.objects_layer, place, chance.randrange(5))
    elif what == "e":
        paint(controller.preview_layer, place, int(controller.preview_layer.data.max()) or 1)
        controller.context.take_paint()
    elif what == "u":
        controller.undo()
    elif what == "r":
        controller.redo()
    elif what == "n":
        controller.new_object()
    elif what == "o":
        controller.open_object(chance.choice(controller.session.objects).key)


def work(folder: Path, seed: int) -> None:
    """Work until killed."""
    napari_brs.brs.segmenter.BRSSegmenter = FakeSegmenter  # type: ignore[misc,assignment]
    napari_brs.models.ModelInfo.available = True  # type: ignore[method-assign,assignment]
    # So that journals are written anew every few steps, too.
    saver.AT_LEAST = 4096
    application = QApplication([])
    viewer = ViewerModel()
    assert application is QApplication.instance()
    controller = Controller(viewer)
    open_image(viewer, controller, folder / "cells.tif")
    chance = random.Random(seed)
    with (folder / "log").open("w") as log:
        while True:
            step(controller, chance)
            # Nothing is handed over to be saved before events are handled.
            print("step", time.monotonic(), digest(controller, False), file=log, flush=True)
            controller.wait(20)
            print("mask", time.monotonic(), digest(controller, True), file=log, flush=True)
            pause(chance.uniform(0, 0.05))


def main(folder: Path, count: int, seed: int) -> None:
    for first in range(0, count, TOGETHER):
        started = {}
        for number in range(first, min(first + TOGETHER, count)):
            write_image(folder / str(number) / "cells.tif")
            started[number] = os.fork()
            if not started[number]:
                work(folder / str(number), seed + number)
        for number, process in started.items():
            log = folder / str(number) / "log"
            while not (log.exists() and log.stat().st_size):
                if os.waitpid(process, os.WNOHANG)[0]:
                    sys.exit(f"session {number} ended by itself")
                time.sleep(0.01)
        chance = random.Random(seed + first)
        ends = {time.monotonic() + chance.uniform(0, LONGEST): number for number in started}
        for end, number in sorted(ends.items()):
            time.sleep(max(0.0, end - time.monotonic()))
            os.kill(started[number], signal.SIGKILL)
            killed = time.monotonic()
            os.waitpid(started[number], 0)
            with (folder / str(number) / "log").open("a") as log_file:
                log_file.write(f"\nkill {killed}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
