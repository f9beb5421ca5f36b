import math

import pytest

from napari_brs.clicks import Click, click_arrays, validate_clicks


@pytest.mark.parametrize(
    ("position", "pixel"),
    [((0, 0), (0, 0)), ((-0.5, 0.49), (0, 0)), ((1.5, 2.499), (2, 2)), ((7.9, 3), (8, 3))],
)
def test_a_click_lies_in_the_pixel_whose_centre_is_nearest(position, pixel):
    assert Click(*position).pixel == pixel


def test_clicks_on_the_outermost_pixels_are_allowed():
    clicks = [Click(-0.5, -0.5), Click(9.49, 19.49, False)]
    assert validate_clicks(clicks, (10, 20)) == tuple(clicks)


@pytest.mark.parametrize("position", [(-0.51, 0), (0, -1), (9.5, 0), (0, 19.5)])
def test_a_click_outside_is_refused_with_what_is_allowed(position):
    with pytest.raises(ValueError, match=r"outside the image: rows 0 to 9, columns 0 to 19"):
        validate_clicks([Click(*position)], (10, 20))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_click_without_a_finite_position_is_refused(value):
    with pytest.raises(ValueError, match="not finite"):
        validate_clicks([Click(0, value)], (10, 20))


def test_one_pixel_cannot_have_both_signs_but_may_be_repeated():
    assert len(validate_clicks([Click(1, 1), Click(1.2, 0.9)], (5, 5))) == 2
    with pytest.raises(ValueError, match=r"pixel \(1, 1\) is clicked as foreground and as back"):
        validate_clicks([Click(1, 1), Click(1.2, 0.9, False)], (5, 5))


def test_arrays_keep_order_and_signs_even_when_empty():
    points, signs = click_arrays([Click(1, 2), Click(3, 4, False)])
    assert points.tolist() == [[1, 2], [3, 4]]
    assert signs.tolist() == [True, False]
    assert click_arrays([])[0].shape == (0, 2)
