"""A robot that clicks on an object once, has it followed, and corrects what went wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_brs.brs.prediction import Prediction
from napari_brs.clicks import Click
from napari_brs.io import sequences
from napari_brs.masks import Mask
from napari_brs.metrics import iou
from napari_brs.propagation.propagate import Step, propagate
from napari_brs.robot import Round, click_through
from napari_brs.segmenters import Segmenter

GOOD_START, MOST_AT_START = 0.85, 5
"""IoU at which the robot stops clicking in an object's first frame, and most clicks there."""
GOOD, MOST_LATER = 0.75, 4
"""IoU below which it corrects a followed frame, and most clicks there."""
LEAST_AREA = 30
"""Pixels of an object in its first frame."""
POOR = 0.7
"""IoU below which a frame ought to be flagged."""


@dataclass
class TrackRun:
    """One object through a sequence, as design and JSON have it.

    Attributes
    ----------
    sequence : str
    object : int
    frames : list of int
    iou_propagated : list of float or None
        Before any correction; None in the first frame.
    iou_kept : list of float
    clicks : list of int
    confidence : list of float or None
    seconds : list of float
        Of following, features included; an equal share for each object of a frame.
    """

    sequence: str
    object: int
    frames: list[int] = field(default_factory=list)
    iou_propagated: list[float | None] = field(default_factory=list)
    iou_kept: list[float] = field(default_factory=list)
    clicks: list[int] = field(default_factory=list)
    confidence: list[float | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def run_sequence(
    segmenter: Segmenter,
    sequence: sequences.Sequence,
    *,
    objects: int = 8,
    frames: int | None = None,
    seed: int = 0,
) -> list[TrackRun]:
    """Follow some objects of a sequence together; a corrected frame is followed anew from there.

    Parameters
    ----------
    segmenter : Segmenter
    sequence : Sequence
    objects : int
        Drawn by ``seed`` from those of the first frame that are in the second, too.
    frames : int, optional
        How many of the sequence.
    seed : int
    """
    count = min(len(sequence), frames or len(sequence))
    first, second = sequence.labels(0), sequence.labels(min(1, count - 1))
    ids, areas = np.unique(first, return_counts=True)
    chosen = [
        int(number)
        for number, area in zip(ids, areas, strict=True)
        if number > 0 and area >= LEAST_AREA and (second == number).any()
    ]
    np.random.default_rng(seed).shuffle(chosen)
    runs = {number: TrackRun(sequence.name, number) for number in chosen[:objects]}
    masks: dict[int, Mask] = {}
    segmenter.set_image(sequence[0])
    for number, run in runs.items():
        masks[number] = _click(
            segmenter, run, first, None, best=GOOD_START, most=MOST_AT_START, frame=0
        )
    steps: Iterator[Step] | None = None
    for frame in range(1, count):
        labels = sequence.labels(frame)
        there = {n: mask for n, mask in masks.items() if mask and (labels == n).any()}
        if not there:
            break
        if steps is None or there.keys() != masks.keys():
            steps = propagate(segmenter, sequence, frame - 1, there, count)
        began = time.perf_counter()
        step = next(steps)
        seconds = (time.perf_counter() - began) / len(there)
        masks = {
            number: _click(
                segmenter,
                runs[number],
                labels,
                step.objects[number].mask,
                best=GOOD,
                most=MOST_LATER,
                frame=frame,
                confidence=step.confidence[number],
                seconds=seconds,
            )
            for number in there
        }
        if any(runs[number].clicks[-1] for number in there):
            steps = None
    return list(runs.values())


def _click(
    segmenter: Segmenter,
    run: TrackRun,
    labels: NDArray[np.int32],
    followed: Mask | None,
    *,
    best: float,
    most: int,
    frame: int,
    confidence: float | None = None,
    seconds: float = 0.0,
) -> Mask:
    """Correct an object until it is good enough, and note how it went."""
    truth, ignore = labels == run.object, labels < 0
    mask = Mask.empty((labels.shape[0], labels.shape[1])) if followed is None else followed
    reached = iou(mask.full(), truth, ignore)
    run.frames.append(frame)
    run.iou_propagated.append(None if followed is None else round(reached, 4))
    run.confidence.append(None if confidence is None else round(confidence, 4))
    run.seconds.append(round(seconds, 4))
    clicks = 0

    def predict(clicks: tuple[Click, ...], before: Mask | Prediction | None) -> Mask | Prediction:
        return segmenter.predict(clicks, previous=before)

    start: Mask | Prediction | None = followed or None

    if reached < best:
        rounds: Iterator[Round[Mask | Prediction]] = click_through(
            predict,
            truth,
            ignore,
            max_clicks=most,
            start=start,
            mask_of=_pixels,
        )
        for one in rounds:
            clicks = len(one.clicks)
            mask, reached = Mask.of(one.mask), iou(one.mask, truth, ignore)
            if reached >= best:
                break
    run.clicks.append(clicks)
    run.iou_kept.append(round(reached, 4))
    return mask


def _pixels(result: Mask | Prediction) -> NDArray[np.bool_]:
    return result.full() if isinstance(result, Mask) else result.mask


def summarise_tracks(runs: Sequence[TrackRun]) -> dict[str, object]:
    """Tracks, and means over all their frames."""
    followed = [
        (value, chance, spent)
        for run in runs
        for value, chance, spent in zip(
            run.iou_propagated, run.confidence, run.seconds, strict=True
        )
        if value is not None and chance is not None
    ]
    clicks = [count for run in runs for count in run.clicks]
    values = np.array([value for value, _, _ in followed])
    return {
        "tracks": [asdict(run) for run in runs],
        "clicks_per_object_frame": round(float(np.mean(clicks)), 4),
        "iou_propagated": round(float(values.mean()), 4),
        "iou_kept": round(float(np.mean([value for run in runs for value in run.iou_kept])), 4),
        "share_good": round(float((values >= GOOD).mean()), 4),
        "seconds_per_object_frame": round(float(np.mean([spent for *_, spent in followed])), 4),
    }
