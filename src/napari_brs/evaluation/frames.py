"""How well a frame is completed from a few of its objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_brs.evaluation.protocol import RobotSettings, choose_objects
from napari_brs.io.packs import Sample
from napari_brs.masks import Mask

MIN_AREA = 60
"""Pixels of the smallest objects that are given or looked for."""
FEWEST = 8
"""Objects of an image that is worth completing."""
SHOWN = 0.4
"""Confidence from which proposals count."""


class Found(Protocol):
    """What is proposed; `napari_brs.completion.propose.Proposal` is one."""

    @property
    def mask(self) -> Mask:
        """Of the object."""

    @property
    def confidence(self) -> float:
        """In [0, 1]."""


Proposer = Callable[[NDArray[np.uint8], Sequence[Mask]], Iterable[Found]]
"""An image and the masks of its finished objects to proposals."""


@dataclass(frozen=True)
class FrameRun:
    """What was found in one image.

    Attributes
    ----------
    image : str
    objects : int
        That were to be found.
    examples : int
        Finished objects that were given.
    proposed : int
        Proposals that count.
    matched50, matched75 : int
        Objects that a proposal has an IoU of at least 0.5 or 0.75 with.
    false : int
        Proposals that match no object with 0.5.
    seconds, first_seconds : float
        Until all proposals were there, and until the first.
    """

    image: str
    objects: int
    examples: int
    proposed: int
    matched50: int
    matched75: int
    false: int
    seconds: float
    first_seconds: float


def complete_frame(
    propose: Proposer, sample: Sample, count: int, seed: int = 0, shown: float = SHOWN
) -> FrameRun | None:
    """Give some true objects of an image as finished, and look for the others.

    Parameters
    ----------
    propose : callable
    sample : Sample
    count : int
        Objects that are given; drawn as in `choose_objects`, of `MIN_AREA` pixels at least.
    seed : int
    shown : float
        Confidence from which proposals count.

    Returns
    -------
    FrameRun or None
        None if the image has fewer than `FEWEST` objects, or none beside the examples.
    """
    wanted = large_objects(sample.labels)
    given = drawn_objects(sample, count, seed)
    rest = wanted - set(given)
    if len(wanted) < FEWEST or not rest:
        return None
    finished = [mask_of(sample.labels, number) for number in given]
    began, first = time.perf_counter(), None
    found: list[Mask] = []
    for proposal in propose(sample.image, finished):
        if proposal.confidence >= shown:
            first = first or time.perf_counter() - began
            found.append(proposal.mask)
    seconds = time.perf_counter() - began
    counted, ious = match(found, sample, rest)
    good, better = (sum(value >= level for value in ious.values()) for level in (0.5, 0.75))
    return FrameRun(
        sample.name,
        len(rest),
        len(given),
        counted,
        good,
        better,
        counted - good,
        round(seconds, 3),
        round(first or seconds, 3),
    )


def large_objects(labels: NDArray[np.int32]) -> set[int]:
    """Numbers of the objects that are given or looked for."""
    return {int(number) for number in np.flatnonzero(np.bincount(labels.ravel()) >= MIN_AREA)} - {0}


def drawn_objects(sample: Sample, count: int, seed: int) -> list[int]:
    """Numbers of the objects that are given as finished."""
    settings = RobotSettings(objects_per_image=count, min_area=MIN_AREA, seed=seed)
    return choose_objects(sample.labels, sample.name, settings)


def mask_of(labels: NDArray[np.int32], number: int) -> Mask:
    """The pixels of one object of a label image."""
    return Mask.of(labels == number)


def match(found: Iterable[Mask], sample: Sample, rest: set[int]) -> tuple[int, dict[int, float]]:
    """Compare disjoint proposals with the objects that were to be found.

    Proposals that match another object with an IoU of 0.5 (a small one, or one that was
    given), and those of which more than half is ignored, do not count.

    Returns
    -------
    int
        Proposals that count.
    dict
        Object number -> IoU with the proposal that covers it best.
    """
    areas = np.bincount(sample.labels.ravel())
    counted, best = 0, dict.fromkeys(rest, 0.0)
    for mask in found:
        pixels = mask.pixels
        hits = np.bincount(sample.labels[mask.box.slices][pixels], minlength=len(areas))
        ignored = np.count_nonzero(sample.ignore[mask.box.slices] & pixels)
        union = mask.area - ignored + areas - hits
        ious = np.divide(hits, union, out=np.zeros(len(areas)), where=union > 0)
        ious[0] = 0
        number = int(ious.argmax())
        if 2 * ignored > mask.area or (ious[number] >= 0.5 and number not in rest):
            continue
        counted += 1
        if number in rest:
            best[number] = max(best[number], float(ious[number]))
    return counted, best


def summarise_frames(runs: Sequence[FrameRun]) -> dict[str, Any]:
    """The images' figures, and F1 over the objects of all images together."""
    total = sum(run.proposed + run.objects for run in runs)
    return {
        "images": [asdict(run) for run in runs],
        "f1_50": round(2 * sum(run.matched50 for run in runs) / total, 4),
        "f1_75": round(2 * sum(run.matched75 for run in runs) / total, 4),
    }
