"""A small classifier on the encoder's features, trained in less than a second."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

DECAY = 1e-2
"""Weight of the squared coefficients: a few examples must not be learnt by heart."""
STEPS = 30
"""Of L-BFGS; more change nothing."""


@dataclass(frozen=True)
class Head:
    """Multinomial logistic regression on standardised descriptors.

    Attributes
    ----------
    mean, scale : (C,) float32
    weight : (classes, C) float32
    bias : (classes,) float32
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, descriptors: Tensor) -> Tensor:
        """Probability of each class, (classes, rows, columns), of (C, rows, columns)."""
        weight = self.weight / self.scale
        bias = self.bias - weight @ self.mean
        logits = torch.einsum("kc,chw->khw", weight, descriptors) + bias[:, None, None]
        return logits.softmax(0)


def train_head(x: Tensor, target: Tensor, weight: Tensor, classes: int) -> Head:
    """Fit the classifier.

    Parameters
    ----------
    x : (N, C) float32
        Descriptors of labelled places.
    target : (N,) int64
        Their classes.
    weight : (N,) float32
        How much each counts.
    classes : int
    """
    mean = x.mean(0)
    scale = x.std(0, correction=0).clamp(min=1e-3)
    z = (x - mean) / scale
    weight = weight / weight.sum()
    coefficients = torch.zeros(classes, x.shape[1] + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([coefficients], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = F.linear(z, coefficients[:, :-1], coefficients[:, -1])
        loss = (weight * F.cross_entropy(logits, target, reduction="none")).sum()
        loss = loss + DECAY * coefficients[:, :-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimiser.step(closure)  # type: ignore[no-untyped-call]
    fitted = coefficients.detach()
    return Head(mean, scale, fitted[:, :-1].contiguous(), fitted[:, -1].contiguous())
