"""The coarse and the fine decoder of the BRS network (paper, Section 3.1).

Where the paper and the released network differ, these follow the latter: the
squeeze-and-excitation gates sit on the skip connections, the fine decoder has
one of its own, and transposed convolutions carry PReLU and batch norm.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from napari_brs.networks.densenet import Levels

_PRELU_SLOPE = 0.25  # PyTorch's and Caffe's start


def conv_unit(
    in_channels: int, out_channels: int, kernel: int, *, dilation: int = 1, bias: bool = False
) -> nn.Sequential:
    """Convolution, PReLU with a slope per channel, batch norm without affine."""
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(
        in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=bias
    )
    nn.init.kaiming_normal_(conv.weight, a=_PRELU_SLOPE)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return _unit(conv, out_channels)


def upsampling_unit(channels: int) -> nn.Sequential:
    """Transposed 2x2 convolution of stride 2, PReLU, batch norm without affine."""
    conv = nn.ConvTranspose2d(channels, channels, 2, 2, bias=False)
    # Each output pixel sees one input pixel: the fan-in is the number of channels.
    gain = nn.init.calculate_gain("leaky_relu", _PRELU_SLOPE)
    nn.init.normal_(conv.weight, std=gain / channels**0.5)
    return _unit(conv, channels)


def _unit(conv: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv=conv,
            prelu=nn.PReLU(channels, _PRELU_SLOPE),
            norm=nn.BatchNorm2d(channels, affine=False),
        )
    )


def decoding_convolutions(in_channels: int, width: int, out_channels: int) -> nn.Sequential:
    """The three convolutions of a decoding block: 3x3, 3x3, 1x1."""
    return nn.Sequential(
        conv_unit(in_channels, width, 3),
        conv_unit(width, width, 3),
        conv_unit(width, out_channels, 1),
    )


def prediction(in_channels: int) -> nn.Conv2d:
    """1x1 convolution to logits that start near 0, a probability of one half."""
    conv = nn.Conv2d(in_channels, 1, 1)
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


class SqueezeExcitation(nn.Module):
    """Channels gated by a function of their means (Hu et al., CVPR 2018), reduction 16."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 16, 1)
        self.expand = nn.Conv2d(channels // 16, channels, 1)
        nn.init.kaiming_normal_(self.reduce.weight, nonlinearity="relu")
        nn.init.normal_(self.expand.weight, std=0.01)
        for conv in (self.reduce, self.expand):
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        squeezed = torch.relu(self.reduce(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.expand(squeezed))


class DecodingBlock(nn.Module):
    """Twice the resolution: up-sampled features beside a gated, narrowed skip connection."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = upsampling_unit(in_channels)
        self.gate = SqueezeExcitation(skip_channels)
        self.lateral = conv_unit(skip_channels, in_channels, 1, bias=True)
        self.convs = decoding_convolutions(2 * in_channels, in_channels, out_channels)

    def read(self, skip: Tensor) -> Tensor:
        """What the block takes from a skip connection."""
        y: Tensor = self.lateral(self.gate(skip))
        return y

    def forward(self, x: Tensor, reading: Tensor) -> Tensor:
        y: Tensor = self.convs(torch.cat([self.up(x), reading], 1))
        return y


class CoarseDecoder(nn.Module):
    """Encoder levels -> coarse logits (B, 1, H, W) at the input's resolution, and its readings.

    Parameters
    ----------
    channels : (int, int, int, int)
        Of the encoder's levels at strides 4, 8, 16 and 32.
    """

    def __init__(self, channels: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.gate = SqueezeExcitation(channels[3])
        self.convs = decoding_convolutions(channels[3], 512, 256)
        self.block16 = DecodingBlock(256, channels[2], 128)
        self.block8 = DecodingBlock(128, channels[1], 64)
        self.block4 = DecodingBlock(64, channels[0], 32)
        self.predict = prediction(32)
        self.upsample = nn.ConvTranspose2d(1, 1, 4, 4, bias=False)
        # Kernels that tile without overlap cannot interpolate; ones repeat each logit.
        nn.init.ones_(self.upsample.weight)

    def read(self, levels: Levels) -> Levels:
        """What the decoder takes from each level.

        Normalised features of 64, 128, 256 and 256 channels, whatever the encoder's are.
        """
        return Levels(
            self.block4.read(levels.s4),
            self.block8.read(levels.s8),
            self.block16.read(levels.s16),
            self.convs(self.gate(levels.s32)),
        )

    def forward(self, levels: Levels) -> tuple[Tensor, Levels]:
        readings = self.read(levels)
        x = self.block16(readings.s32, readings.s16)
        x = self.block8(x, readings.s8)
        x = self.block4(x, readings.s4)
        logits: Tensor = self.upsample(self.predict(x))
        return logits, readings


class FineDecoder(nn.Module):
    """Network input and coarse probability (B, C, H, W) -> fine logits (B, 1, H, W).

    Three parallel branches, the first convolution of each dilated by 1, 2 or 3.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                conv_unit(in_channels, 32, 3, dilation=dilation),
                conv_unit(32, 32, 3),
                conv_unit(32, 16, 1),
            )
            for dilation in (1, 2, 3)
        )
        self.gate = SqueezeExcitation(48)
        self.conv = conv_unit(48, 16, 3)
        self.predict = prediction(16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.gate(torch.cat([branch(x) for branch in self.branches], 1))
        logits: Tensor = self.predict(self.conv(x))
        return logits
