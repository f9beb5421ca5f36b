"""OME-Zarr labels, read by yaozarrs and zarr."""

from __future__ import annotations

import numpy as np
import pytest
import yaozarrs
import zarr
from labelled import plane, series

from napari_brs.io.exporters.labelled_image import LabelledImage
from napari_brs.io.exporters.ome_zarr import write
from napari_brs.io.images import read_stack


def store(path, shape, axes, version=3):
    """An OME-Zarr image with pixels of 0.5 µm."""
    group = zarr.open_group(path, mode="w", zarr_format=version)
    named = {"dimension_names": [*axes]} if version == 3 else {}
    group.create_array("0", data=np.zeros(shape, np.uint8), **named)
    kinds = {"t": "time", "c": "channel"}
    scale = [0.5 if axis in "yx" else 1.0 for axis in axes]
    multiscale = {
        "axes": [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes],
        "datasets": [
            {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        ],
    }
    if version == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    else:
        group.attrs["multiscales"] = [multiscale | {"version": "0.4"}]


def test_a_store_of_its_own_is_valid_and_holds_the_labels_at_every_level(tmp_path):
    labels = np.zeros((2, 700, 500), np.uint32)
    labels[:, 100:400, 50:300] = 70_000
    labelled = LabelledImage(labels, "TYX", pixel_size=(60, 0.5, 0.25), unit="um")
    write(labelled, tmp_path / "a.zarr")
    yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr"))
    again, axes = read_stack(tmp_path / "a.zarr")
    assert axes == "TYX"
    assert np.array_equal(again[...], labels)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    datasets = group.attrs["ome"]["multiscales"][0]["datasets"]
    assert [d["coordinateTransformations"][0]["scale"] for d in datasets] == [
        [60, 0.5, 0.25],
        [60, 1, 0.5],
        [60, 2, 1],
    ]
    assert np.array_equal(group["2"][...], labels[:, ::4, ::4])


def test_names_and_classes_are_properties(tmp_path):
    write(plane(names={3: "Anna"}, classes={3: "a"}), tmp_path / "a.zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    about = group.attrs["ome"]["image-label"]["properties"]
    assert about[0] == {"label-value": 3, "name": "Anna", "class": "a"}


@pytest.mark.parametrize("version", [3, 2])
def test_labels_join_those_of_a_store_in_the_axes_of_its_image(version, tmp_path):
    store(tmp_path / "a.zarr", (4, 2, 60, 80), "tcyx", version)
    write(series(), tmp_path / "a.zarr")
    write(series(), tmp_path / "a.zarr")
    yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr"))
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    outer = group["labels"].attrs.get("ome", group["labels"].attrs)
    assert outer["labels"] == ["objects", "objects-2"]
    assert np.array_equal(group["labels/objects/0"][...], series().labels)
    inner = group["labels/objects"].attrs.get("ome", group["labels/objects"].attrs)
    transforms = inner["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert transforms == [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]


def test_axes_of_length_1_are_added(tmp_path):
    store(tmp_path / "a.zarr", (1, 1, 60, 80), "tzyx")
    write(plane(), tmp_path / "a.zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group["labels/objects/0"].shape == (1, 1, 60, 80)


def test_a_store_of_another_shape_and_a_folder_that_is_none_stay_as_they_are(tmp_path):
    store(tmp_path / "a.zarr", (60, 81), "yx")
    with pytest.raises(ValueError, match="the image in the store has yx"):
        write(plane(), tmp_path / "a.zarr")
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(ValueError, match="is no OME-Zarr image"):
        write(plane(), tmp_path / "b.zarr")
    assert not (tmp_path / "a.zarr" / "labels").exists()
    assert not list((tmp_path / "b.zarr").iterdir())
