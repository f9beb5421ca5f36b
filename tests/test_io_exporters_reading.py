"""Label images, images and tables of objects from files."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from labelled import series
from PIL import Image

from napari_brs.io.exporters.reading import (
    image_axes,
    read_image_stack,
    read_label_stack,
    read_objects,
)


def tiff(path, array, axes):
    tifffile.imwrite(path, array, photometric="minisblack", metadata={"axes": axes})
    return path


def test_axes_are_those_of_the_file_with_rows_and_columns_last(tmp_path):
    labels = series().labels
    again, axes = read_label_stack(tiff(tmp_path / "a.tif", labels, "TYX"))
    assert axes == "TYX"
    assert np.array_equal(again, labels)
    again, axes = read_label_stack(tiff(tmp_path / "b.tif", labels, "ZYX"), "XTY")
    assert axes == "TYX"
    assert np.array_equal(again, labels.transpose(1, 2, 0))


def test_a_one_bit_mask_is_one_object(tmp_path):
    Image.fromarray(np.eye(5, dtype=bool)).save(tmp_path / "a.png")
    labels, axes = read_label_stack(tmp_path / "a.png")
    assert axes == "YX"
    assert labels.sum() == 5


@pytest.mark.parametrize(
    ("array", "given", "message"),
    [
        (np.zeros((4, 5)), None, "dtype float64; labels are integers"),
        (np.zeros((2, 30, 40, 50), int), None, "does not say what its axes are"),
        (np.zeros((30, 40), int), "TYX", "'TYX' does not name its axes"),
    ],
)
def test_what_are_no_labels_is_refused(array, given, message, tmp_path):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=message):
        read_label_stack(tmp_path / "a.npy", given)


def test_an_image_gets_the_axes_of_its_labels_and_channels_last(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (4, 2, 60, 80), np.uint8)
    path = tiff(tmp_path / "a.tif", image, "TCYX")
    again = read_image_stack(path, "TYX", (4, 60, 80))
    assert np.array_equal(again, image.transpose(0, 2, 3, 1))
    assert image_axes(path) == "TYX"
    with pytest.raises(ValueError, match=r"the labels have \(60, 80\), YX"):
        read_image_stack(path, "YX", (60, 80))


def test_a_table_gives_names_classes_and_parents(tmp_path):
    (tmp_path / "t.csv").write_text("id,class,name,parent,note\n3,cell,Anna,,x\n5,,,3,\n")
    assert read_objects(tmp_path / "t.csv") == ({3: "Anna"}, {3: "cell"}, {5: 3})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table of objects"),
        ("label,name\n1,a\n", "no table of objects"),
        ("id,name\n0,a\n", "names an object '0'"),
        ("id,name\nx,a\n", "names an object 'x'"),
        ("id,name\n1,a\n1,b\n", "names object 1 twice"),
        ("id,parent\n1,-3\n", "names an object '-3'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(text, message, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_objects(tmp_path / "t.csv")
