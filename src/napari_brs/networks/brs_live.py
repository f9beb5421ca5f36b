"""BRS-Live: image features once, clicks late.

The image encoder is the whole DenseNet-121; it never sees a click, so its
features are computed once for a view. Every click, and every evaluation of the
refinement, costs only the light branch in `BRSLive.decode_both`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .base import InteractiveNetwork
from .densenet import DenseNet121, load_imagenet, normalize, pad_to_multiple

# Channels of the light branch at strides 2, 4, 8, 16 and 32.
_WIDTHS = (16, 32, 56, 96, 144)
_EMBEDDING = 32
_HEADS = 4
_STRIDE = 32
_MAX_DISTANCE = 255.0
_PEAK_RADIUS = 5.0


class LiveFeatures(NamedTuple):
    """Image features of the light branch, by stride in input pixels."""

    s2: Tensor
    s4: Tensor
    s8: Tensor
    s16: Tensor
    s32: Tensor
    embedding: Tensor
    """(B, 32, H/8, W/8), of unit length per pixel: what the prototypes compare."""


class ConvBlock(nn.Sequential):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, around which the input is added."""

    folds = (("conv2", "norm2"),)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvBlock(channels, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm2(self.conv2(self.conv1(x))))


class Lateral(nn.Sequential):
    """Encoder level to a thin width. The levels leave the encoder without norm and ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class GlobalBlock(nn.Module):
    """Self-attention over all positions of the coarsest level, then a per-position MLP."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        tokens: Tensor = x.flatten(2).transpose(1, 2)
        q, k, v = (
            self.qkv(self.norm1(tokens))
            .view(batch, height * width, 3, _HEADS, channels // _HEADS)
            .permute(2, 0, 3, 1, 4)
        )
        attended = F.scaled_dot_product_attention(q, k, v)
        tokens = tokens + self.out(attended.transpose(1, 2).flatten(2))
        tokens = tokens + self.mlp(self.norm2(tokens))
        # (batch, positions, channels) back to an image.
        return tokens.transpose(1, 2).reshape(x.shape)


class BRSLive(InteractiveNetwork):
    """DenseNet-121 image features, and a light branch for clicks and the previous mask.

    The branch is a small U-Net. Down: the interaction maps and the previous
    mask, to which each level's image features are added. At stride 8 it also
    sees how similar every pixel is to the clicked foreground, to the clicked
    background and to the previous mask (cosine to the mean embedding of each);
    at stride 32 two attention blocks look at the whole view. Up: additions of
    the down path. The coarse logits leave at stride 4; the fine head works at
    stride 2 on the coarse probability, the maps and image detail, and
    writes the residual of each pixel through a pixel shuffle.

    Beside the maps 1 - min(d, 255)/255 themselves the branch sees their peaks
    exp(-d/5), the soft counterpart of click disks of radius 5, which is a
    function of the maps: refining the maps moves both.

    The encoder stays in evaluation mode, also while the rest trains: its batch
    norm keeps ImageNet's statistics. Whether its weights are trained is up to
    their ``requires_grad``; they start frozen.
    """

    uses_previous = True

    def __init__(self) -> None:
        super().__init__()
        w2, w4, w8, w16, w32 = _WIDTHS
        self.encoder = DenseNet121().requires_grad_(False)
        c4, c8, c16, c32 = DenseNet121.channels
        self.detail = nn.Sequential(
            ConvBlock(3, w2, stride=2), nn.Conv2d(w2, w2, 3, padding=1, bias=False),
            nn.BatchNorm2d(w2),
        )  # fmt: skip
        self.lateral4 = Lateral(c4, w4)
        self.lateral8 = Lateral(c8, w8)
        self.lateral16 = Lateral(c16, w16)
        self.lateral32 = Lateral(c32, w32)
        self.embed8 = nn.Conv2d(c8, _EMBEDDING, 1)
        self.embed16 = nn.Conv2d(c16, _EMBEDDING, 1)

        self.stem2 = ConvBlock(5, w2, stride=2)
        self.down4 = ConvBlock(w2, w4, stride=2)
        self.down8 = ConvBlock(w4, w8, stride=2)
        self.similarity8 = nn.Conv2d(3, w8, 1)
        self.down16 = ConvBlock(w8, w16, stride=2)
        self.down32 = ConvBlock(w16, w32, stride=2)
        self.block4 = ResidualBlock(w4)
        self.block8 = ResidualBlock(w8)
        self.block16 = ResidualBlock(w16)
        self.block32 = nn.Sequential(GlobalBlock(w32), GlobalBlock(w32))

        self.up16 = nn.Conv2d(w32, w16, 1)
        self.merge16 = ConvBlock(w16, w16)
        self.up8 = nn.Conv2d(w16, w8, 1)
        self.merge8 = ConvBlock(w8, w8)
        self.up4 = nn.Conv2d(w8, w4, 1)
        self.merge4 = ConvBlock(w4, w4)
        self.coarse = nn.Conv2d(w4, 1, 1)

        self.fine4 = nn.Conv2d(w4 + 1, w2, 1)
        self.merge2 = ConvBlock(w2, w2)
        self.residual = nn.Conv2d(w2, 4, 3, padding=1)
        nn.init.zeros_(self.residual.weight)
        # Twice as fast on CPUs; weights loaded later keep this memory format.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def train(self, mode: bool = True) -> BRSLive:
        super().train(mode)
        self.encoder.eval()
        return self

    def load_imagenet(self, state_dict: Mapping[str, Tensor]) -> None:
        """Start the encoder from torchvision's ``densenet121``; see `densenet.load_imagenet`."""
        load_imagenet(self.encoder, state_dict)

    def encode(self, image: Tensor) -> LiveFeatures:
        x = pad_to_multiple(normalize(image), _STRIDE).contiguous(memory_format=torch.channels_last)
        levels = self.encoder(x)
        embedding = self.embed8(levels.s8) + _double(self.embed16(levels.s16))
        return LiveFeatures(
            self.detail(x),
            self.lateral4(levels.s4),
            self.lateral8(levels.s8),
            self.lateral16(levels.s16),
            self.lateral32(levels.s32),
            F.normalize(embedding, dim=1),
        )

    def decode_both(
        self, features: NamedTuple, maps: Tensor, previous: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if not isinstance(features, LiveFeatures):
            raise TypeError(f"features must come from BRSLive.encode, got {type(features)}")
        height, width = maps.shape[-2:]
        if previous is None:
            previous = torch.zeros_like(maps[:, :1])
        # Refined maps may exceed 1; a peak must not.
        peaks = torch.exp(-F.relu(_MAX_DISTANCE * (1 - maps)) / _PEAK_RADIUS)
        x = pad_to_multiple(torch.cat([maps, peaks, previous], 1), _STRIDE)
        x = x.contiguous(memory_format=torch.channels_last)
        # Peaks and masks are wide enough for every second pixel to stand for all.
        weights = F.avg_pool2d(x[:, 2:, ::2, ::2], 4)
        similarity = _prototype_similarity(features.embedding, weights)

        x2 = self.stem2(x)
        x4 = self.block4(F.relu(self.down4(x2) + features.s4))
        x8 = self.block8(F.relu(self.down8(x4) + features.s8 + self.similarity8(similarity)))
        x16 = self.block16(F.relu(self.down16(x8) + features.s16))
        x32 = self.block32(self.down32(x16) + features.s32)

        y16 = self.merge16(x16 + _double(self.up16(x32)))
        y8 = self.merge8(x8 + _double(self.up8(y16)))
        y4 = self.merge4(x4 + _double(self.up4(y8)))
        coarse = self.coarse(y4)
        y2 = _double(self.fine4(torch.cat([y4, torch.sigmoid(coarse)], 1)))
        y2 = self.merge2(F.relu(y2 + x2 + features.s2))
        coarse = _upsample(coarse, 4)
        fine = coarse + F.pixel_shuffle(self.residual(y2), 2)
        return coarse[..., :height, :width], fine[..., :height, :width]


def _upsample(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def _double(x: Tensor) -> Tensor:
    return _upsample(x, 2)


def _prototype_similarity(embedding: Tensor, weights: Tensor) -> Tensor:
    """Cosine of every pixel to the weighted mean embedding of each weight map.

    Parameters
    ----------
    embedding : (B, E, h, w)
        Of unit length per pixel.
    weights : (B, K, h, w)
        Non-negative. A map of zeros gives similarity 0 everywhere.

    Returns
    -------
    (B, K, h, w)
    """
    pixels = embedding.flatten(2)
    prototypes = torch.einsum("bkn,ben->bke", weights.flatten(2), pixels)
    # The weight of one click is about 2.5 cells; far less than that is no click.
    prototypes = prototypes / (prototypes.norm(dim=2, keepdim=True) + 0.01)
    return torch.einsum("bke,ben->bkn", prototypes, pixels).reshape(weights.shape)
