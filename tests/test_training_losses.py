from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_brs.training.losses import cross_entropy_loss, dice_loss, normalized_focal_loss


def _image(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def test_focal_loss_equals_the_value_computed_by_hand() -> None:
    # Probabilities of the true class: 0.75, 0.5 and 0.8.
    logits = _image(math.log(3), 0.0, -math.log(4))
    target = _image(1, 1, 0).bool()
    weights = [0.25**2, 0.5**2, 0.2**2]
    entropies = [-math.log(0.75), -math.log(0.5), -math.log(0.8)]
    expected = 0.5 * sum(w * e for w, e in zip(weights, entropies, strict=True)) / sum(weights)
    loss = normalized_focal_loss(logits, target, torch.ones_like(target))
    assert loss.shape == (1,)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_focal_gradient_treats_the_normaliser_as_a_constant() -> None:
    logits = _image(1.2, -0.4).requires_grad_()
    target = _image(1, 0).bool()
    normalized_focal_loss(logits, target, torch.ones_like(target)).sum().backward()
    p = 1 / (1 + math.exp(-1.2)), 1 - 1 / (1 + math.exp(0.4))
    normaliser = sum((1 - q) ** 2 for q in p)

    # d/dx of -(1-q)^2 log q with q the true class's probability, dq/dx = +-q(1-q).
    def slope(q: float) -> float:
        return (2 * (1 - q) * math.log(q) - (1 - q) ** 2 / q) * q * (1 - q)

    expected = [0.5 * slope(p[0]) / normaliser, -0.5 * slope(p[1]) / normaliser]
    assert logits.grad is not None
    assert logits.grad.flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_focal_loss_weighs_the_foreground_by_alpha() -> None:
    target = _image(1, 1).bool()
    logits = _image(-1, 0.5)
    quarter = normalized_focal_loss(logits, target, target, alpha=0.25)
    torch.testing.assert_close(quarter, normalized_focal_loss(logits, target, target) / 2)


def test_cross_entropy_is_the_weighted_mean() -> None:
    logits = _image(math.log(3), 0.0, 5.0)
    loss = cross_entropy_loss(logits, _image(1, 0, 0).bool(), _image(1, 3, 0))
    assert loss.item() == pytest.approx((-math.log(0.75) + 3 * math.log(2)) / 4, rel=1e-6)


def test_dice_loss_equals_the_value_computed_by_hand() -> None:
    # Probabilities 0.75 and 0.2; the overlap is 0.75, the squares sum to 0.6025 and 1.
    logits = _image(math.log(3), -math.log(4))
    target = _image(1, 0).bool()
    loss = dice_loss(logits, target, torch.ones_like(target))
    assert loss.item() == pytest.approx(1 - (2 * 0.75 + 1) / (0.6025 + 1 + 1), rel=1e-6)


@pytest.mark.parametrize("loss", [normalized_focal_loss, cross_entropy_loss, dice_loss])
def test_invalid_pixels_count_for_nothing(loss: object) -> None:
    assert callable(loss)
    target = _image(1, 0, 1).bool()
    valid = _image(1, 1, 0).bool()
    logits = _image(0.3, 0.2, -9.0).requires_grad_()
    value = loss(logits, target, valid)
    value.sum().backward()
    assert logits.grad is not None
    assert logits.grad.flatten()[2] == 0
    torch.testing.assert_close(
        value, loss(logits[..., :2], target[..., :2], valid[..., :2])
    )  # the third pixel may as well not be there


@pytest.mark.parametrize("loss", [normalized_focal_loss, cross_entropy_loss])
def test_sample_without_valid_pixels_or_errors_has_a_finite_loss(loss: object) -> None:
    assert callable(loss)
    target = _image(1, 0).bool()
    assert loss(_image(2, -2), target, torch.zeros_like(target)).item() == 0
    perfect = _image(80, -80).requires_grad_()
    value = loss(perfect, target, torch.ones_like(target))
    value.sum().backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert perfect.grad is not None
    assert perfect.grad.isfinite().all()
