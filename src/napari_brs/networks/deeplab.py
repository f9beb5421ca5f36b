"""DeepLabv3 with MobileNetV2 for the 21 classes of PASCAL VOC.

Chen et al., "Rethinking atrous convolution for semantic image segmentation", 2017;
Sandler et al., "MobileNetV2", CVPR 2018. The weights are those of the TensorFlow
release (Apache-2.0), which users supply; they are not shipped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip

# Channels before the blocks and after each of them, and strides and dilations of the blocks.
_CHANNELS = (32, 16, 24, 24, 32, 32, 32, *4 * (64,), *3 * (96,), *3 * (160,), 320)
_STRIDES = (1, 2, 1, 2, 1, 1, 2, *10 * (1,))
_DILATIONS = (*14 * (1,), *3 * (2,))
_EXPANSION = 6
_HEAD = 256
_OUTPUT_STRIDE = 16


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's padding 'SAME': ceil(side / stride) pixels come out.

    An odd pixel of padding goes to the bottom and to the right, so that a stride
    of 2 looks at other pixels than torch's symmetric padding does.
    """

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (
            _same_padding(side, kernel, stride, dilation)
            for side, kernel, stride, dilation in zip(
                x.shape[-2:], self.kernel_size, self.stride, self.dilation, strict=True
            )
        )
        return super().forward(F.pad(x, (*columns, *rows)))


def _same_padding(side: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pixels before and after."""
    reach = dilation * (kernel - 1) + 1
    total = max((-(-side // stride) - 1) * stride + reach - side, 0)
    return total // 2, total - total // 2


class InvertedResidual(nn.Module):
    """Expansion by 1x1, depthwise 3x3, linear projection by 1x1; added where shapes agree."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, dilation: int, expands: bool
    ) -> None:
        super().__init__()
        width = in_channels * (_EXPANSION if expands else 1)
        self.expand = SameConv2d(in_channels, width, 1) if expands else None
        self.depthwise = SameConv2d(width, width, 3, stride, dilation=dilation, groups=width)
        self.project = SameConv2d(width, out_channels, 1)
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else F.relu6(self.expand(x))
        y: Tensor = self.project(F.relu6(self.depthwise(wide)))
        return x + y if self.adds else y


class DeepLabV3(nn.Module):
    """Logits of the VOC classes; batch norms are folded into the convolutions."""

    classes = VOC_CLASSES

    def __init__(self) -> None:
        super().__init__()
        self.first = SameConv2d(3, _CHANNELS[0], 3, 2)
        self.blocks = nn.ModuleList(
            InvertedResidual(i, o, stride, dilation, expands=k > 0)
            for k, ((i, o), stride, dilation) in enumerate(
                zip(pairwise(_CHANNELS), _STRIDES, _DILATIONS, strict=True)
            )
        )
        self.pooling = SameConv2d(_CHANNELS[-1], _HEAD, 1)
        self.aspp = SameConv2d(_CHANNELS[-1], _HEAD, 1)
        self.projection = SameConv2d(2 * _HEAD, _HEAD, 1)
        self.logits = SameConv2d(_HEAD, len(VOC_CLASSES), 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @staticmethod
    def normalise(image: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 255] -> [-1, 1]."""
        return image / 127.5 - 1

    def forward(self, x: Tensor) -> Tensor:
        """Logits.

        Parameters
        ----------
        x : (B, 3, H, W) float32
            RGB in [-1, 1], of any size. It is padded with grey, as the training
            images were, to sides of 16 n + 1, on which the up-sampling is exact.

        Returns
        -------
        (B, 21, H, W)
        """
        height, width = x.shape[-2:]
        x = F.pad(x, (0, (1 - width) % _OUTPUT_STRIDE, 0, (1 - height) % _OUTPUT_STRIDE))
        y = F.relu6(self.first(x))
        for block in self.blocks:
            y = block(y)
        pooled = F.relu(self.pooling(y.mean((2, 3), keepdim=True))).expand(-1, -1, *y.shape[-2:])
        y = F.relu(self.projection(torch.cat([pooled, F.relu(self.aspp(y))], 1)))
        y = F.interpolate(self.logits(y), x.shape[-2:], mode="bilinear", align_corners=True)
        return y[..., :height, :width]


def load_deeplab(path: str | os.PathLike[str]) -> DeepLabV3:
    """The network with the weights of a file.

    Parameters
    ----------
    path : path
        A dictionary of tensors under TensorFlow's names, with kernels as (out, rows,
        columns, in) and depthwise kernels as (1, rows, columns, channels), as
        ``torch.save`` writes it.

    Raises
    ------
    ValueError
        If tensors are missing, left over, or of another shape; it names them.
    """
    tensors = torch.load(path, weights_only=True)
    network = DeepLabV3()
    try:
        network.load_state_dict(_renamed(tensors))
    except (RuntimeError, AttributeError) as error:
        lines = str(error).splitlines()
        raise ValueError(
            f"{path} does not fit DeepLabv3-MobileNetV2: {lines[-1].strip()}"
        ) from None
    return network.eval().requires_grad_(False)


def _renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under our names, kernels as torch has them; unknown names stay."""
    ours = {"logits_semantic_biases": "logits.bias"}
    for theirs, name in (
        ("MobilenetV2_Conv_Conv2D", "first"),
        ("image_pooling_Conv2D", "pooling"),
        ("aspp0_Conv2D", "aspp"),
        ("concat_projection_Conv2D", "projection"),
        ("logits_semantic_Conv2D", "logits"),
    ):
        ours |= {theirs: f"{name}.weight", f"{theirs}_bn_offset": f"{name}.bias"}
    for k in range(len(_STRIDES)):
        prefix = f"MobilenetV2_expanded_conv_{k}_" if k else "MobilenetV2_expanded_conv_"
        for theirs, part in (
            ("expand_Conv2D", "expand"),
            ("depthwise_depthwise", "depthwise"),
            ("project_Conv2D", "project"),
        ):
            name = f"blocks.{k}.{part}"
            ours |= {
                f"{prefix}{theirs}": f"{name}.weight",
                f"{prefix}{theirs}_bn_offset": f"{name}.bias",
            }
        # Some depthwise offsets are named after the batch norm that was folded.
        ours[f"{prefix}depthwise_BatchNorm_FusedBatchNorm"] = f"blocks.{k}.depthwise.bias"
    result = {}
    for name, tensor in tensors.items():
        values = tensor.float()
        if name.endswith("depthwise_depthwise"):
            values = values.permute(3, 0, 1, 2)
        elif values.ndim == 4:
            values = values.permute(0, 3, 1, 2)
        result[ours.get(name, name)] = values.contiguous()
    return result
