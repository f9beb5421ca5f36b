"""How good a mask, and how few clicks it took (Section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_brs.clicks import Click


def iou(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], ignore: NDArray[np.bool_] | None = None
) -> float:
    """Intersection over union of two masks, in [0, 1].

    Parameters
    ----------
    mask, truth : (H, W) bool
        1 if both are empty.
    ignore : (H, W) bool, optional
        Pixels that count neither for nor against.

    Examples
    --------
    >>> iou(np.array([[True, True, False]]), np.array([[False, True, False]]))
    0.5
    """
    both, either = mask & truth, mask | truth
    if ignore is not None:
        both, either = both & ~ignore, either & ~ignore
    union = np.count_nonzero(either)
    return float(np.count_nonzero(both) / union) if union else 1.0


def click_accuracy(mask: NDArray[np.bool_], clicks: Iterable[Click]) -> float:
    """Share of clicks that have their label in a mask (H, W), in [0, 1] (Fig. 9); 1 for none.

    Examples
    --------
    >>> click_accuracy(np.array([[True, False]]), [Click(0, 0), Click(0, 1)])
    0.5
    """
    right = [bool(mask[click.pixel]) == click.positive for click in clicks]
    return sum(right) / len(right) if right else 1.0


def is_reached(ious: Sequence[float], threshold: float) -> bool:
    """Whether the IoU came to a threshold at any click."""
    return any(value >= threshold for value in ious)


def number_of_clicks(ious: Sequence[float], threshold: float, max_clicks: int = 20) -> int:
    """Clicks until the IoU first reaches a threshold.

    Parameters
    ----------
    ious : sequence of float
        IoU after the first, second, … click.
    threshold : float
        In (0, 1].
    max_clicks : int
        What a failure counts.

    Examples
    --------
    >>> number_of_clicks([0.6, 0.83, 0.91], 0.85), number_of_clicks([0.6], 0.85)
    (3, 20)
    """
    for clicks, value in enumerate(ious[:max_clicks], start=1):
        if value >= threshold:
            return clicks
    return max_clicks


def iou_per_click(curves: Iterable[Sequence[float]], max_clicks: int = 20) -> NDArray[np.float64]:
    """IoU after each click, (objects, max_clicks).

    A curve that ended early, because nothing was left to correct, goes on with
    its last value.

    Examples
    --------
    >>> iou_per_click([[0.5, 0.75], [1.0]], max_clicks=3).tolist()
    [[0.5, 0.75, 0.75], [1.0, 1.0, 1.0]]
    """
    full = [[*curve[:max_clicks], *[curve[-1]] * (max_clicks - len(curve))] for curve in curves]
    return np.array(full, dtype=np.float64).reshape(-1, max_clicks)


def area_under_curve(curve: Sequence[float] | NDArray[np.float64]) -> float:
    """Area under an IoU curve over the clicks 1 to N, divided by N - 1: in [0, 1].

    The trapezoidal rule; for a single click, its IoU.

    Examples
    --------
    >>> area_under_curve([0.0, 1.0])
    0.5
    """
    values = np.asarray(curve, dtype=np.float64)
    if len(values) == 1:
        return float(values[0])
    return float((values[1:] + values[:-1]).mean() / 2)
