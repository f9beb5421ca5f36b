from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_brs.batch.inputs import BatchImage
from napari_brs.batch.records import (
    Record,
    finished,
    labels_path,
    record_path,
    write_record,
    write_summary,
)

SETTINGS = {"model": "unet-cells", "contrast_limits": [0.0, 255.0]}
RECORD = Record("a", 3, 12.5, 0.25)


@pytest.fixture
def image(tmp_path: Path) -> BatchImage:
    """An image that is finished."""
    path = tmp_path / "images" / "a.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, np.zeros((8, 10), np.uint8))
    found = BatchImage("a", path)
    labels_path(tmp_path, found).write_bytes(b"labels")
    write_record(tmp_path, found, RECORD, SETTINGS)
    return found


def test_a_finished_image_is_known_again_by_its_record(tmp_path: Path, image: BatchImage) -> None:
    assert finished(tmp_path, image, SETTINGS) == RECORD


def test_other_settings_another_plane_or_a_changed_image_are_not_finished(
    tmp_path: Path, image: BatchImage
) -> None:
    assert finished(tmp_path, image, SETTINGS | {"model": "other"}) is None
    assert finished(tmp_path, BatchImage("a", image.path, (1,)), SETTINGS) is None
    os.utime(image.path, ns=(1, 1))
    assert finished(tmp_path, image, SETTINGS) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": "napari-brs batch record"}'])
def test_a_damaged_record_counts_for_none(tmp_path: Path, image: BatchImage, content: str) -> None:
    record_path(tmp_path, image).write_text(content)
    assert finished(tmp_path, image, SETTINGS) is None


def test_a_record_without_labels_counts_for_none(tmp_path: Path, image: BatchImage) -> None:
    labels_path(tmp_path, image).unlink()
    assert finished(tmp_path, image, SETTINGS) is None


def test_the_summary_has_a_line_for_each_image(tmp_path: Path) -> None:
    path = write_summary(tmp_path, [RECORD, Record("b", seconds=0.5, error="it is no image")])
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["image", "objects", "mean_area", "seconds", "error"],
            ["a", "3", "12.5", "0.25", ""],
            ["b", "", "", "0.5", "it is no image"],
        ]
