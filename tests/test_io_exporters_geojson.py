"""GeoJSON as QuPath reads it, read by shapely."""

from __future__ import annotations

import json
from uuid import UUID

import numpy as np
import pytest
import shapely
from labelled import noise, plane, series
from shapely.geometry import shape

from napari_brs.io.exporters.geojson import write
from napari_brs.io.exporters.labelled_image import LabelledImage


def features(labelled, tmp_path):
    write(labelled, tmp_path / "a.geojson")
    content = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert content["type"] == "FeatureCollection"
    return content["features"]


@pytest.mark.parametrize("labels", [plane().labels, *map(noise, range(5))])
def test_shapely_sees_exactly_the_pixels_of_every_object(labels, tmp_path):
    rows, columns = np.indices(labels.shape) + 0.5
    again = np.zeros_like(labels)
    for feature in features(LabelledImage(labels), tmp_path):
        geometry = shape(feature["geometry"])
        assert geometry.is_valid
        inside = shapely.contains_xy(geometry, columns, rows)
        again[inside] = feature["properties"]["measurements"]["Label"]
    assert np.array_equal(again, labels)


def test_holes_and_pieces_are_kept(tmp_path):
    ring, pair, strip = features(plane(), tmp_path)
    assert ring["geometry"]["type"] == "MultiPolygon"  # the core lies in the hole
    assert [len(polygon) for polygon in ring["geometry"]["coordinates"]] == [2, 1]
    assert pair["geometry"]["type"] == "MultiPolygon"
    assert strip["geometry"]["type"] == "Polygon"


def test_classes_have_a_name_and_a_colour_and_others_none(tmp_path):
    ring, pair, strip = features(plane(classes={3: "a", 7: "b"}, names={3: "Anna"}), tmp_path)
    first, second = (f["properties"]["classification"] for f in (ring, pair))
    assert (first["name"], second["name"]) == ("a", "b")
    assert first["color"] != second["color"]
    assert "classification" not in strip["properties"]
    assert [f["properties"]["name"] for f in (ring, pair, strip)] == ["Anna", "7", "70000"]


def test_planes_and_tracks_of_a_series(tmp_path):
    found = [
        (f["geometry"]["plane"]["t"], f["properties"]["measurements"]["Track"])
        for f in features(series(), tmp_path)
    ]
    assert found == [(0, 3), (0, 8), (1, 3), (1, 8), (2, 3), (2, 5), (2, 6), (3, 3), (3, 5), (3, 6)]


def test_ids_are_uuids_of_which_no_two_are_equal_and_that_stay(tmp_path):
    ids = [UUID(f["id"]) for f in features(series(), tmp_path)]
    assert len(set(ids)) == len(ids)
    assert ids == [UUID(f["id"]) for f in features(series(), tmp_path)]
