"""BRS-DenseNet, the network the paper's authors released (paper, Section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from napari_brs.networks.brs import INPUT_CHANNELS, BRSNetwork
from napari_brs.networks.densenet import DenseNet121, load_imagenet


class BRSDenseNet(BRSNetwork):
    """The BRS network on DenseNet-121: 17,572,389 parameters, 148 batch norms."""

    encoder: DenseNet121

    def __init__(self) -> None:
        super().__init__(DenseNet121(INPUT_CHANNELS), DenseNet121.channels)

    def load_imagenet(self, state_dict: Mapping[str, Tensor]) -> None:
        """Start the encoder from torchvision's ``densenet121``; see `densenet.load_imagenet`."""
        load_imagenet(self.encoder, state_dict)
