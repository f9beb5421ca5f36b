"""Sessions that are killed at any moment lose at most the last two seconds.

``KILLS=50`` in the environment kills as many instead of five.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari")

from sessions import digest, open_image

KILLS = int(os.environ.get("KILLS", "5"))
SEED = int(os.environ.get("SEED", "1"))
LOST = 2.0
"""Seconds."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="sessions are started by fork")
def test_after_a_kill_at_any_moment_at_most_the_last_two_seconds_are_missing(
    another: Callable[[], Any], tmp_path: Path
) -> None:
    tests = Path(__file__).parent
    command = [sys.executable, str(tests / "killed_sessions.py"), str(tmp_path), str(KILLS)]
    run = subprocess.run([*command, str(SEED)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    worst = 0.0
    for number in range(KILLS):
        folder = tmp_path / str(number)
        log = [line.split() for line in (folder / "log").read_text().splitlines() if line]
        killed = float(log.pop()[1])
        steps = [(float(at), found) for what, at, found in log if what == "step"]
        masks = [(float(at), found) for what, at, found in log if what == "mask"]
        controller = another()
        open_image(controller.viewer, controller, folder / "cells.tif")
        if controller.state.resumable:
            controller.actions["resume"]()
            controller.wait(20)
            now = digest(controller, pending=False)
            # What is there last of all that looks the same: undo and redo come back to it.
            done = max(index for index, (_, found) in enumerate(steps) if found == now)
            lost = [killed - at for at, _ in steps[done + 1 :]]
            # The kill may have come before the mask of the last step.
            if done < len(masks) and digest(controller) != masks[done][1]:
                lost.append(killed - masks[done][0])
        else:
            done, lost = -1, [killed - at for at, _ in steps]
            assert not list(folder.glob("*.napari-brs"))
        worst = max([worst, *lost])
    print(f"{KILLS} killed; at most the last {worst:.2f} s were missing")
    assert worst < LOST
