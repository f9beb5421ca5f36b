"""Hints: what a trained network reads from its encoder, for another to match.

An encoder without pretrained weights learns little from masks alone in minutes on a CPU.
The features that a trained network's decoder reads are a target for every position and channel
(FitNets, Romero et al., ICLR 2015).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_brs.networks.brs import BRSNetwork
from napari_brs.networks.densenet import Levels


class Teacher(nn.Module):
    """A trained BRS network, in evaluation mode and without gradients, always."""

    def __init__(self, network: BRSNetwork) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Teacher:
        return super().train(False)

    def decode_both(
        self, student: BRSNetwork, features: NamedTuple, maps: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The student's coarse and fine logits, (B, 1, H, W), and its `hint_loss`, (B,).

        Parameters
        ----------
        student : BRSNetwork
        features : NamedTuple
            The student's, from `BRSNetwork.encode`.
        maps : (B, 2, H, W)
        """
        x = student.stack(features, maps)
        with torch.no_grad():
            hints = self.network.coarse.read(self.network.encoder(x))
        coarse, fine, readings = student.decode_levels(x, student.encoder(x))
        height, width = maps.shape[-2:]
        return coarse[..., :height, :width], fine[..., :height, :width], hint_loss(readings, hints)


def hint_loss(readings: Levels, hints: Levels) -> Tensor:
    """Mean squared difference of each level, averaged over the levels, (B,).

    Both are normalised to unit variance: 0 is a match, and 2 what readings get that have
    nothing to do with the hints.

    Parameters
    ----------
    readings, hints : Levels
        Of (B, C, h, w) each; see `CoarseDecoder.read`.
    """
    per_level = [
        F.mse_loss(mine.float(), theirs.float(), reduction="none").mean((1, 2, 3))
        for mine, theirs in zip(readings, hints, strict=True)
    ]
    return torch.stack(per_level).mean(0)
