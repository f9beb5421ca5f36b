from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_brs.models import load_model, save_weights
from napari_brs.networks.unet import SegmentationNetwork, UNet
from napari_brs.training.config import LossConfig
from napari_brs.training.crops import Crop
from napari_brs.training.items import Item
from napari_brs.training.segmentation import WholeImage, foreground_ious, spread, whole_image


class Brightness(SegmentationNetwork):
    """Foreground is what is brighter than 100; the cores what is brighter than 200."""

    outputs = 2

    def __init__(self, sharpness: float = 1.0) -> None:
        super().__init__()
        self.sharpness = sharpness

    @staticmethod
    def normalise(image: Tensor) -> Tensor:
        return image

    def heads(self, x: Tensor) -> Tensor:
        grey = x.mean(1, keepdim=True)
        return self.sharpness * torch.cat([grey - 100, grey - 200], 1)


def crop() -> Crop:
    """Foreground 150, core 250, background 0, and an invalid column."""
    image = torch.zeros(1, 3, 4, 6)
    image[..., 1:3, 1:4] = 150
    image[..., 1:3, 2] = 250
    grey = image[:, :1]
    valid = torch.ones(1, 4, 6, dtype=torch.bool)
    valid[..., 5] = False
    image[..., 5] = 250
    return Crop(image, torch.cat([grey > 100, grey > 200], 1), valid)


def test_right_foreground_and_cores_cost_nothing():
    step = WholeImage(Brightness(), LossConfig())(crop(), (0, 0, 0))
    assert step.loss.item() == pytest.approx(0, abs=1e-4)
    assert step.iou == 1


def test_undecided_outputs_cost_cross_entropy_and_dice_of_one_half():
    step = WholeImage(Brightness(sharpness=0.0), LossConfig(cores=0.5))(crop(), (0, 0, 0))
    # 20 valid pixels of probability 1/2; 6 foreground, 2 core; one is added above and below.
    foreground = math.log(2) + 1 - (2 * 3 + 1) / (5 + 6 + 1)
    cores = math.log(2) + 1 - (2 * 1 + 1) / (5 + 2 + 1)
    assert step.loss.item() == pytest.approx(foreground + 0.5 * cores, rel=1e-5)
    assert step.iou == 0


def test_iou_of_a_foreground_counts_valid_pixels():
    network = Brightness()
    image = np.zeros((10, 10), np.uint8)
    image[:4] = 180
    labels = np.zeros((10, 10), np.uint8)
    labels[2:6] = 1
    labels[:1] = 255
    item = Item(image, labels, ((1, 2, 0, 6, 10),), np.array([40]), "a")
    assert foreground_ious(network, [item]).tolist() == [[pytest.approx(20 / 50)]]


def test_items_are_spread_evenly_over_all():
    items = [Item(np.zeros(1), np.zeros(1), (), np.zeros(1), str(k)) for k in range(9)]
    assert [item.source for item in spread(items, 3)] == ["0", "4", "8"]
    assert spread(items[:2], 5) == items[:2]


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_images_keep_their_grey_levels(shape):
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    x = whole_image(image)
    assert x.shape == (1, 3, 5, 7)
    expected = image if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
    assert (x[0].permute(1, 2, 0).numpy() == expected).all()


@pytest.mark.filterwarnings("ignore::UserWarning:lightning")
def test_the_same_command_trains_a_network_without_clicks(tmp_path, capsys):
    pytest.importorskip("lightning")
    from training_packs import write_blobs

    from napari_brs.training.run import train
    from napari_brs.training.trainer import LAST

    start = save_weights(UNet(), tmp_path / "start.safetensors", "unet-cells")
    config = tmp_path / "tiny.toml"
    config.write_text(
        f"""
[model]
name = "unet-cells"
initial = "{start.as_posix()}"
[data]
targets = "foreground"
native_scale = true
crop_sizes = [[64, 64]]
crops_per_step = 2
[validation]
images = 2
[run]
steps = 2
minutes = 1000
accelerator = "cpu"
"""
    )
    best = train(config, [write_blobs(tmp_path / "blobs", 12)], output=tmp_path / "out")
    network = load_model(best)
    assert isinstance(network, UNet)
    moved = network.head.weight - load_model(start).head.weight
    assert 0 < moved.abs().max() < 0.1
    assert (tmp_path / "out" / LAST).is_file()
    assert "validation_0/iou" in capsys.readouterr().out
