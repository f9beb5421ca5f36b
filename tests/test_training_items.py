from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from training_packs import disks, write_blobs, write_disks, write_image

from napari_brs.io.packs import DatasetPack
from napari_brs.training.items import read_items, split_items


def test_items_know_their_objects(tmp_path: Path) -> None:
    items = read_items([write_disks(tmp_path / "cells")])
    for item in items:
        for (number, top, left, bottom, right), area in zip(item.objects, item.areas, strict=True):
            mask = item.labels == number
            assert mask.sum() == mask[top:bottom, left:right].sum() == area
    assert Counter(item.source for item in items) == {"a": 3, "b": 3}


def test_sources_can_be_left_out(tmp_path: Path) -> None:
    pack = write_disks(tmp_path / "cells")
    assert {item.source for item in read_items([pack], skip={"a"})} == {"b"}


def test_unusable_files_are_all_named_before_training(tmp_path: Path) -> None:
    image, mask = disks(0)
    write_image(tmp_path / "p", "good", image, mask)
    write_image(tmp_path / "p", "smaller", image, mask[:50])
    write_image(tmp_path / "p", "broken", image, mask)
    (tmp_path / "p/images/broken.png").write_bytes(b"no picture")
    write_image(tmp_path / "empty", "x", image, np.zeros_like(mask))
    with pytest.raises(ValueError, match="training data cannot be used") as error:
        read_items([DatasetPack(tmp_path / "p"), DatasetPack(tmp_path / "empty")])
    message = str(error.value)
    assert "smaller.png" in message
    assert "broken.png" in message
    assert "empty: no image with an object" in message
    assert "good" not in message


def test_masks_without_objects_are_named_and_left_out(tmp_path: Path) -> None:
    image, mask = disks(0)
    write_image(tmp_path / "p", "good", image, mask)
    write_image(tmp_path / "p", "blank", image, np.zeros_like(mask))
    with pytest.warns(UserWarning, match="masks without objects are left out:\np: blank"):
        items = read_items([DatasetPack(tmp_path / "p")])
    assert len(items) == 1


def test_packs_named_val_are_validated_on_and_others_hold_out_a_tenth(tmp_path: Path) -> None:
    cells = DatasetPack(write_blobs(tmp_path / "cells", 20, size=48))
    other = DatasetPack(write_blobs(tmp_path / "cells_val", 3, size=48, seed=1))
    training, validation = split_items([cells, other])
    assert (len(training), [len(v) for v in validation]) == (20, [3])
    training, validation = split_items([cells])
    assert (len(training), [len(v) for v in validation]) == (18, [2])
    few = DatasetPack(write_blobs(tmp_path / "few", 4, size=48))
    with pytest.raises(ValueError, match="4 images to train on and 0 to validate on: at least 10"):
        split_items([few])
