"""BRS-DenseNet, the network the paper's authors released (paper, Section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor

from napari_brs.networks.base import InteractiveNetwork
from napari_brs.networks.decoders import CoarseDecoder, FineDecoder
from napari_brs.networks.densenet import DenseNet121, load_imagenet, normalize, pad_to_multiple

_INPUT_CHANNELS = 5  # blue, green, red, foreground map, background map


class ImageFeatures(NamedTuple):
    """The normalised image (B, 3, H, W): interaction maps enter the first convolution."""

    image: Tensor


class BRSDenseNet(InteractiveNetwork):
    """DenseNet-121 encoder, coarse decoder and fine decoder in cascade.

    17,572,389 parameters. The coarse probability is an input of the fine decoder,
    beside the image and the maps; the two predictions are never summed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = DenseNet121(_INPUT_CHANNELS)
        self.coarse = CoarseDecoder(DenseNet121.channels)
        self.fine = FineDecoder(_INPUT_CHANNELS + 1)

    def load_imagenet(self, state_dict: Mapping[str, Tensor]) -> None:
        """Start the encoder from torchvision's ``densenet121``; see `densenet.load_imagenet`."""
        load_imagenet(self.encoder, state_dict)

    def encode(self, image: Tensor) -> ImageFeatures:
        """The normalised image; see `InteractiveNetwork.encode`."""
        return ImageFeatures(normalize(image))

    def decode_both(
        self, features: NamedTuple, maps: Tensor, previous: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Coarse and fine logits; see `InteractiveNetwork.decode_both`.

        ``previous`` is not looked at.

        Raises
        ------
        ValueError
            When the maps' batch, height or width is not the image's.
        """
        image = cast(ImageFeatures, features).image
        batch, _, height, width = image.shape
        if maps.shape != (batch, 2, height, width):
            raise ValueError(
                f"maps must have shape {(batch, 2, height, width)}, got {tuple(maps.shape)}"
            )
        x = pad_to_multiple(torch.cat([image, maps], 1), 32)
        coarse = self.coarse(self.encoder(x))
        fine = self.fine(torch.cat([x, torch.sigmoid(coarse)], 1))
        return coarse[..., :height, :width], fine[..., :height, :width]
