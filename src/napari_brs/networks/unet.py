"""Networks that segment a whole image without clicks: a U-Net for cells, and its kin."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .brs_live import ConvBlock, Lateral
from .densenet import DenseNet121, load_imagenet, normalize, pad_to_multiple

# Channels at strides 2, 4, 8, 16 and 32.
_WIDTHS = (32, 64, 128, 192, 256)
_STRIDE = 32


class SegmentationNetwork(nn.Module):
    """A network from an image alone to logits of its foreground.

    ``forward`` is what the training-free conversion (Section 3.3) makes clickable.
    Normalisation stands apart from it, and is the same for every image and pixel, so
    that what is added to a pixel changes nothing far away.
    """

    outputs: int
    """Of ``heads``."""

    @staticmethod
    def normalise(image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 255] -> what ``forward`` takes, of the same shape."""
        return normalize(image)

    def heads(self, x: Tensor) -> Tensor:
        """Logits of everything the network tells, the foreground first.

        Parameters
        ----------
        x : (B, 3, H, W) float32
            What ``normalise`` gave, of any size: it is padded here.

        Returns
        -------
        (B, outputs, H, W)
        """
        raise NotImplementedError(f"{type(self).__name__} has no heads()")

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the foreground, (B, 1, H, W); see `heads`."""
        return self.heads(x)[:, :1]


class UNet(SegmentationNetwork):
    """A U-Net (Ronneberger et al., MICCAI 2015) that works at half resolution.

    Two outputs: the cells, and their cores, which touch nothing: each cell without
    the pixels near its boundary. Cores tell touching cells apart (see
    `napari_brs.labels`), so that no gap must be cut into the cells themselves.

    Pixels enter in blocks of two by two, as twelve channels, and leave through a
    pixel shuffle: no detail is lost, and the layers that cost most, those at full
    resolution, are not there.
    """

    outputs = 2

    def __init__(self) -> None:
        super().__init__()
        self.enter = _double_conv(4 * 3, _WIDTHS[0])
        self.down = nn.ModuleList(_double_conv(i, o) for i, o in pairwise(_WIDTHS))
        self.up = nn.ModuleList(Up(o, i, i) for i, o in reversed(list(pairwise(_WIDTHS))))
        self.head = nn.Conv2d(_WIDTHS[0], 4 * self.outputs, 3, padding=1)
        # Twice as fast on CPUs; weights loaded later keep this memory format.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def heads(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = F.pixel_unshuffle(pad_to_multiple(x, _STRIDE), 2)
        levels = [self.enter(x.contiguous(memory_format=torch.channels_last))]
        for down in self.down:
            levels.append(down(F.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for up in self.up:
            x = up(x, levels.pop())
        return F.pixel_shuffle(self.head(x), 2)[..., :height, :width]

    def cores(self, x: Tensor) -> Tensor:
        """Probability of the cores, (B, 1, H, W); see `heads`."""
        return self.heads(x)[:, 1:].sigmoid()


class DenseUNet(SegmentationNetwork):
    """The same way up from the DenseNet-121 encoder, for photographs; one output.

    The encoder stays in evaluation mode, also while the rest trains; it starts frozen.
    """

    outputs = 1

    def __init__(self) -> None:
        super().__init__()
        self.encoder = DenseNet121().requires_grad_(False)
        widths = (32, 64, 96, 128)
        self.detail = ConvBlock(4 * 3, 16)
        self.lateral = nn.ModuleList(
            Lateral(c, w) for c, w in zip(DenseNet121.channels, widths, strict=True)
        )
        self.up = nn.ModuleList(Up(o, i, i) for i, o in reversed(list(pairwise((16, *widths)))))
        self.head = nn.Conv2d(16, 4 * self.outputs, 3, padding=1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def train(self, mode: bool = True) -> DenseUNet:
        super().train(mode)
        self.encoder.eval()
        return self

    def load_imagenet(self, state_dict: Mapping[str, Tensor]) -> None:
        """Start the encoder from torchvision's ``densenet121``; see `densenet.load_imagenet`."""
        load_imagenet(self.encoder, state_dict)

    def heads(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = pad_to_multiple(x, _STRIDE).contiguous(memory_format=torch.channels_last)
        levels = [self.detail(F.pixel_unshuffle(x, 2))]
        levels += [f(level) for f, level in zip(self.lateral, self.encoder(x), strict=True)]
        x = levels.pop()
        for up in self.up:
            x = up(x, levels.pop())
        return F.pixel_shuffle(self.head(x), 2)[..., :height, :width]


class Up(nn.Module):
    """Twice the resolution, beside the features of that level, through two convolutions."""

    def __init__(self, below: int, beside: int, out_channels: int) -> None:
        super().__init__()
        self.convs = _double_conv(below + beside, out_channels)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        y: Tensor = self.convs(torch.cat([level, x], 1))
        return y


def _double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        ConvBlock(in_channels, out_channels), ConvBlock(out_channels, out_channels)
    )
