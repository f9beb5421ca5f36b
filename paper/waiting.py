"""How long a click waits on a quiet and on a busy machine, by how torch's threads wait.

    python -m paper.waiting [--rounds 5]

A fresh process opens brs-live and segments the sample cells: the time to the first mask
(features included) and the median of later clicks. Each variant runs alone and beside one
busy process a core, the variants in turn; what takes longer than a minute is given up.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys

VARIANTS = {
    "spinning, one thread a core": {"OMP_WAIT_POLICY": "ACTIVE"},
    "waiting passively, one thread a core": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"},
}
CLICKS = 10
PATIENCE = 60
"""Seconds."""
WORK = f"""
import json, time
from napari_brs import Click, open_segmenter
from napari_brs.plugin.sample_data import phase_contrast
image = phase_contrast()[0][0]
segmenter = open_segmenter("brs-live", "cpu")
seconds = []
segmenter.set_image(image)
for index in range({CLICKS}):
    began = time.perf_counter()
    segmenter.predict([Click(40 + 40 * index, 200)], refine=False)
    seconds.append(time.perf_counter() - began)
print(json.dumps(seconds))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for busy in (False, True):
        taken: dict[str, list[list[float]]] = {name: [] for name in VARIANTS}
        load = [
            subprocess.Popen([sys.executable, "-c", "while True: pass"])
            for _ in range(busy * (os.cpu_count() or 1))
        ]
        try:
            for _ in range(rounds):
                for name, variant in VARIANTS.items():
                    taken[name].append(_clicks(variant))
        finally:
            for process in load:
                process.kill()
        for name, runs in taken.items():
            first = statistics.median(run[0] for run in runs)
            later = statistics.median(seconds for run in runs for seconds in run[1:])
            where = "busy" if busy else "quiet"
            print(f"{where}, {name}: first mask {first:.2f} s, later clicks {later:.3f} s")


def _clicks(variant: dict[str, str]) -> list[float]:
    """Seconds of each click, infinite if given up."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")} | variant
    command = [sys.executable, "-c", WORK]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return [math.inf] * CLICKS
    seconds: list[float] = json.loads(done.stdout)
    return seconds


if __name__ == "__main__":
    main()
