"""Batch norms folded into the convolutions before them: fewer passes over memory."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norms(network: Network) -> Network:
    """Fold what can be folded, in place; the outputs stay the same up to rounding.

    For inference alone: afterwards the network neither trains nor saves as its
    architecture does. Folded are convolutions and the batch norm behind them, where
    the two follow each other in a `torch.nn.Sequential` or are named as a pair in a
    module's ``folds``.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.

    Raises
    ------
    ValueError
        If it is in training mode, where a batch norm depends on the batch.
    """
    if network.training:
        raise ValueError("the network is in training mode; evaluation mode is allowed")
    for module in network.modules():
        for first, second in _pairs(module):
            convolution, norm = module.get_submodule(first), module.get_submodule(second)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(convolution, norm))
                setattr(module, second, nn.Identity())
    return network


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    pairs = list(getattr(module, "folds", ()))
    if isinstance(module, nn.Sequential):
        names = [name for name, _ in module.named_children()]
        pairs += pairwise(names)
    return pairs
