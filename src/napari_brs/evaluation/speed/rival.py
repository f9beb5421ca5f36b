"""Refinement timed against the textbook's."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brs.brs.interaction_maps import interaction_maps
from napari_brs.brs.refinement import refine
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.brs.view import View
from napari_brs.brs.view import sample as sample_at
from napari_brs.clicks import Click, click_arrays
from napari_brs.evaluation.speed import textbook
from napari_brs.evaluation.speed.measures import OBJECTS, Figure, hard_clicks
from napari_brs.evaluation.speed.workload import Sample, Step
from napari_brs.image import ImageSource
from napari_brs.masks import Box

MAX_EVALUATIONS = 100
"""Where the textbook is stopped at the latest."""


def against_textbook(
    segmenter: BRSSegmenter, samples: Sequence[Sample], wanted: int, model: str
) -> Figure:
    """SciPy on the host over the maps of the whole image ÷ ours, until the clicks are obeyed.

    Same network, same clicks; image features are there beforehand for both.
    """
    ours: list[tuple[float, int]] = []
    theirs: list[tuple[float, int]] = []
    for sample, step in hard_clicks(segmenter, samples, wanted):
        mine = segmenter.predict(step.clicks, step.previous).refinement
        decode, maps, points, labels = _seen(segmenter, sample, step)
        began = time.perf_counter()
        _, evaluations = textbook.refine(
            decode, maps, points.astype(np.intp), labels, max_evaluations=MAX_EVALUATIONS
        )
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


def one_evaluation(segmenter: BRSSegmenter, samples: Sequence[Sample], model: str) -> Figure:
    """The same for a single evaluation: all that an untrained network can tell."""
    ratios = []
    for sample in samples:
        segmenter.set_image(sample.image)
        for truth in list(sample.objects(OBJECTS))[:2]:
            rows, columns = np.nonzero(truth)
            middle = len(rows) // 2
            step = Step((Click(int(rows[middle]), int(columns[middle])),), None)
            window = segmenter.predict(step.clicks, truth, refine=False).view
            decode, maps, points, _ = _seen(segmenter, sample, step, window)
            ours = refine(
                decode,
                torch.from_numpy(maps[None]).to(segmenter.device),
                torch.from_numpy(points),
                torch.from_numpy(_wrong(decode, maps, points)),
                max_evaluations=1,
            )
            decode, maps, points, _ = _seen(segmenter, sample, step)
            labels = _wrong(decode, maps, points)
            began = time.perf_counter()
            textbook.refine(decode, maps, points.astype(np.intp), labels, max_evaluations=1)
            ratios.append((time.perf_counter() - began) / ours.seconds)
    name = f"{model}: an evaluation on full maps ÷ in the object's window"
    note = "random weights, since none are here"
    return Figure(name, statistics.median(ratios), "", len(ratios), note)


def _wrong(
    decode: Callable[[Tensor], Tensor], maps: NDArray[np.float32], points: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Labels that the network contradicts, so that the first evaluation is a whole one."""
    with torch.no_grad():
        logits = decode(torch.from_numpy(maps[None]))
        return (sample_at(logits, torch.from_numpy(points)) <= 0).cpu().numpy()


def _seen(
    segmenter: BRSSegmenter, sample: Sample, step: Step, view: View | None = None
) -> tuple[Callable[[Tensor], Tensor], NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
    """The network on a view of the image, maps, clicks on the grid, labels.

    Without a view it is what the textbook is given: the whole image as it is.
    """
    shape = sample.labels.shape
    view = view or View(Box(0, 0, *shape), shape)
    box = view.box
    points, labels = click_arrays(step.clicks)
    points = view.to_grid(points)
    pixels = ImageSource(sample.image).read(box.top, box.left, box.height, box.width)
    previous = None
    if segmenter.network.uses_previous and step.previous is not None:
        window = step.previous.probability[box.slices]
        previous = view.crop(window[..., None]).to(segmenter.device)
    with torch.no_grad():
        features = segmenter.network.encode(view.crop(pixels).to(segmenter.device))

    def decode(maps: Tensor) -> Tensor:
        return segmenter.network.decode(features, maps.to(segmenter.device), previous)

    return decode, interaction_maps(points, labels, view.grid), points, labels
