from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_brs.io.packs import DatasetPack
from napari_brs.training.augment import augment
from napari_brs.training.config import DataConfig
from napari_brs.training.data import Crop, Crops, Item, Order, make_crop, read_items

PLAIN = DataConfig(augment=False, crops_per_step=2, objects_per_crop=3, crop_sizes=((64, 64),))


def _write(folder: Path, name: str, image: np.ndarray, mask: np.ndarray) -> None:
    for kind, pixels in (("images", image), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / kind / f"{name}.png")


def _scene(seed: int, size: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """An image whose red channel is its mask: 40 times the id of the disk at each pixel."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:size, :size]
    mask = np.zeros((size, size), np.uint8)
    for number in (1, 2, 3):
        row, column = rng.uniform(25, size - 25, 2)
        mask[(rows - row) ** 2 + (columns - column) ** 2 < rng.uniform(8, 22) ** 2] = number
    image = np.stack([40 * mask, np.full_like(mask, 90), np.full_like(mask, 30)], 2)
    return image, mask


@pytest.fixture
def pack(tmp_path: Path) -> DatasetPack:
    for seed in range(6):
        _write(tmp_path / "cells", f"{'ab'[seed % 2]}-{seed}", *_scene(seed))
    return DatasetPack(tmp_path / "cells")


@pytest.fixture
def items(pack: DatasetPack) -> list[Item]:
    return read_items([pack])


def test_items_know_their_objects(items: list[Item]) -> None:
    for item in items:
        for (number, top, left, bottom, right), area in zip(item.objects, item.areas, strict=True):
            mask = item.labels == number
            assert mask.sum() == mask[top:bottom, left:right].sum() == area
    assert Counter(item.source for item in items) == {"a": 3, "b": 3}


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
    _write(tmp_path / "p", "x", 200 * labels, labels)
    (item,) = read_items([DatasetPack(tmp_path / "p")])
    config = replace(PLAIN, targets="foreground", native_scale=True, scale=(0.5, 2.0))
    rng = np.random.default_rng(0)
    whole = [make_crop(item, 0, (600, 600), config, rng) for _ in range(30)]
    sides = [float(crop.masks[0].sum()) ** 0.5 for crop in whole if crop is not None]
    assert 49 <= min(sides) < 65
    assert 150 < max(sides) <= 201


def test_sources_can_be_left_out(pack: DatasetPack) -> None:
    assert {item.source for item in read_items([pack], skip={"a"})} == {"b"}


def test_ignored_and_outside_pixels_are_invalid(tmp_path: Path) -> None:
    image, mask = _scene(0, size=80)
    mask[:, :30] = 255
    _write(tmp_path / "p", "x", image, mask)
    (item,) = read_items([DatasetPack(tmp_path / "p")])
    config = replace(PLAIN, native_scale=True, objects_per_crop=1)
    crop = make_crop(item, len(item.objects) - 1, (160, 160), config, np.random.default_rng(0))
    assert crop is not None
    assert crop.valid.sum() == 80 * 50
    border = crop.image[:, 0, 0]
    torch.testing.assert_close(border, torch.tensor([123.68, 116.779, 103.939]))


def test_grey_images_become_three_equal_channels(tmp_path: Path) -> None:
    image, mask = _scene(0)
    _write(tmp_path / "p", "x", image[..., 0], mask)
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
    _write(tmp_path / "cells", "pair-1", np.zeros((80, 80, 3), np.uint8), mask)
    (item,) = read_items([DatasetPack(tmp_path / "cells")])
    config = replace(PLAIN, merge=1.0, zoom=0.0, whole=1.0, objects_per_crop=2)
    crop = make_crop(item, 0, (320, 320), config, np.random.default_rng(0))
    assert crop is not None
    assert bool((crop.masks[0] & crop.masks[1]).any()) == merged
    assert bool((crop.masks[0] & ~crop.masks[1]).any()) != merged


def test_crops_are_a_function_of_seed_and_number(items: list[Item]) -> None:
    config = replace(PLAIN, augment=True, crop_sizes=((64, 64), (64, 96)))
    first, again, other = (Crops(items, config, seed) for seed in (0, 0, 1))
    for number in (5, 0, 11):
        a, b, c = first[number], again[number], other[number]
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
        assert a.image.shape != c.image.shape or not torch.equal(a.image, c.image)


def test_crops_of_one_step_share_their_size(items: list[Item]) -> None:
    config = replace(PLAIN, crop_sizes=((64, 64), (64, 96), (96, 64)), crops_per_step=3)
    crops = Crops(items, config, 0)
    sizes = [{crops[3 * step + k].image.shape for k in range(3)} for step in range(8)]
    assert all(len(s) == 1 for s in sizes)
    assert len(set.union(*sizes)) > 1


def test_processes_share_the_crops_of_every_step_without_overlap() -> None:
    alone = list(islice(Order(5, 4), 12))
    parts = [list(islice(Order(5, 4, rank, 2), 6)) for rank in range(2)]
    assert alone == list(range(20, 32))
    assert sorted(parts[0] + parts[1]) == alone
    assert parts[0] == [20, 21, 24, 25, 28, 29]


def test_source_weights_decide_how_often_a_source_is_drawn(items: list[Item]) -> None:
    weighted = Crops(items, replace(PLAIN, source_weights={"b": 0.0}), 0)
    alone = Crops([item for item in items if item.source == "a"], PLAIN, 0)
    for number in range(6):
        assert torch.equal(weighted[number].image, alone[number].image)
    with pytest.raises(ValueError, match="source_weights leaves nothing"):
        Crops(items, replace(PLAIN, source_weights={"a": 0.0, "b": 0.0}), 0)


def test_rare_sizes_are_drawn_more_often_than_their_share() -> None:
    labels = np.zeros((64, 600), np.uint8)
    for k in range(49):
        labels[4:10, 10 * k : 10 * k + 6] = k + 1
    labels[10:60, 500:590] = 50
    image = np.where(labels == 50, 200, 20).astype(np.uint8)
    boxes = tuple((k + 1, 4, 10 * k, 10, 10 * k + 6) for k in range(49))
    item = Item(image, labels, (*boxes, (50, 10, 500, 60, 590)),
                np.array([36] * 49 + [4500]), "a")  # fmt: skip
    config = replace(PLAIN, zoom=1.0, whole=0.0, objects_per_crop=1, min_pixels=1)
    crops = Crops([item], config, 0)
    large = sum(bool((crops[n].image[0] > 150).float().mean() > 0.1) for n in range(160))
    assert 10 <= large <= 36  # 1 of 8 by the square root of the counts; 3 if all were equal


def test_objects_too_small_everywhere_are_reported(items: list[Item]) -> None:
    crops = Crops(items, replace(PLAIN, min_pixels=100_000), 0)
    with pytest.raises(ValueError, match=r"no object of 100000 pixels \(data\.min_pixels\)"):
        crops[0]


def test_unusable_files_are_all_named_before_training(tmp_path: Path) -> None:
    image, mask = _scene(0)
    _write(tmp_path / "p", "good", image, mask)
    _write(tmp_path / "p", "smaller", image, mask[:50])
    _write(tmp_path / "p", "broken", image, mask)
    (tmp_path / "p/images/broken.png").write_bytes(b"no picture")
    _write(tmp_path / "empty", "x", image, np.zeros_like(mask))
    with pytest.raises(ValueError, match="training data cannot be used") as error:
        read_items([DatasetPack(tmp_path / "p"), DatasetPack(tmp_path / "empty")])
    message = str(error.value)
    assert "smaller.png" in message
    assert "broken.png" in message
    assert "empty: no image with an object" in message
    assert "good" not in message


def test_masks_without_objects_are_named_and_left_out(tmp_path: Path) -> None:
    image, mask = _scene(0)
    _write(tmp_path / "p", "good", image, mask)
    _write(tmp_path / "p", "blank", image, np.zeros_like(mask))
    with pytest.warns(UserWarning, match="masks without objects are left out:\np: blank"):
        items = read_items([DatasetPack(tmp_path / "p")])
    assert len(items) == 1


@pytest.mark.parametrize("microscopy", [False, True])
def test_augmented_images_stay_images(microscopy: bool) -> None:
    rng = np.random.default_rng(0)
    image = (255 * rng.random((40, 30, 3))).astype(np.float32)
    changed = 0
    for _ in range(40):
        result = augment(image, rng, microscopy=microscopy)
        assert result.shape == image.shape
        assert result.dtype == np.float32
        assert 0 <= result.min() <= result.max() <= 255
        changed += not np.array_equal(result, image)
    assert changed > 20


def test_microscopes_are_shown_as_other_modalities_too() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:64, :64]
    disk = (rows - 32) ** 2 + (columns - 32) ** 2 < 200
    image = np.repeat(np.where(disk, 200, 60)[..., None], 3, 2).astype(np.float32)
    flat = 0
    for _ in range(100):
        result = augment(image, rng, microscopy=True)[..., 0]
        # A relief shows slopes only: inside and outside look the same.
        flat += abs(result[28:36, 28:36].mean() - result[:8].mean()) < 5
    assert 2 <= flat <= 30


def test_a_batch_of_crops_is_a_crop(items: list[Item]) -> None:
    loader = torch.utils.data.DataLoader(Crops(items, PLAIN, 0), batch_size=2, sampler=Order(0, 2))
    batch = next(iter(loader))
    assert isinstance(batch, Crop)
    assert batch.masks.shape == (2, 3, 64, 64)
    assert batch.masks.dtype == torch.bool
