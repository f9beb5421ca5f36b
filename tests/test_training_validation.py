from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_packs import write_blobs

from napari_brs.io.packs import DatasetPack
from napari_brs.training.config import ModelConfig
from napari_brs.training.items import split_items
from napari_brs.training.network import make_network
from napari_brs.training.validation import choose_objects, click_ious


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blobs(tmp_path_factory.mktemp("data") / "blobs", 12)


def test_validation_takes_one_large_enough_object_of_each_image(blobs: Path) -> None:
    training, _ = split_items([DatasetPack(blobs)])
    chosen = choose_objects(training, 5)
    assert len(chosen) == 5
    assert len({id(item) for item, _ in chosen}) == 5
    assert all((item.labels == number).sum() >= 100 for item, number in chosen)
    assert [n for _, n in choose_objects(training, 5)] == [n for _, n in chosen]


def test_validation_gives_an_iou_for_every_click(blobs: Path) -> None:
    training, _ = split_items([DatasetPack(blobs)])
    torch.manual_seed(0)
    ious = click_ious(make_network(ModelConfig()), choose_objects(training, 2), 2, "cpu")
    assert ious.shape == (2, 2)
    assert ((ious >= 0) & (ious <= 1)).all()
