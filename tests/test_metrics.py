"""IoU, click accuracy, number of clicks, area under the curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_brs.clicks import Click
from napari_brs.metrics import (
    area_under_curve,
    click_accuracy,
    iou,
    iou_per_click,
    is_reached,
    number_of_clicks,
)

SHARE = st.floats(0, 1)
CURVE = st.lists(SHARE, min_size=1, max_size=20)

LEFT = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], bool)
TOP = np.array([[1, 1, 1, 1], [0, 0, 0, 0]], bool)


def test_iou_of_half_overlapping_masks() -> None:
    assert iou(LEFT, TOP) == pytest.approx(2 / 6)
    assert iou(LEFT, LEFT) == 1
    assert iou(LEFT, ~LEFT) == 0


def test_ignored_pixels_count_neither_for_nor_against() -> None:
    lower = np.array([[0, 0, 0, 0], [1, 1, 1, 1]], bool)
    assert iou(LEFT, TOP, ignore=lower) == pytest.approx(2 / 4)
    assert iou(LEFT, TOP, ignore=TOP) == 0


def test_two_empty_masks_agree() -> None:
    nothing = np.zeros_like(LEFT)
    assert iou(nothing, nothing) == 1
    assert iou(LEFT, TOP, ignore=LEFT | TOP) == 1


def test_click_accuracy_is_the_share_of_clicks_with_their_label() -> None:
    clicks = [Click(0, 0), Click(0, 3), Click(1, 2, False), Click(1.4, 0.6, False)]
    assert click_accuracy(LEFT, clicks) == 0.5
    assert click_accuracy(LEFT, clicks[:1]) == 1
    assert click_accuracy(LEFT, []) == 1


def test_clicks_until_a_threshold_and_20_for_a_failure() -> None:
    curve = [0.4, 0.85, 0.8, 0.9]
    assert number_of_clicks(curve, 0.85) == 2
    assert number_of_clicks(curve, 0.9) == 4
    assert number_of_clicks(curve, 0.95) == 20
    assert number_of_clicks(curve, 0.9, max_clicks=3) == 3
    assert [is_reached(curve, t) for t in (0.85, 0.9, 0.95)] == [True, True, False]


def test_a_curve_that_ended_early_keeps_its_last_value() -> None:
    np.testing.assert_array_equal(
        iou_per_click([[0.5, 1], [0, 0.1, 0.2, 0.3, 0.4]], 4),
        [[0.5, 1, 1, 1], [0, 0.1, 0.2, 0.3]],
    )


def test_area_of_a_ramp_is_a_half() -> None:
    assert area_under_curve([0, 0.25, 0.5, 0.75, 1]) == pytest.approx(0.5)
    assert area_under_curve([0, 1, 1]) == pytest.approx(0.75)
    assert area_under_curve([0.7]) == 0.7


@given(CURVE, SHARE, SHARE)
def test_a_higher_threshold_never_takes_fewer_clicks(
    curve: list[float], a: float, b: float
) -> None:
    low, high = sorted((a, b))
    assert number_of_clicks(curve, low) <= number_of_clicks(curve, high)


@given(CURVE, SHARE)
def test_a_better_curve_never_takes_more_clicks(curve: list[float], threshold: float) -> None:
    better = [min(1, value + 0.1) for value in curve]
    assert number_of_clicks(better, threshold) <= number_of_clicks(curve, threshold)


@given(st.lists(CURVE, min_size=1, max_size=5), st.integers(1, 20))
def test_area_lies_between_0_and_1_and_averages(curves: list[list[float]], clicks: int) -> None:
    table = iou_per_click(curves, clicks)
    areas = [area_under_curve(row) for row in table]
    assert all(0 <= area <= 1 for area in areas)
    assert area_under_curve(table.mean(axis=0)) == pytest.approx(np.mean(areas))


@given(st.integers(1, 20), SHARE)
def test_a_perfect_model_needs_one_click(clicks: int, threshold: float) -> None:
    assert number_of_clicks([1.0] * clicks, threshold) == 1
    assert area_under_curve(iou_per_click([[1.0]], clicks)[0]) == 1


@given(st.integers(0, 2**32 - 1))
def test_iou_is_symmetric_and_lies_between_0_and_1(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask, truth, ignore = rng.random((3, 5, 7)) < rng.random((3, 1, 1))
    assert 0 <= iou(mask, truth, ignore) == iou(truth, mask, ignore) <= 1
