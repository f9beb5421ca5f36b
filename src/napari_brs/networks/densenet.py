"""DenseNet-121 as an encoder of four levels (Huang et al., CVPR 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGE_MEAN_BGR = (103.939, 116.779, 123.68)
IMAGE_SCALE = 0.017

# What the torchvision weights expect: RGB in [0, 1].
_IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
_IMAGENET_STD_RGB = (0.229, 0.224, 0.225)

_GROWTH = 32
_BOTTLENECK = 4 * _GROWTH
_STEM_CHANNELS = 64
_LAYERS_PER_BLOCK = (6, 12, 24, 16)


def normalize(image: Tensor) -> Tensor:
    """(B, 3, H, W) RGB in [0, 255] -> BGR, mean subtracted, times 0.017."""
    mean = image.new_tensor(IMAGE_MEAN_BGR).view(3, 1, 1)
    return (image.flip(1) - mean) * IMAGE_SCALE


def pad_to_multiple(x: Tensor, stride: int) -> Tensor:
    """Pad (B, C, H, W) with zeros, bottom and right, to multiples of ``stride``."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % stride, 0, -height % stride))


class Levels(NamedTuple):
    """Encoder features; each field is named after its stride in input pixels."""

    s4: Tensor
    s8: Tensor
    s16: Tensor
    s32: Tensor


class DenseLayer(nn.Module):
    """BN-ReLU-1x1(128)-BN-ReLU-3x3(32): the 32 channels a dense layer adds."""

    folds = (("conv1", "norm2"),)

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, _BOTTLENECK, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(_BOTTLENECK)
        self.conv2 = nn.Conv2d(_BOTTLENECK, _GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(F.relu(self.norm1(x), inplace=True))
        y: Tensor = self.conv2(F.relu(self.norm2(x), inplace=True))
        return y


class DenseBlock(nn.ModuleDict):
    """Dense layers; each one's output is appended to its input's channels."""

    def __init__(self, in_channels: int, layers: int) -> None:
        super().__init__(
            {f"denselayer{i + 1}": DenseLayer(in_channels + i * _GROWTH) for i in range(layers)}
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.values():
            x = torch.cat([x, layer(x)], 1)
        return x


class Transition(nn.Module):
    """BN-ReLU-1x1-average pooling: half the channels at half the resolution."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, in_channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(F.relu(self.norm(x), inplace=True)), 2)


class DenseNet121(nn.Module):
    """The convolutional part of DenseNet-121, without its last norm and ReLU.

    Modules are named as in torchvision. The levels have 256, 512, 1024 and 1024
    channels at strides 4, 8, 16 and 32 (``DenseNet121.channels``).

    Parameters
    ----------
    in_channels : int
        3 for an image alone; the BRS network adds two interaction maps.
    """

    channels = (256, 512, 1024, 1024)
    folds = (("conv0", "norm0"),)

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(in_channels, _STEM_CHANNELS, 7, 2, 3, bias=False)
        self.norm0 = nn.BatchNorm2d(_STEM_CHANNELS)
        channels = _STEM_CHANNELS
        for number, layers in enumerate(_LAYERS_PER_BLOCK, 1):
            self.add_module(f"denseblock{number}", DenseBlock(channels, layers))
            channels += layers * _GROWTH
            if number < len(_LAYERS_PER_BLOCK):
                self.add_module(f"transition{number}", Transition(channels))
                channels //= 2
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Levels:
        """Features of a normalised (B, C, H, W) input, H and W multiples of 32."""
        if x.shape[-2] % 32 or x.shape[-1] % 32:
            raise ValueError(f"height and width must be multiples of 32, got {tuple(x.shape[-2:])}")
        x = F.relu(self.norm0(self.conv0(x)), inplace=True)
        # Rounded down: 240 pixels become 120, which the decoders' doublings meet again.
        # Caffe's own default, rounding up, would make them 121.
        x = F.max_pool2d(x, 3, 2, 1)
        s4 = self.get_submodule("denseblock1")(x)
        s8 = self.get_submodule("denseblock2")(self.get_submodule("transition1")(s4))
        s16 = self.get_submodule("denseblock3")(self.get_submodule("transition2")(s8))
        s32 = self.get_submodule("denseblock4")(self.get_submodule("transition3")(s16))
        return Levels(s4, s8, s16, s32)


def load_imagenet(encoder: DenseNet121, state_dict: Mapping[str, Tensor]) -> None:
    """Fill an encoder with torchvision's ``densenet121`` weights, in place.

    torchvision's input is v = a u + b per channel, with u ours (see `normalize`)
    and b below 0.01. The scale a and the order of channels go into the first
    convolution's weights, and the constant that b adds to each of its outputs
    into the running mean of the batch norm behind it. In evaluation mode all
    features thus equal torchvision's, except that zeros around the image mean
    v = b here and v = 0 there; padding torchvision's network with b makes the
    two equal at the border too. In training mode batch statistics remove the
    constant by themselves.

    Input channels after the third (interaction maps) get random weights; see `widen`.

    Parameters
    ----------
    encoder : DenseNet121
    state_dict : mapping of tensors
        torchvision's keys; ``features.norm5`` and ``classifier`` are ignored.

    Raises
    ------
    ValueError
        When a tensor is missing, unknown or of another shape; it names them.
    """
    state = {
        name.removeprefix("features."): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in state_dict.items()
        if name.startswith("features.") and not name.startswith("features.norm5.")
    }
    expected = (encoder.conv0.out_channels, 3, *encoder.conv0.kernel_size)
    if "conv0.weight" not in state or "norm0.running_mean" not in state:
        raise ValueError(
            "not torchvision's DenseNet-121: features.conv0.weight or "
            "features.norm0.running_mean is missing"
        )
    if tuple(state["conv0.weight"].shape) != expected:
        raise ValueError(
            f"features.conv0.weight must have shape {expected}, "
            f"got {tuple(state['conv0.weight'].shape)}"
        )
    weight, constant = convert_first_convolution(state["conv0.weight"])
    state["conv0.weight"] = widen(weight, encoder.conv0.in_channels)
    state["norm0.running_mean"] = state["norm0.running_mean"] - constant
    try:
        encoder.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"not torchvision's DenseNet-121: {error}") from error


def copy_encoder(target: DenseNet121, source: DenseNet121) -> None:
    """Fill an encoder with another's weights, in place.

    As in `load_imagenet`, input channels that the source lacks (interaction maps)
    get random weights.

    Raises
    ------
    ValueError
        When the source has more input channels than the target.
    """
    state = source.state_dict()
    weight = widen(state["conv0.weight"], target.conv0.in_channels)
    target.load_state_dict({**state, "conv0.weight": weight})


def widen(weight: Tensor, in_channels: int) -> Tensor:
    """A first convolution's weights for more input channels (interaction maps).

    The new ones are random, with the root mean square of those that are there. From zero,
    at a pretrained encoder's low rate, they had a twenty-fifth of that after 560 steps,
    and most clicks went unnoticed.

    Parameters
    ----------
    weight : (O, C, h, w)
    in_channels : int
        C or more.

    Returns
    -------
    (O, in_channels, h, w)

    Raises
    ------
    ValueError
        When ``in_channels`` is less than C.
    """
    extra = in_channels - weight.shape[1]
    if extra < 0:
        raise ValueError(
            f"the source has {weight.shape[1]} input channels, the target {in_channels}; "
            "as many or more are allowed"
        )
    spread = weight.square().mean().sqrt()
    new = torch.randn(weight.shape[0], extra, *weight.shape[2:]) * spread
    return torch.cat([weight, new], 1)


def imagenet_affine() -> tuple[Tensor, Tensor]:
    """(a, b), each (3,) float64 in RGB order: torchvision's input is a u + b of ours."""
    mean = torch.tensor(_IMAGENET_MEAN_RGB, dtype=torch.float64)
    std = torch.tensor(_IMAGENET_STD_RGB, dtype=torch.float64)
    ours = torch.tensor(IMAGE_MEAN_BGR, dtype=torch.float64).flip(0)
    return 1 / (255 * IMAGE_SCALE * std), (ours / 255 - mean) / std


def convert_first_convolution(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Re-express a first convolution's weights for our input.

    Parameters
    ----------
    weight : (O, 3, h, w)
        For torchvision's input.

    Returns
    -------
    weight : (O, 3, h, w)
        For ours, BGR.
    constant : (O,)
        What the converted convolution lacks in each output channel.
    """
    scale, offset = imagenet_affine()
    converted = (weight.double() * scale.view(3, 1, 1)).flip(1)
    constant = (weight.double().sum((2, 3)) * offset).sum(1)
    return converted.to(weight.dtype), constant.to(weight.dtype)
