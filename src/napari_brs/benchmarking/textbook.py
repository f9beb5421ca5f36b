"""Refinement against the textbook's, which lies in ``benchmarks/textbook.py``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brs.benchmarking.measures import OBJECTS, Figure, hard_clicks
from napari_brs.benchmarking.workload import Sample, Step
from napari_brs.benchmarks import textbook
from napari_brs.clicks import Click, click_arrays
from napari_brs.geometry import Box, View
from napari_brs.image import ImageSource
from napari_brs.interaction_maps import interaction_maps
from napari_brs.segmenter import Segmenter

MAX_EVALUATIONS = 100
"""Where the textbook is stopped at the latest."""


def against_textbook(
    segmenter: Segmenter, samples: Sequence[Sample], wanted: int, model: str
) -> Figure:
    """SciPy on the host over the maps of the whole image ÷ ours, until the clicks are obeyed.

    Same network, same clicks; image features are there beforehand for both.
    """
    ours: list[tuple[float, int]] = []
    theirs: list[tuple[float, int]] = []
    for sample, step in hard_clicks(segmenter, samples, wanted):
        mine = segmenter.predict(step.clicks, step.previous).refinement
        whole = _whole_image(segmenter, sample, step)
        began = time.perf_counter()
        _, evaluations = textbook.refine(*whole, max_evaluations=MAX_EVALUATIONS)
        seconds = time.perf_counter() - began
        if mine is not None and evaluations > 1:  # else obeyed without it at full resolution
            ours.append((mine.seconds, mine.evaluations))
            theirs.append((seconds, evaluations))
    name = f"{model}: textbook refinement ÷ ours"
    if not ours:
        return Figure(name, None, "", 0, "no click that was drawn needed it in both")
    (our_time, our_count), (their_time, their_count) = np.sum(ours, 0), np.sum(theirs, 0)
    note = (
        f"{their_count / len(ours):.1f} against {our_count / len(ours):.1f} evaluations, "
        f"each {their_time / their_count / (our_time / our_count):.1f} times as long"
    )
    return Figure(name, their_time / our_time, "", len(ours), note)


def one_evaluation(segmenter: Segmenter, samples: Sequence[Sample], model: str) -> Figure:
    """The same for a single evaluation: all that an untrained network can tell."""
    ratios = []
    for sample in samples:
        segmenter.set_image(sample.image)
        for truth in list(sample.objects(OBJECTS))[:2]:
            rows, columns = np.nonzero(truth)
            middle = len(rows) // 2
            # Asked to go, so that the first evaluation is not the last.
            clicks = (Click(int(rows[middle]), int(columns[middle]), False),)
            mine = segmenter.predict(clicks, truth, on_progress=lambda news: news.evaluation < 1)
            whole = _whole_image(segmenter, sample, Step(clicks, None))
            began = time.perf_counter()
            _, evaluations = textbook.refine(*whole, max_evaluations=1)
            seconds = (time.perf_counter() - began) / evaluations
            if mine.refinement is not None:
                ratios.append(seconds / mine.refinement.seconds * mine.refinement.evaluations)
    name = f"{model}: an evaluation on full maps ÷ in the object's window"
    note = "random weights, since none are here"
    return Figure(name, statistics.median(ratios) if ratios else None, "", len(ratios), note)


def _whole_image(
    segmenter: Segmenter, sample: Sample, step: Step
) -> tuple[Callable[[Tensor], Tensor], NDArray[np.float32], NDArray[np.intp], NDArray[np.bool_]]:
    """What the textbook is given: the network on the image as it is, maps, pixels, labels."""
    shape = sample.labels.shape
    view = View(Box(0, 0, *shape), shape)
    points, labels = click_arrays(step.clicks)
    pixels = ImageSource(sample.image).read(0, 0, *shape)
    previous = None
    if segmenter.network.uses_previous and step.previous is not None:
        previous = torch.from_numpy(step.previous.probability)[None, None]
    with torch.no_grad():
        features = segmenter.network.encode(view.crop(pixels).to(segmenter.device))

    def decode(maps: Tensor) -> Tensor:
        on_device = None if previous is None else previous.to(segmenter.device)
        return segmenter.network.decode(features, maps.to(segmenter.device), on_device)

    return decode, interaction_maps(points, labels, shape), points.astype(np.intp), labels
