"""BRS-VGG: the paper's network on VGG-19 (Simonyan & Zisserman, ICLR 2015).

The paper reports it (Table 1) without releasing it. Here the decoders are those
of BRS-DenseNet.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from napari_brs.networks.brs import INPUT_CHANNELS, BRSNetwork
from napari_brs.networks.densenet import IMAGE_SCALE, Levels, widen

_CONVOLUTIONS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels, number
_PRETRAINED_CONVOLUTIONS = 8  # conv1_1 to conv3_4


class VGG19(nn.Module):
    """The convolutional part of VGG-19, with the module names of torchvision.

    The levels are relu3_4, relu4_4, relu5_4 and pool5, at strides 4, 8, 16 and 32;
    pool5 makes the fourth level without another parameter.

    Parameters
    ----------
    in_channels : int
        3 for an image alone; the BRS network adds two interaction maps.
    """

    channels = (256, 512, 512, 512)

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels, number in _CONVOLUTIONS:
            for _ in range(number):
                conv = nn.Conv2d(in_channels, channels, 3, padding=1)
                nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
                nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
                layers += [conv, nn.ReLU(inplace=True)]
                in_channels = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Levels:
        """Features of a normalised (B, C, H, W) input, H and W multiples of 32."""
        before_pooling = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                before_pooling.append(x)
            x = layer(x)
        _, _, s4, s8, s16 = before_pooling
        return Levels(s4, s8, s16, x)

    def load_imagenet(self, state_dict: Mapping[str, Tensor]) -> None:
        """Fill conv1_1 to conv3_4, and those after them that are given, in place.

        The weights' own input is BGR in [0, 255] minus the mean; ours is that
        times 0.017. With the biases times 0.017 too, and no weight changed, every
        activation is 0.017 times the original, exactly: convolution, ReLU and
        pooling commute with a positive factor. Their usual hundreds thus come down
        to what the decoders' gates can take without saturating.

        Input channels after the third (interaction maps) get random weights;
        see `densenet.widen`.

        Parameters
        ----------
        state_dict : mapping of tensors
            torchvision's keys ``features.0.weight``, ``features.0.bias``, ...

        Raises
        ------
        ValueError
            When one of the first eight convolutions is missing, or a tensor has
            another shape; nothing is changed then.
        """
        targets: list[tuple[Tensor, Tensor]] = []
        convolutions = [
            (f"features.{i}", m) for i, m in enumerate(self.features) if isinstance(m, nn.Conv2d)
        ]
        for number, (name, conv) in enumerate(convolutions):
            shape = (conv.out_channels, 3 if number == 0 else conv.in_channels, 3, 3)
            if f"{name}.weight" not in state_dict and number >= _PRETRAINED_CONVOLUTIONS:
                continue
            weight = _tensor(state_dict, f"{name}.weight", shape)
            bias = _tensor(state_dict, f"{name}.bias", shape[:1])
            assert conv.bias is not None
            targets += [
                (conv.weight, widen(weight, conv.in_channels)),
                (conv.bias, bias * IMAGE_SCALE),
            ]
        with torch.no_grad():
            for parameter, value in targets:
                parameter.copy_(value)


def _tensor(state_dict: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    if name not in state_dict:
        raise ValueError(f"not VGG-19's weights: {name} is missing")
    tensor = state_dict[name]
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
    return tensor.float()


class BRSVgg(BRSNetwork):
    """The BRS network on VGG-19, with the decoders of `BRSDenseNet`."""

    encoder: VGG19

    def __init__(self) -> None:
        super().__init__(VGG19(INPUT_CHANNELS), VGG19.channels)

    def load_imagenet(self, state_dict: Mapping[str, Tensor]) -> None:
        """Start the encoder from VGG-19's weights; see `VGG19.load_imagenet`."""
        self.encoder.load_imagenet(state_dict)
