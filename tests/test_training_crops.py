from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_packs import disks, write_disks, write_image

from napari_brs.io.packs import DatasetPack
from napari_brs.training.config import DataConfig
from napari_brs.training.crops import make_crop
from napari_brs.training.items import Item, read_items

PLAIN = DataConfig(augment=False, crops_per_step=2, objects_per_crop=3, crop_sizes=((64, 64),))


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    return read_items([write_disks(tmp_path_factory.mktemp("data") / "cells")])


@pytest.mark.parametrize("mode", [{"zoom": 1.0, "whole": 0.0}, {"zoom": 0.0, "whole": 1.0},
                                  {"zoom": 0.0, "whole": 0.0}, {"native_scale": True}])  # fmt: skip
def test_image_and_masks_of_a_crop_stay_together(items: list[Item], mode: dict[str, float]) -> None:
    config = replace(PLAIN, rotate=("a",), **mode)
    rng = np.random.default_rng(0)
    for k in range(12):
        crop = make_crop(items[k % len(items)], 0, (96, 64), config, rng)
        if crop is None:
            continue
        assert crop.image.shape == (3, 96, 64)
        assert crop.masks.shape == (3, 96, 64)
        red = crop.image[0]
        for mask in crop.masks:
            inside = red[mask]
            number = round(float(inside.median()) / 40)
            assert number in (1, 2, 3)
            # Only the blur of the scaled boundary may differ.
            assert (inside - 40 * number).abs().mean() < 12
        assert not (crop.masks & ~crop.valid).any()


def test_zoomed_object_fills_the_crop(items: list[Item]) -> None:
    rng = np.random.default_rng(0)
    config = replace(PLAIN, zoom=1.0, whole=0.0, objects_per_crop=1)
    for item in items:
        crop = make_crop(item, 0, (128, 128), config, rng)
        assert crop is not None
        rows, columns = (crop.masks[0].any(d).sum().item() for d in (1, 0))
        assert 0.35 * 128 <= max(rows, columns) <= 128


def test_foreground_and_cores_stay_with_the_image(items: list[Item]) -> None:
    config = replace(PLAIN, targets="foreground", native_scale=True, scale=(1.0, 1.0))
    rng = np.random.default_rng(0)
    for item in items:
        crop = make_crop(item, 0, (96, 64), config, rng)
        assert crop is not None
        foreground, cores = crop.masks
        # Pixels of up to 120 that less than half of an object covers, and of 40 that half does.
        red = crop.image[0][crop.valid]
        assert red[~foreground[crop.valid]].max() <= 62
        assert red[foreground[crop.valid]].min() >= 18
        assert 0 < cores.sum() < foreground.sum()
        assert not (cores & ~foreground).any()


def test_scale_of_foreground_crops_stays_in_its_range(tmp_path: Path) -> None:
    labels = np.zeros((400, 400), np.uint8)
    labels[150:250, 150:250] = 1
    write_image(tmp_path / "p", "x", 200 * labels, labels)
    (item,) = read_items([DatasetPack(tmp_path / "p")])
    config = replace(PLAIN, targets="foreground", native_scale=True, scale=(0.5, 2.0))
    rng = np.random.default_rng(0)
    whole = [make_crop(item, 0, (600, 600), config, rng) for _ in range(30)]
    sides = [float(crop.masks[0].sum()) ** 0.5 for crop in whole if crop is not None]
    assert 49 <= min(sides) < 65
    assert 150 < max(sides) <= 201


def test_ignored_and_outside_pixels_are_invalid(tmp_path: Path) -> None:
    image, mask = disks(0, size=80)
    mask[:, :30] = 255
    write_image(tmp_path / "p", "x", image, mask)
    (item,) = read_items([DatasetPack(tmp_path / "p")])
    config = replace(PLAIN, native_scale=True, objects_per_crop=1)
    crop = make_crop(item, len(item.objects) - 1, (160, 160), config, np.random.default_rng(0))
    assert crop is not None
    assert crop.valid.sum() == 80 * 50
    border = crop.image[:, 0, 0]
    torch.testing.assert_close(border, torch.tensor([123.68, 116.779, 103.939]))


def test_grey_images_become_three_equal_channels(tmp_path: Path) -> None:
    image, mask = disks(0)
    write_image(tmp_path / "p", "x", image[..., 0], mask)
    (item,) = read_items([DatasetPack(tmp_path / "p")])
    crop = make_crop(item, 0, (64, 64), PLAIN, np.random.default_rng(0))
    assert crop is not None
    seen = crop.image[:, crop.valid]
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


@pytest.mark.parametrize(("gap", "merged"), [(0, True), (10, False)])
def test_touching_neighbours_are_also_one_object(tmp_path: Path, gap: int, merged: bool) -> None:
    mask = np.zeros((80, 80), np.uint8)
    mask[20:60, 10:40] = 1
    mask[20:60, 40 + gap : 70] = 2
    write_image(tmp_path / "cells", "pair-1", np.zeros((80, 80, 3), np.uint8), mask)
    (item,) = read_items([DatasetPack(tmp_path / "cells")])
    config = replace(PLAIN, merge=1.0, zoom=0.0, whole=1.0, objects_per_crop=2)
    crop = make_crop(item, 0, (320, 320), config, np.random.default_rng(0))
    assert crop is not None
    assert bool((crop.masks[0] & crop.masks[1]).any()) == merged
    assert bool((crop.masks[0] & ~crop.masks[1]).any()) != merged
