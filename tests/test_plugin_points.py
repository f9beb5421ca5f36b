from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image

from napari_brs.clicks import Click
from napari_brs.plugin.layers.points import make_points, merge_clicks, read_clicks, show_clicks

FLAT = (None, None)
A, B, C = Click(1, 2), Click(3, 4, False), Click(5, 6)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ([A, C, B], (A, B, C)),
        ([C, B], (B, C)),
        ([A, B, C, Click(9, 9)], (A, B, C, Click(9, 9))),
        ([Click(7, 7), B, C], (B, C, Click(7, 7))),
        ([], ()),
        ([Click(1, 2, False), B, C], (B, C, Click(1, 2, False))),
        ([Click(1.0001, 2), B, C], (A, B, C)),
    ],
)
def test_clicks_that_stayed_keep_their_order_and_new_ones_follow(
    now: list[Click], expected: tuple[Click, ...]
) -> None:
    assert merge_clicks((A, B, C), now) == expected


def test_points_show_clicks_and_give_them_back() -> None:
    image = Image(np.zeros((3, 20, 20)))
    layer = make_points(image, positive=True)
    clicks = {(0, None, None): [A, B], (2, None, None): [C]}
    show_clicks(layer, clicks, positive=True)
    assert np.allclose(layer.data, [[0, 1, 2], [2, 5, 6]])
    assert read_clicks(layer, (0, None, None), True) == [A]
    assert read_clicks(layer, (1, None, None), True) == []
    assert read_clicks(layer, (2, None, None), True) == [C]


def test_points_that_are_right_already_are_left_alone() -> None:
    layer = make_points(Image(np.zeros((20, 20))), positive=True)
    layer.add([[1, 2]])
    before = layer.data
    show_clicks(layer, {FLAT: [A]}, positive=True)
    assert layer.data is before
