"""Region properties, read by pandas."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
from labelled import plane, series

from napari_brs.io.exporters.labelled_image import LabelledImage
from napari_brs.io.exporters.region_table import write


def table(labelled, tmp_path):
    write(labelled, tmp_path / "a.csv")
    return pandas.read_csv(tmp_path / "a.csv")


def test_sizes_and_places_are_in_physical_units(tmp_path):
    labels = np.zeros((20, 30), np.uint16)
    labels[4:8, 10:20] = 5
    found = table(LabelledImage(labels, pixel_size=(0.5, 0.5), unit="um"), tmp_path).iloc[0]
    assert (found["id"], found.area, found.y, found.x) == (5, 10, 2.75, 7.25)
    assert (found.y_begin, found.y_end, found.x_begin, found.x_end) == (4, 8, 10, 20)
    assert found.perimeter == pytest.approx(12)
    assert found.unit == "micrometer"


def test_intensities_are_those_of_each_channel(tmp_path):
    labelled = plane()
    image = np.random.default_rng(0).random((*labelled.labels.shape, 2))
    labelled = LabelledImage(labelled.labels, image=image, channels=("DAPI", "GFP"))
    found = table(labelled, tmp_path).set_index("id")
    for label in labelled.ids:
        for place, channel in enumerate(labelled.channels):
            values = image[labelled.labels == label, place]
            assert found.loc[label, f"intensity_mean-{channel}"] == pytest.approx(values.mean())
            assert found.loc[label, f"intensity_max-{channel}"] == pytest.approx(values.max())


def test_a_stack_is_measured_as_volumes_with_its_anisotropy(tmp_path):
    labels = np.zeros((5, 10, 12), np.uint16)
    labels[1:3, 2:4, 3:6] = 8
    labelled = LabelledImage(labels, "ZYX", pixel_size=(2, 0.5, 0.5), unit="um")
    (row,) = table(labelled, tmp_path).to_dict("records")
    assert (row["volume"], row["z"], row["y"], row["x"]) == (6, 3, 1.25, 2)


def test_frames_have_rows_of_their_own_with_time_and_parent(tmp_path):
    found = table(series(pixel_size=(60, 1, 1), classes={3: "cell"}), tmp_path)
    assert found[found["id"] == 3].time.tolist() == [0, 60, 120, 180]
    assert found[found["id"] == 5].parent.tolist() == [8, 8]
    assert set(found[found["class"] == "cell"]["id"]) == {3}


def test_labels_without_objects_are_no_table(tmp_path):
    with pytest.raises(ValueError, match="there are no objects"):
        write(LabelledImage(np.zeros((4, 5), int)), tmp_path / "a.csv")
