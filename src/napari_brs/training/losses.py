"""Losses of the probability maps. Invalid pixels count for nothing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def normalized_focal_loss(
    logits: Tensor, target: Tensor, valid: Tensor, alpha: float = 0.5, gamma: float = 2.0
) -> Tensor:
    """Focal loss whose weights sum to the number of pixels (Sofiiuk et al., ICCV 2019).

    A pixel with probability p of its true class gets the cross-entropy -log p
    times (1 - p)^gamma, divided by the mean of these weights over the valid
    pixels of its own sample; the divisor is a constant to the gradient.

    Parameters
    ----------
    logits, target, valid : (B, 1, H, W)
        Float, bool and bool.
    alpha : float
        Weight of the foreground; the background's is 1 - alpha.
    gamma : float

    Returns
    -------
    (B,)
    """
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
    weight = (1 - torch.exp(-cross_entropy)) ** gamma * valid
    count = valid.sum((1, 2, 3)).clamp(min=1)
    scale = (count / weight.sum((1, 2, 3)).clamp(min=1e-6)).detach()
    balance = torch.where(target, alpha, 1 - alpha)
    return (balance * weight * cross_entropy).sum((1, 2, 3)) * scale / count


def cross_entropy_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of the binary cross-entropy, (B,).

    Parameters
    ----------
    logits, target, weight : (B, 1, H, W)
        Float, bool, and bool or float. A sample whose weights are all zero gives 0.
    """
    loss = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
    return (loss * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1e-6)


def dice_loss(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """1 minus the Dice coefficient of the probabilities (Milletari et al., 3DV 2016), (B,).

    2 Σ p t / (Σ p² + Σ t²), over the valid pixels; one pixel is added to both
    sums, so that an empty target is no singularity.

    Parameters
    ----------
    logits, target, valid : (B, 1, H, W)
        Float, bool and bool.
    """
    p, t = logits.sigmoid() * valid, (target & valid).float()
    both = (p * t).sum((1, 2, 3))
    return 1 - (2 * both + 1) / (p.square().sum((1, 2, 3)) + t.sum((1, 2, 3)) + 1)
