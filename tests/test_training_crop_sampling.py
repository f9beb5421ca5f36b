from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from training_packs import write_disks

from napari_brs.training.config import DataConfig
from napari_brs.training.crop_sampling import Crops, Order
from napari_brs.training.crops import Crop
from napari_brs.training.items import Item, read_items

PLAIN = DataConfig(augment=False, crops_per_step=2, objects_per_crop=3, crop_sizes=((64, 64),))


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    return read_items([write_disks(tmp_path_factory.mktemp("data") / "cells")])


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


def test_a_batch_of_crops_is_a_crop(items: list[Item]) -> None:
    loader = torch.utils.data.DataLoader(Crops(items, PLAIN, 0), batch_size=2, sampler=Order(0, 2))
    batch = next(iter(loader))
    assert isinstance(batch, Crop)
    assert batch.masks.shape == (2, 3, 64, 64)
    assert batch.masks.dtype == torch.bool
