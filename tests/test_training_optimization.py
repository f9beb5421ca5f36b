from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_brs.networks.base import InteractiveNetwork
from napari_brs.training.config import OptimizerConfig
from napari_brs.training.optimization import make_average, make_optimizer, rate_factor, set_rates


class _Network(InteractiveNetwork):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(1, 1, 3)
        self.head = nn.Linear(4, 2)
        self.norm = nn.BatchNorm1d(2)


def test_encoder_and_head_have_their_own_rates_and_vectors_do_not_decay() -> None:
    network = _Network()
    optimizer = make_optimizer(network, OptimizerConfig(rate=0.1, encoder_rate=0.01))
    set_rates(optimizer, 0.5)
    found = {
        id(p): (g["lr"], g["weight_decay"] > 0) for g in optimizer.param_groups for p in g["params"]
    }
    expected = {
        "encoder.weight": (0.005, True), "encoder.bias": (0.005, False),
        "head.weight": (0.05, True), "head.bias": (0.05, False),
        "norm.weight": (0.05, False), "norm.bias": (0.05, False),
    }  # fmt: skip
    assert {name: found[id(p)] for name, p in network.named_parameters()} == expected


def test_frozen_parameters_are_left_to_themselves() -> None:
    network = _Network()
    network.encoder.requires_grad_(False)
    optimizer = make_optimizer(network, OptimizerConfig(kind="sgd"))
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held.isdisjoint(id(p) for p in network.encoder.parameters())
    assert len(held) == 4


def test_rate_rises_then_falls_to_a_hundredth() -> None:
    config = OptimizerConfig(warm_up=0.1)
    assert rate_factor(0.05, config) == pytest.approx(0.5)
    assert rate_factor(0.1, config) == pytest.approx(1.0)
    assert rate_factor(0.55, config) == pytest.approx(0.505)
    assert rate_factor(1.0, config) == rate_factor(1.2, config) == pytest.approx(0.01)
    constant = OptimizerConfig(warm_up=0.0, cosine=False)
    assert rate_factor(0.0, constant) == rate_factor(0.9, constant) == 1.0


def test_average_follows_at_its_decay_and_forgets_the_start() -> None:
    network = _Network()
    average = make_average(network, decay=0.9)
    weight = average.module.head.weight
    for value, expected in ((0.0, 0.0), (1.0, 9 / 11), (1.0, 1 - 2 / 11 * 3 / 12)):
        with torch.no_grad():
            network.head.weight.fill_(value)
        average.update_parameters(network)
        torch.testing.assert_close(weight, torch.full((2, 4), expected))
    with torch.no_grad():
        average.n_averaged.fill_(10_000)
        weight.fill_(0.0)
    average.update_parameters(network)
    torch.testing.assert_close(weight, torch.full((2, 4), 0.1))


def test_average_holds_running_statistics_and_counters_too() -> None:
    network = _Network()
    average = make_average(network, decay=0.5)
    average.update_parameters(network)
    network.norm(torch.randn(8, 2) + 5)
    for _ in range(100):
        average.update_parameters(network)
    torch.testing.assert_close(average.module.norm.running_mean, network.norm.running_mean)
    assert average.module.norm.num_batches_tracked == 1
    assert not average.module.training


def test_without_a_decay_the_average_is_the_network() -> None:
    network = _Network()
    average = make_average(network, decay=0.0)
    for _ in range(2):
        with torch.no_grad():
            network.head.weight += 1
        average.update_parameters(network)
    torch.testing.assert_close(average.module.head.weight, network.head.weight, rtol=0, atol=0)
