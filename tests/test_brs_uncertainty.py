from __future__ import annotations

import numpy as np

from napari_brs.brs.uncertainty import least_certain
from napari_brs.clicks import Click


def test_the_widest_uncertain_place_goes_before_a_longer_thin_one() -> None:
    values = np.ones((60, 60))
    values[5, :] = 0.5
    values[40:49, 40:49] = 0.45
    assert least_certain(values) == (44, 44)


def test_places_near_clicks_are_left_out_in_pixels_of_the_image() -> None:
    values = np.zeros((60, 60))
    values[40:49, 40:49] = 0.45
    values[10:15, 10:15] = 0.55
    assert least_certain(values, [Click(144, 244)], corner=(100, 200)) == (112, 212)


def test_what_is_sure_at_the_threshold_in_use_is_not_shown() -> None:
    assert least_certain(np.full((9, 9), 0.5), threshold=0.9) is None
