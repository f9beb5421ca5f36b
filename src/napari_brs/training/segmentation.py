"""One training step, and validation, of networks that segment without clicks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_brs.image import ImageSource
from napari_brs.metrics import iou
from napari_brs.networks.unet import SegmentationNetwork

from .config import LossConfig
from .crops import Crop
from .items import Item
from .losses import cross_entropy_loss, dice_loss
from .rounds import Step


class WholeImage(nn.Module):
    """Loss of the foreground and, where the network tells objects apart, of their cores.

    The forward pass of a module, so that Fabric can wrap it.
    """

    def __init__(self, network: SegmentationNetwork, loss: LossConfig) -> None:
        super().__init__()
        self.network = network
        self._loss = loss

    def forward(self, crop: Crop, seed: tuple[int, int, int]) -> Step:
        """Cross-entropy and Dice loss of every output; ``seed`` is not needed.

        Parameters
        ----------
        crop : Crop
            A batch: image (B, 3, H, W), masks (B, 2, H, W) as foreground and cores,
            valid (B, H, W).
        seed : (int, int, int)
        """
        logits = self.network.heads(self.network.normalise(crop.image)).float()
        valid = crop.valid[:, None]
        total = logits.new_zeros(())
        for k, weight in zip(range(logits.shape[1]), (1.0, self._loss.cores), strict=False):
            output, target = logits[:, k : k + 1], crop.masks[:, k : k + 1]
            loss = cross_entropy_loss(output, target, valid) + dice_loss(output, target, valid)
            total = total + weight * loss.mean()
        mask, target = logits[:, :1] > 0, crop.masks[:, :1]
        either = ((mask | target) & valid).sum((1, 2, 3)).clamp(min=1)
        return Step(total, ((mask & target & valid).sum((1, 2, 3)) / either).mean())


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most ``count`` items spread evenly."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in places]


@torch.no_grad()
def foreground_ious(
    network: SegmentationNetwork, items: Sequence[Item], device: str = "cpu"
) -> NDArray[np.float64]:
    """IoU of the foreground of every image, (len(items), 1).

    Parameters
    ----------
    network : SegmentationNetwork
        In evaluation mode, on the device.
    items : list of Item
    device : str
    """
    result = np.zeros((len(items), 1))
    for row, item in zip(result, items, strict=True):
        image = whole_image(item.image).to(device)
        mask = network(network.normalise(image))[0, 0].cpu().numpy() > 0
        row[0] = iou(mask, item.foreground, item.ignored)
    return result


def whole_image(image: NDArray[np.uint8]) -> Tensor:
    """(H, W[, 3]) as (1, 3, H, W) float32 RGB in [0, 255]."""
    source = ImageSource(image)
    pixels = source.read(0, 0, *source.shape)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]
