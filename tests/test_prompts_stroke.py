from __future__ import annotations

import numpy as np
import pytest

from napari_brs.clicks import Click
from napari_brs.prompts.stroke import spread, stroke_clicks


def test_clicks_lie_on_the_stroke_at_equal_distances_its_ends_included() -> None:
    angles = np.linspace(0, np.pi, 200)
    arc = np.stack([50 - 40 * np.sin(angles), 50 - 40 * np.cos(angles)], axis=1)
    points = spread(arc, 9)
    assert np.allclose(points[[0, -1]], arc[[0, -1]])
    assert np.allclose(np.hypot(*(points - 50).T), 40, atol=0.01)
    assert np.allclose(np.hypot(*np.diff(points, axis=0).T), 80 * np.sin(np.pi / 16), atol=0.01)


def test_a_mouse_that_rested_on_the_way_makes_no_denser_clicks() -> None:
    assert np.allclose(spread([(0, 0), (0, 3), (0, 3), (0, 3), (0, 8)], 5)[:, 1], [0, 2, 4, 6, 8])
    assert spread([(4, 5), (4, 5)], 7).tolist() == [[4, 5]]


def test_pixels_outside_or_clicked_already_give_no_click_and_none_gives_two() -> None:
    there = (Click(5, 4, positive=False), Click(5, 6))
    clicks = stroke_clicks([(5, -3), (5, 9)], True, 25, (10, 8), there)
    assert [click.pixel for click in clicks] == [(5, column) for column in (0, 1, 2, 3, 5, 7)]
    assert all(click.positive for click in clicks)
    assert stroke_clicks([(50, 50), (60, 60)], False, 5, (10, 8)) == ()


@pytest.mark.parametrize("positive", [True, False])
def test_a_stroke_has_one_sign(positive: bool) -> None:
    clicks = stroke_clicks([(1, 1), (1, 5)], positive, 3, (10, 10))
    assert clicks == tuple(Click(1, column, positive) for column in (1, 3, 5))
