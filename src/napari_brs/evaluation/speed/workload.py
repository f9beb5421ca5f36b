"""What is timed: a robot's clicks on the sample images, and clicks that need refinement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.evaluation.protocol import RobotSettings, choose_objects
from napari_brs.robot import click_through

if TYPE_CHECKING:
    from napari_brs.brs.prediction import Prediction
    from napari_brs.brs.segmenter import BRSSegmenter

FOLDER = Path(__file__).parents[2] / "plugin" / "samples"
NAMES = ("phase_contrast", "nuclei")


class Sample(NamedTuple):
    """An image (H, W) uint16, and its objects' ids (H, W) uint8."""

    name: str
    image: NDArray[Any]
    labels: NDArray[Any]

    def magnified(self, times: int) -> Sample:
        """Every pixel as a square of so many pixels."""
        image, labels = (
            part.repeat(times, axis=0).repeat(times, axis=1) for part in (self.image, self.labels)
        )
        return Sample(f"{self.name} ×{times}", image, labels)

    def objects(self, count: int) -> Iterator[NDArray[np.bool_]]:
        """Masks (H, W) of some of its objects, the same in every run."""
        settings = RobotSettings(objects_per_image=count)
        for number in choose_objects(self.labels.astype(np.int32), self.name, settings):
            yield self.labels == number


class Step(NamedTuple):
    """All clicks of an object so far, and the prediction before the last of them."""

    clicks: tuple[Click, ...]
    previous: Prediction | None


def read_samples() -> list[Sample]:
    """The cells that are shipped with the plugin."""
    from PIL import Image

    return [
        Sample(
            name,
            tifffile.imread(FOLDER / f"{name}.tif"),
            np.asarray(Image.open(FOLDER / f"{name}_labels.png")),
        )
        for name in NAMES
    ]


def robot_steps(segmenter: BRSSegmenter, truth: NDArray[np.bool_], clicks: int) -> Iterator[Step]:
    """The clicks of the robot on one object of the segmenter's image.

    Between two of them the features of the views that the first one needed are cached.
    """
    for made in click_through(segmenter.predict, truth, max_clicks=clicks):
        yield Step(made.clicks, made.previous)


def hard_steps(
    segmenter: BRSSegmenter, truth: NDArray[np.bool_], clicks: int, draws: int, seed: int = 0
) -> Iterator[Step]:
    """Clicks on one object that the network alone does not obey.

    After some clicks of the robot, further ones are drawn among the pixels that the
    mask has wrong, and beside earlier clicks, with the other sign: finer than the
    network's own grid.
    """
    steps = list(robot_steps(segmenter, truth, clicks))
    if not steps:
        return
    last = steps[-1]
    before = segmenter.predict(last.clicks, last.previous)
    wrong = np.argwhere(before.mask ^ truth)
    drawn = np.random.default_rng(seed).permutation(len(wrong))[:draws]
    candidates = [Click(row, column, bool(truth[row, column])) for row, column in wrong[drawn]]
    candidates += [
        Click(click.row + down, click.column + across, not click.positive)
        for click in last.clicks
        for down, across in ((1, 0), (0, 1), (0, 2))
    ]
    taken = {click.pixel for click in last.clicks}
    for click in candidates:
        row, column = click.pixel
        if click.pixel in taken or row >= truth.shape[0] or column >= truth.shape[1]:
            continue
        made = (*last.clicks, click)
        if not all(segmenter.predict(made, before, refine=False).clicks_obeyed):
            yield Step(made, before)
