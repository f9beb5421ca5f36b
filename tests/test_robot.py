"""The click robot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from napari_brs.clicks import Click
from napari_brs.robot import click_through, next_click

Mask = NDArray[np.bool_]


def disk(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> Mask:
    rows, columns = np.indices(shape)
    return np.hypot(rows - centre[0], columns - centre[1]) <= radius


def empty(shape: tuple[int, int] = (40, 60)) -> Mask:
    return np.zeros(shape, bool)


def box(top: int, left: int, bottom: int, right: int, shape: tuple[int, int] = (40, 60)) -> Mask:
    mask = empty(shape)
    mask[top:bottom, left:right] = True
    return mask


def whole_image_click(truth: Mask, mask: Mask, ignore: Mask, clicks: list[Click]) -> Click | None:
    """The published definition, over the whole padded image."""
    free = np.ones(truth.shape, bool)
    for click in clicks:
        free[click.pixel] = False
    depths = [
        ndimage.distance_transform_edt(np.pad(error & ~ignore, 1))[1:-1, 1:-1] * free
        for error in (truth & ~mask, mask & ~truth)
    ]
    positive = depths[0].max() > depths[1].max()
    chosen = depths[0] if positive else depths[1]
    if chosen.max() == 0:
        return None
    row, column = np.argwhere(chosen == chosen.max())[0]
    return Click(int(row), int(column), bool(positive))


def test_the_first_click_lies_in_the_middle_of_a_disk() -> None:
    truth = disk((41, 61), (20, 31), 12)
    assert next_click(truth, empty((41, 61))) == Click(20, 31, True)


def test_of_equally_deep_pixels_the_first_in_raster_order_is_clicked() -> None:
    # A 5 x 9 box is 3 deep on its middle row, from the third column on.
    assert next_click(box(10, 20, 15, 29), empty()) == Click(12, 22, True)
    # Two equal squares: the upper one, although it lies farther to the right.
    truth = box(20, 5, 25, 10) | box(10, 40, 15, 45)
    assert next_click(truth, empty()) == Click(12, 42, True)


def test_the_image_border_is_an_edge_of_the_error() -> None:
    assert next_click(box(0, 0, 7, 7), empty()) == Click(3, 3, True)


def test_a_deeper_false_positive_asks_for_a_background_click() -> None:
    truth, mask = box(5, 5, 10, 10), box(20, 30, 31, 41)
    assert next_click(truth, mask) == Click(25, 35, False)


def test_the_sign_rules_differ_where_the_larger_error_is_the_shallower() -> None:
    truth, mask = box(2, 2, 5, 58), box(20, 30, 29, 39)  # 3 x 56 missed, 9 x 9 too much
    assert next_click(truth, mask, sign_rule="distance") == Click(24, 34, False)
    assert next_click(truth, mask, sign_rule="count") == Click(3, 3, True)


def test_ignored_pixels_are_neither_errors_nor_inside_them() -> None:
    truth = box(10, 10, 21, 21)
    ignore = box(10, 16, 21, 21)
    assert next_click(truth, empty(), ignore) == Click(12, 12, True)
    assert next_click(truth, empty(), truth) is None


def test_a_clicked_pixel_is_not_clicked_again() -> None:
    truth = disk((41, 41), (20, 20), 9)
    first = next_click(truth, empty((41, 41)))
    assert first == Click(20, 20, True)
    second = next_click(truth, empty((41, 41)), clicks=[first])
    assert second is not None
    assert second != first
    assert truth[second.pixel]


def test_nothing_is_clicked_where_nothing_is_wrong_or_all_is_clicked() -> None:
    truth = disk((41, 41), (20, 20), 9)
    assert next_click(truth, truth) is None
    pixel = box(3, 4, 4, 5)
    assert next_click(pixel, empty(), clicks=[Click(3, 4)]) is None


def test_the_count_rule_falls_back_where_its_sign_is_all_clicked() -> None:
    truth, mask = box(3, 4, 4, 5), box(20, 20, 21, 21)
    assert next_click(truth, mask, clicks=[Click(3, 4)], sign_rule="count") == Click(20, 20, False)


def test_the_hasty_robot_stays_in_the_deeper_half_and_depends_on_its_seed() -> None:
    truth = disk((61, 61), (30, 30), 20) | disk((61, 61), (5, 5), 4)
    depths = ndimage.distance_transform_edt(np.pad(truth, 1))[1:-1, 1:-1]
    rng = np.random.default_rng(0)
    drawn = [next_click(truth, empty((61, 61)), rng=rng) for _ in range(50)]
    assert all(click is not None and click.positive for click in drawn)
    assert all(depths[click.pixel] >= depths.max() / 2 for click in drawn if click)
    assert len(set(drawn)) > 30
    again = np.random.default_rng(0)
    assert drawn[:3] == [next_click(truth, empty((61, 61)), rng=again) for _ in range(3)]


def test_wrong_shapes_and_unknown_rules_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(40, 60\) and \(4, 6\) differ"):
        next_click(empty(), empty((4, 6)))
    with pytest.raises(ValueError, match="sign rule 'area'; allowed are"):
        next_click(box(1, 1, 3, 3), box(5, 5, 9, 9), sign_rule="area")  # type: ignore[arg-type]


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), smooth=st.floats(0, 4), clicked=st.integers(1, 8))
def test_looking_at_one_error_at_a_time_is_exact(seed: int, smooth: float, clicked: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 40)), int(rng.integers(1, 40)))
    truth, mask, ignore = (
        ndimage.gaussian_filter(rng.normal(size=shape), smooth) > level
        for level in (0, 0, 0.4 if smooth < 1 else 0.05)
    )
    clicks = [Click(int(rng.integers(shape[0])), int(rng.integers(shape[1])))]
    for _ in range(clicked):
        click = next_click(truth, mask, ignore, clicks)
        assert click == whole_image_click(truth, mask, ignore, clicks)
        if click is None:
            return
        clicks.append(click)


def test_the_loop_goes_on_from_each_result_to_the_next_until_no_error_is_left() -> None:
    truth = box(5, 5, 16, 16) | box(20, 30, 25, 35)
    asked = []

    def predict(clicks, previous):
        asked.append((clicks, previous))
        return truth & (box(5, 5, 16, 16) if len(clicks) == 1 else truth)

    rounds = list(click_through(predict, truth, max_clicks=9, mask_of=lambda mask: mask))
    assert [one.clicks[-1] for one in rounds] == [Click(10, 10), Click(22, 32)]
    assert asked[0] == ((Click(10, 10),), None)
    assert asked[1][1] is rounds[0].result is rounds[1].previous
    assert rounds[1].mask is rounds[1].result


def test_the_loop_begins_with_what_is_there_and_makes_no_click_too_many() -> None:
    truth = box(5, 5, 16, 16)
    there = truth & ~box(5, 5, 8, 8)
    rounds = click_through(
        lambda clicks, previous: previous, truth, max_clicks=2, start=there, mask_of=lambda m: m
    )
    assert [one.clicks[-1].pixel for one in rounds] == [(6, 6), (5, 5)]
    assert not list(click_through(lambda *_: truth, truth, max_clicks=0))


def test_nothing_is_predicted_before_it_is_asked_for() -> None:
    truth = box(5, 5, 16, 16)
    asked = []
    rounds = click_through(
        lambda clicks, _: asked.append(clicks) or empty(), truth, max_clicks=5,
        mask_of=lambda mask: mask,
    )  # fmt: skip
    assert not asked
    next(rounds)
    assert len(asked) == 1
