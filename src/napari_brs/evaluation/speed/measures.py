"""Times of single clicks and of features."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.evaluation.speed.workload import Sample, Step, hard_steps, robot_steps

OBJECTS = 6
"""Objects of each image that are clicked."""
CLICKS = 5
"""The robot's clicks on each of them."""


PROCESSOR = "of all threads together; other work on the machine hardly changes it"


class Figure(NamedTuple):
    """One line of the table; a value of None was not measured, and the note says why."""

    name: str
    value: float | None
    unit: str
    samples: int
    note: str = ""


def click_times(segmenter: BRSSegmenter, samples: Sequence[Sample], where: str) -> list[Figure]:
    """Click to mask, refinement included, features cached: median and 95th percentile."""
    seconds: list[float] = []
    processor: list[float] = []
    grids: list[int] = []
    refined = obeyed = 0
    for sample in samples:
        segmenter.set_image(sample.image)
        for truth in sample.objects(OBJECTS):
            for step in robot_steps(segmenter, truth, CLICKS):
                segmenter.predict(step.clicks, step.previous)
                began = time.process_time()
                done = segmenter.predict(step.clicks, step.previous)
                processor.append(time.process_time() - began)
                seconds.append(done.seconds)
                grids.append(max(done.view.grid))
                refined += done.refinement is not None
                obeyed += all(done.clicks_obeyed)
    name, count = f"click → mask, {where}", len(seconds)
    note = f"{refined} refined; every click obeyed after {obeyed}; grids {min(grids)}–{max(grids)}"
    return [
        Figure(f"{name}: median", statistics.median(seconds), "s", count, note),
        Figure(f"{name}: 95th percentile", float(np.percentile(seconds, 95)), "s", count),
        Figure(f"{name}: processor time", statistics.median(processor), "s", count, PROCESSOR),
    ]


def refined_times(segmenter: BRSSegmenter, samples: Sequence[Sample], wanted: int) -> list[Figure]:
    """The same for clicks that the network alone does not obey."""
    name = "click → mask where the network alone disobeys"
    done = [
        segmenter.predict(step.clicks, step.previous)
        for _, step in hard_clicks(segmenter, samples, wanted)
    ]
    if not done:
        return [Figure(f"{name}: median", None, "s", 0, "it obeyed every click that was drawn")]
    seconds = [one.seconds for one in done]
    evaluations = [one.refinement.evaluations for one in done if one.refinement is not None]
    obeyed = sum(all(one.clicks_obeyed) for one in done)
    note = f"{statistics.median(evaluations):g} evaluations; obeyed then: {obeyed}"
    return [
        Figure(f"{name}: median", statistics.median(seconds), "s", len(done), note),
        Figure(f"{name}: longest", max(seconds), "s", len(done)),
    ]


def hard_clicks(
    segmenter: BRSSegmenter, samples: Sequence[Sample], wanted: int
) -> Iterator[tuple[Sample, Step]]:
    """Clicks that need refinement, at most two an object; their image is set, features cached."""
    found = 0
    for sample in samples:
        segmenter.set_image(sample.image)
        for truth in sample.objects(2 * OBJECTS):
            for step in islice(hard_steps(segmenter, truth, clicks=2, draws=4), 2):
                yield sample, step
                found += 1
                if found >= wanted:
                    return


def feature_times(segmenter: BRSSegmenter, sample: Sample, repeats: int = 7) -> list[Figure]:
    """Reading a 512 × 512 image and computing its features."""
    image = sample.image[:512, :512]
    times = []
    for _ in range(1 + repeats):
        segmenter.set_image(image)
        began = time.perf_counter(), time.process_time()
        segmenter.encode()
        _finish(segmenter)
        times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    seconds, processor = np.median(times[1:], axis=0).tolist()
    name = "features of a 512 × 512 view"
    return [
        Figure(name, seconds, "s", repeats),
        Figure(f"{name}: processor time", processor, "s", repeats, PROCESSOR),
    ]


def _finish(segmenter: BRSSegmenter) -> None:
    """Wait for the GPU, which works on when the call has returned."""
    if segmenter.device.type == "cuda":
        torch.cuda.synchronize()
