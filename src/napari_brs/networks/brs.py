"""The BRS network around any encoder of four levels (paper, Section 3.1)."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from napari_brs.networks.base import InteractiveNetwork
from napari_brs.networks.decoders import CoarseDecoder, FineDecoder
from napari_brs.networks.densenet import Levels, normalize, pad_to_multiple

INPUT_CHANNELS = 5
"""Blue, green, red, foreground map, background map."""


class ImageFeatures(NamedTuple):
    """The normalised image (B, 3, H, W): interaction maps enter the first convolution."""

    image: Tensor


class BRSNetwork(InteractiveNetwork):
    """Encoder, coarse decoder and fine decoder in cascade.

    The coarse probability is an input of the fine decoder, beside the image and
    the maps; the two predictions are never summed.

    Parameters
    ----------
    encoder : torch.nn.Module
        (B, 5, H, W) with sides in multiples of 32 -> `Levels`.
    channels : (int, int, int, int)
        Of the encoder's levels at strides 4, 8, 16 and 32.
    """

    def __init__(self, encoder: nn.Module, channels: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.encoder = encoder
        self.coarse = CoarseDecoder(channels)
        self.fine = FineDecoder(INPUT_CHANNELS + 1)

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
        x = self.stack(features, maps)
        height, width = maps.shape[-2:]
        coarse, fine, _ = self.decode_levels(x, self.encoder(x))
        return coarse[..., :height, :width], fine[..., :height, :width]

    def stack(self, features: NamedTuple, maps: Tensor) -> Tensor:
        """The network's input (B, 5, H, W), with zeros up to multiples of 32.

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
        return pad_to_multiple(torch.cat([image, maps], 1), 32)

    def decode_levels(self, x: Tensor, levels: Levels) -> tuple[Tensor, Tensor, Levels]:
        """Coarse and fine logits (B, 1, H, W) of an input and the encoder's levels for it.

        And what the coarse decoder read from these; see `CoarseDecoder.read`.
        """
        coarse, readings = self.coarse(levels)
        fine = self.fine(torch.cat([x, torch.sigmoid(coarse)], 1))
        return coarse, fine, readings
