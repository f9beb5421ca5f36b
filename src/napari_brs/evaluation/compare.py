"""Paired comparison of two runs over the same objects."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.evaluation.protocol import MOST_CLICKS, are_runs
from napari_brs.evaluation.summary import THRESHOLDS
from napari_brs.io.json_files import read_json
from napari_brs.metrics import area_under_curve, iou_per_click, number_of_clicks

SHOWN_CLICKS = (1, 3, 5)
"""Clicks that the IoU is compared after."""


@dataclass(frozen=True)
class Difference:
    """How one figure changes from the first run to the second.

    ``low`` and ``high`` bound the 95 % bootstrap interval of ``change``.
    """

    figure: str
    first: float
    second: float
    change: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def load_result(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A result that ``napari-brs evaluate --json`` wrote.

    Raises
    ------
    ValueError
        If it is something else.
    OSError
        If it cannot be read.
    """
    result = read_json(path)
    if (
        not isinstance(result, dict)
        or not isinstance(result.get("pack"), str)
        or type(result.get("max_clicks")) is not int
        or not 1 <= result["max_clicks"] <= MOST_CLICKS
        or not are_runs(result.get("objects"), result["max_clicks"])
    ):
        raise ValueError(f"{path} is not a result of napari-brs evaluate")
    return result


def compare(
    first: Mapping[str, Any], second: Mapping[str, Any], resamples: int = 10_000, seed: int = 0
) -> tuple[int, list[Difference]]:
    """Compare the figures of two evaluation results, object by object.

    Parameters
    ----------
    first, second : mapping
        As `evaluate` returns them. Objects that only one of them has are left out.
    resamples : int
        Bootstrap samples. Images are drawn, not objects, because objects of
        one image are not independent.
    seed : int

    Returns
    -------
    (int, list of Difference)
        Number of objects compared, and the differences second - first.

    Raises
    ------
    ValueError
        If pack or number of clicks differ, or no object is common.
    """
    for key in ("pack", "max_clicks"):
        if first[key] != second[key]:
            raise ValueError(
                f"the runs cannot be compared: {key} is {first[key]!r} in one and "
                f"{second[key]!r} in the other"
            )
    ours, theirs = ({_key(item): item for item in run["objects"]} for run in (first, second))
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        raise ValueError("the runs have no object in common")
    figures = [
        [_figures(run[key], first["max_clicks"]) for run in (ours, theirs)] for key in common
    ]
    values = np.array([[list(figure.values()) for figure in pair] for pair in figures])
    _, image = np.unique([name for name, _ in common], return_inverse=True)
    low, high = _interval(values[:, 1] - values[:, 0], image, resamples, seed)
    means = values.mean(axis=0)
    return len(common), [
        Difference(name, float(a), float(b), float(b - a), float(lower), float(upper))
        for name, a, b, lower, upper in zip(figures[0][0], *means, low, high, strict=True)
    ]


def _key(item: Mapping[str, Any]) -> tuple[str, int]:
    return item["image"], item["object"]


def _figures(item: Mapping[str, Any], max_clicks: int) -> dict[str, float]:
    """What is compared, for one object."""
    curve = iou_per_click([item["iou"]], max_clicks)[0]
    return {
        **{
            f"NoC@{percent}": number_of_clicks(item["iou"], percent / 100, max_clicks)
            for percent in THRESHOLDS
        },
        "AuC": area_under_curve(curve),
        **{f"IoU after {n}": float(curve[n - 1]) for n in SHOWN_CLICKS if n <= max_clicks},
        "clicks obeyed": float(np.mean(item["obeyed"])),
        "seconds per click": float(np.mean(item["seconds"])),
    }


def _interval(
    differences: NDArray[np.float64], image: NDArray[np.intp], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Bounds (2, figures) of the mean of differences (objects, figures), by image."""
    images = int(image.max()) + 1
    sums = np.zeros((images, differences.shape[1]))
    np.add.at(sums, image, differences)
    counts = np.bincount(image)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, differences.shape[1]))
    for index in range(resamples):
        times = np.bincount(rng.integers(images, size=images), minlength=images)
        means[index] = times @ sums / (times @ counts)
    bounds: NDArray[np.float64] = np.percentile(means, (2.5, 97.5), axis=0)
    return bounds
