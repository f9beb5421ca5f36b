"""Outlines, held against shapely."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from labelled import noise

from napari_brs.io.exporters.outlines import polygons, signed_area


def as_shapely(pieces):
    return shapely.MultiPolygon(
        [shapely.Polygon(p.exterior[:, ::-1], [hole[:, ::-1] for hole in p.holes]) for p in pieces]
    )


@pytest.mark.parametrize("seed", range(20))
def test_polygons_of_any_mask_are_valid_and_hold_exactly_its_pixels(seed):
    mask = noise(seed, objects=2) > 0
    pieces = polygons(mask)
    shape = as_shapely(pieces)
    assert shape.is_valid
    assert shape.area == mask.sum()
    rows, columns = np.indices(mask.shape) + 0.5
    assert np.array_equal(shapely.contains_xy(shape, columns, rows), mask)


def test_exteriors_and_holes_go_round_in_opposite_directions():
    for piece in polygons(noise(1, objects=2) > 0):
        assert signed_area(piece.exterior) > 0
        assert all(signed_area(hole) < 0 for hole in piece.holes)


def test_a_rectangle_has_four_corners_at_its_place():
    (piece,) = polygons(np.ones((2, 3), bool), top=10, left=20)
    assert sorted(map(tuple, piece.exterior.tolist())) == [(10, 20), (10, 23), (12, 20), (12, 23)]


def test_pixels_that_touch_at_a_corner_are_two_polygons():
    assert len(polygons(np.eye(2, dtype=bool))) == 2
    assert len(polygons(~np.eye(2, dtype=bool))) == 2
