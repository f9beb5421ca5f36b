from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_brs.io.labels import read_labels, write_labels


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.uint16])
def test_few_labels_are_written_as_uint16_and_read_back(tmp_path: Path, dtype: Any) -> None:
    labels = np.array([[0, 1, 1], [0, 0, 1]], dtype=dtype)
    read = read_labels(write_labels(tmp_path / "labels.tif", labels))
    assert read.dtype == np.uint16
    assert np.array_equal(read, labels)


@pytest.mark.parametrize(
    ("highest", "dtype"), [(65_535, np.uint16), (65_536, np.uint32), (2**32 - 1, np.uint32)]
)
def test_the_smallest_type_that_holds_the_labels_is_written(
    tmp_path: Path, highest: int, dtype: Any
) -> None:
    read = read_labels(write_labels(tmp_path / "labels.tiff", np.array([[0, highest]])))
    assert read.dtype == dtype
    assert read.max() == highest


def test_the_file_is_compressed_and_names_its_axes(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "labels.tif", np.ones((400, 300), dtype=int))
    assert path.stat().st_size < 10_000
    with tifffile.TiffFile(path) as file:
        assert file.series[0].axes == "YX"
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.MINISBLACK


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 2, 2), int), r"shape \(2, 2, 2\)"),
        (np.zeros((0, 2), int), r"shape \(0, 2\)"),
        (np.zeros((2, 2)), "dtype float64"),
        (np.array([[-1, 0]]), "from -1 to 0"),
        (np.array([[2**32]]), "4294967295 are allowed"),
    ],
)
def test_what_labels_cannot_be_is_refused_and_nothing_written(
    tmp_path: Path, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_labels(tmp_path / "labels.tif", labels)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["labels.png", "labels", "labels.tif.gz"])
def test_other_kinds_of_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"names in \.tif or \.tiff are allowed"):
        write_labels(tmp_path / name, np.ones((2, 2), int))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_labels(tmp_path / "labels.tif", np.ones((2, 2), int))
    before = path.read_bytes()

    def disk_full(partial: Path, *_: Any, **__: Any) -> None:
        Path(partial).write_bytes(b"half a")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", disk_full)
    with pytest.raises(OSError, match="No space"):
        write_labels(path, np.zeros((3, 3), int))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission bits")
def test_the_file_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    path = write_labels(tmp_path / "labels.tif", np.ones((2, 2), int))
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="there is no folder"):
        write_labels(tmp_path / "no" / "labels.tif", np.ones((2, 2), int))


def test_a_picture_is_not_read_as_labels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((4, 4, 3), np.uint8), photometric="rgb")
    with pytest.raises(ValueError, match=r"shape \(4, 4, 3\), dtype uint8; labels are integers"):
        read_labels(tmp_path / "rgb.tif")
