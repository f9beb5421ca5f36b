from __future__ import annotations

import torch

from napari_brs.completion.head import train_head


def _places(count: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    """Three sorts around three corners, in 20 channels of very different scale."""
    generator = torch.Generator().manual_seed(0)
    sorts = torch.arange(count) % 3
    x = torch.randn(count, 20, generator=generator)
    x[torch.arange(count), sorts] += 5
    return x * torch.logspace(-3, 3, 20), sorts


def test_the_head_tells_sorts_apart_on_maps() -> None:
    x, sorts = _places()
    head = train_head(x[:30], sorts[:30], torch.ones(30), 3)
    probability = head(x[30:].T.reshape(20, 5, 6))
    assert probability.shape == (3, 5, 6)
    torch.testing.assert_close(probability.sum(0), torch.ones(5, 6))
    assert (probability.argmax(0).flatten() == sorts[30:]).float().mean() > 0.9


def test_training_is_deterministic() -> None:
    x, sorts = _places()
    first, second = (train_head(x, sorts, torch.ones(60), 3) for _ in range(2))
    assert torch.equal(first.weight, second.weight)


def test_places_of_no_weight_teach_nothing() -> None:
    x, sorts = _places()
    weight = (torch.arange(60) < 30).float()
    wrong = torch.where(weight > 0, sorts, (sorts + 1) % 3)
    head = train_head(x, wrong, weight, 3)
    assert (head(x.T[:, None])[:, 0].argmax(0) == sorts).float().mean() > 0.8


def test_constant_channels_do_no_harm() -> None:
    x, sorts = _places()
    x[:, 7] = 3.0
    assert train_head(x, sorts, torch.ones(60), 3)(x.T[:, None]).isfinite().all()
