"""Clicks that correct the segmentation of a whole image (Sections 3.3 and 4.4)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.robot import click_through

MAX_CLICKS = 5
"""As in Tables 3 and 4 and Figure 11."""


class WholeImageSegmenter(Protocol):
    """What can be corrected; `napari_brs.converted.segmenter.ConvertedSegmenter` is one."""

    def set_image(self, image: Any) -> None:
        """Take an image (H, W[, 3])."""

    def segment(
        self,
        clicks: Sequence[Click] = (),
        targets: Sequence[int] | None = None,
        previous: Any = None,
    ) -> Any:
        """The image with all clicks so far, as a `napari_brs.converted.segmenter.WholeImage`."""


@dataclass(frozen=True)
class CorrectedImage:
    """What clicks made of the segmentation of an image.

    Attributes
    ----------
    masks : list of (H, W) bool
        Pixels of the class that is clicked on: without clicks, after one click, …
    probabilities : list of (H, W) float32
        Of that class.
    clicks : list of Click
        Fewer than the masks where no error was left.
    obeyed : list of float
        Share of all clicks so far that have their label, after each click.
    evaluations : list of int
        Forward and backward passes for each click.
    stable : list of bool
        Whether each click left alone what lies far from it.
    seconds : list of float
        Of each click.
    """

    masks: list[NDArray[np.bool_]]
    probabilities: list[NDArray[np.float32]]
    clicks: list[Click]
    obeyed: list[float]
    evaluations: list[int]
    stable: list[bool]
    seconds: list[float]


def correct_image(
    segmenter: WholeImageSegmenter,
    image: NDArray[np.uint8],
    truth: NDArray[np.bool_],
    ignore: NDArray[np.bool_],
    target: int = 0,
    max_clicks: int = MAX_CLICKS,
) -> CorrectedImage:
    """Let the robot click on the largest error of the whole image, again and again.

    The robot is that of `click_through`. A click on a pixel that lacks the class says that
    it has it, one on a pixel that has it wrongly says that it has not.

    Parameters
    ----------
    segmenter : WholeImageSegmenter
    image : (H, W[, 3]) uint8
    truth, ignore : (H, W) bool
    target : int
        The class of ``truth`` among those of the segmenter.
    max_clicks : int
    """
    segmenter.set_image(image)

    def mask_of(whole: Any) -> NDArray[np.bool_]:
        return np.asarray(whole.mask(target))

    def segment(clicks: Sequence[Click], previous: Any) -> Any:
        began = time.perf_counter()
        whole = segmenter.segment(clicks, [target] * len(clicks), previous)
        result.seconds.append(time.perf_counter() - began)
        return whole

    now = segmenter.segment()
    result = CorrectedImage([mask_of(now)], [now.probabilities[target]], [], [], [], [], [])
    for made in click_through(
        segment, truth, ignore, max_clicks=max_clicks, start=now, mask_of=mask_of
    ):
        now = made.result
        result.clicks.append(made.clicks[-1])
        result.masks.append(made.mask)
        result.probabilities.append(now.probabilities[target])
        result.obeyed.append(float(np.mean(now.clicks_obeyed)))
        result.evaluations.append(now.evaluations)
        result.stable.append(now.stable)
    return result
