from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_brs.batch.inputs import find_images

PIXELS = np.zeros((8, 10), np.uint8)


def names(*inputs: object) -> list[str]:
    return [image.name for image in find_images(map(str, inputs))]


def ome_image(group: zarr.Group, path: str, ome: bool = True) -> None:
    image = group.create_group(path)
    axes = [{"name": name} for name in "zyx"]
    entry = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    image.attrs.update({"ome": entry} if ome else entry)
    image.create_array("0", shape=(1, 8, 10), dtype="uint8")


def test_a_folder_gives_its_images_in_the_order_in_which_people_count(tmp_path: Path) -> None:
    for name in ("t10.tif", "t9.tif"):
        tifffile.imwrite(tmp_path / name, PIXELS)
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".t1.tif").write_text("hidden")
    zarr.create_array(tmp_path / "b.zarr", shape=(8, 10), dtype="uint8")
    assert names(tmp_path) == ["a", "b", "t9", "t10"]


def test_a_file_that_two_inputs_mean_is_there_once(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS)
    assert names(tmp_path / "*.tif", tmp_path / "a.tif", tmp_path) == ["a"]


def test_each_plane_of_a_stack_is_an_image_of_its_own(tmp_path: Path) -> None:
    stack = np.zeros((11, 2, 8, 10), np.uint8)
    tifffile.imwrite(tmp_path / "s.tif", stack, metadata={"axes": "TZYX"}, compression="zlib")
    found = find_images([str(tmp_path / "s.tif")])
    assert len(found) == 22
    assert (found[3].name, found[3].indices) == ("s-t01-z1", (1, 1))
    np.save(tmp_path / "n.npy", stack[:, 0])
    assert names(tmp_path / "n.npy")[-1] == "n-q10"


def test_channels_make_no_images(tmp_path: Path) -> None:
    colours = np.zeros((3, 4, 8, 10), np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", colours, metadata={"axes": "ZCYX"}, imagej=True)
    assert names(tmp_path / "c.tif") == ["c-z0", "c-z1", "c-z2"]


@pytest.mark.parametrize("ome", [True, False])
def test_a_plate_gives_its_fields_and_a_lost_one_is_not_left_out(tmp_path: Path, ome: bool) -> None:
    plate = zarr.open_group(tmp_path / "p.ome.zarr", mode="w")
    entry = {"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}]}}
    plate.attrs.update({"ome": entry} if ome else entry)
    well = plate.create_group("A/1")
    entry = {"well": {"images": [{"path": "0"}, {"path": "1"}]}}
    well.attrs.update({"ome": entry} if ome else entry)
    for field in ("0", "1"):
        ome_image(well, field, ome)
    assert names(tmp_path / "p.ome.zarr") == ["p-A-1-0", "p-A-1-1", "p-B-2"]


def test_a_zarr_group_gives_all_images_in_it(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("raw", shape=(8, 10), dtype="uint8")
    ome_image(group, "10")
    ome_image(group, "9")
    found = find_images([str(tmp_path / "g.zarr")])
    assert [image.name for image in found] == ["g-raw", "g-9", "g-10"]
    assert found[0].path == tmp_path / "g.zarr" / "raw"


def test_a_damaged_file_is_among_the_images(tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_text("no image")
    assert names(tmp_path / "bad.tif") == ["bad"]


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS)
    np.save(tmp_path / "A.npy", PIXELS)
    with pytest.raises(ValueError, match="are both named"):
        find_images([str(tmp_path)])


@pytest.mark.parametrize("name", ["lost.tif", "*.tif"])
def test_an_input_without_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        find_images([str(tmp_path / name)])


def test_a_folder_without_an_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no image"):
        find_images([str(tmp_path)])
