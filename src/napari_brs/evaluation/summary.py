"""The figures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_brs.metrics import area_under_curve, iou_per_click, is_reached, number_of_clicks

THRESHOLDS = (80, 85, 90)
"""IoU in percent that NoC is reported at."""


def summarise(objects: Sequence[Mapping[str, Any]], max_clicks: int) -> dict[str, Any]:
    """The figures over all objects, in the form of the evaluation JSON.

    Parameters
    ----------
    objects : sequence of dict
        As `ObjectRun`, at least one.
    max_clicks : int

    Returns
    -------
    dict
        ``noc80``, ``noc85``, ``noc90``: mean number of clicks; ``failures``:
        for each the [image, object] that never came there; ``iou_per_click``:
        mean IoU after each click; ``auc``; ``obeyed`` and ``obeyed_before``
        (refinement): mean share of clicks that have their label;
        ``seconds_per_click``.
    """
    curves = [item["iou"] for item in objects]
    mean_iou = iou_per_click(curves, max_clicks).mean(axis=0)
    noc = {
        f"noc{percent}": float(
            np.mean([number_of_clicks(curve, percent / 100, max_clicks) for curve in curves])
        )
        for percent in THRESHOLDS
    }
    failures = {
        str(percent): [
            [item["image"], item["object"]]
            for item in objects
            if not is_reached(item["iou"], percent / 100)
        ]
        for percent in THRESHOLDS
    }
    return {
        **noc,
        "auc": area_under_curve(mean_iou),
        "seconds_per_click": _mean(objects, "seconds"),
        "obeyed": _mean(objects, "obeyed"),
        "obeyed_before": _mean(objects, "obeyed_before"),
        "iou_per_click": [round(float(value), 6) for value in mean_iou],
        "failures": failures,
    }


def mean_per_click(objects: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """Mean of a quantity after the first, second, … click, over the objects that got so far."""
    longest = max(len(item[key]) for item in objects)
    return [
        float(np.mean([item[key][click] for item in objects if len(item[key]) > click]))
        for click in range(longest)
    ]


def _mean(objects: Sequence[Mapping[str, Any]], key: str) -> float:
    return float(np.mean([value for item in objects for value in item[key]]))
