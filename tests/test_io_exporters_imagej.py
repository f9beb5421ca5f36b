"""ImageJ ROIs, read by roifile."""

from __future__ import annotations

import sys
import zipfile

import numpy as np
import pytest
import roifile
import shapely
from labelled import noise, plane, series

from napari_brs.io.exporters.imagej import write
from napari_brs.io.exporters.labelled_image import LabelledImage


def rois(labelled, tmp_path):
    write(labelled, tmp_path / "a.zip")
    return roifile.roiread(tmp_path / "a.zip")


def inside(roi, shape):
    """Pixels whose centres an odd number of its rings encloses."""
    rows, columns = np.indices(shape) + 0.5
    rings = roi.coordinates(multi=True)
    mask = np.zeros(shape, bool)
    for ring in rings:
        mask ^= shapely.contains_xy(shapely.Polygon(ring), columns, rows)
    return mask


@pytest.mark.parametrize("labels", [plane().labels, *map(noise, range(3))])
def test_roifile_sees_exactly_the_pixels_of_every_object(labels, tmp_path):
    again = np.zeros_like(labels)
    for roi in rois(LabelledImage(labels), tmp_path):
        again[inside(roi, labels.shape)] = roi.properties["label"]
    assert np.array_equal(again, labels)


def test_an_object_beyond_what_16_bits_reach_is_kept_in_place(tmp_path):
    labels = np.zeros((3, 70_000), np.uint16)
    labels[1, 69_990:69_995] = 4
    (roi,) = rois(LabelledImage(labels), tmp_path)
    assert roi.coordinates().max(axis=0).tolist() == [69_995, 2]


def test_pieces_and_holes_make_a_composite_and_a_plain_object_a_traced_one(tmp_path):
    ring, pair, strip = rois(plane(), tmp_path)
    assert ring.composite
    assert pair.composite
    assert strip.roitype == roifile.ROI_TYPE.TRACED


def test_names_classes_and_groups(tmp_path):
    ring, pair, strip = rois(plane(classes={3: "a", 7: "b"}, names={3: "Zelle 1/ä"}), tmp_path)
    assert [roi.name for roi in (ring, pair, strip)] == ["Zelle 1/ä", "7", "70000"]
    assert [roi.group for roi in (ring, pair, strip)] == [1, 2, 0]
    assert (ring.properties["class"], pair.properties["class"]) == ("a", "b")


def test_frames_are_positions_in_a_stack_and_axes_of_a_hyperstack(tmp_path):
    assert [roi.position for roi in rois(series(), tmp_path)] == [1, 1, 2, 2, 3, 3, 3, 4, 4, 4]
    labels = np.zeros((2, 3, 5, 5), np.uint16)
    labels[1, 2, 1, 1] = 9
    (roi,) = rois(LabelledImage(labels, "TZYX"), tmp_path)
    assert (roi.t_position, roi.z_position) == (2, 3)
    assert roi.properties["track"] == 9


def test_a_second_export_replaces_the_first(tmp_path):
    rois(plane(), tmp_path)
    assert len(rois(LabelledImage(np.eye(2, dtype=int)), tmp_path)) == 1
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None


def test_without_roifile_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "roifile", None)
    with pytest.raises(ValueError, match=r'pip install "napari-brs\[export\]"'):
        write(plane(), tmp_path / "a.zip")
    assert not list(tmp_path.iterdir())
