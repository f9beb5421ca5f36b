"""Optimiser, learning-rate schedule and averaged weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .config import OptimizerConfig

_LAST_RATE = 0.01


def make_optimizer(network: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The encoder's and the other trainable parameters, each with its rate.

    Encoders are the submodules named ``encoder``. Vectors (norms, biases) do
    not decay.
    """
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            key = "encoder" in name.split("."), parameter.ndim > 1
            groups.setdefault(key, []).append(parameter)
    settings = [
        {
            "params": parameters,
            "lr": 0.0,
            "rate": config.encoder_rate if is_encoder else config.rate,
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (is_encoder, decays), parameters in groups.items()
    ]
    if config.kind == "sgd":
        return torch.optim.SGD(settings, momentum=config.momentum)
    # Fused: one pass over memory instead of a dozen; 5 % of a step on a CPU.
    return torch.optim.AdamW(settings, fused=True)


def rate_factor(progress: float, config: OptimizerConfig) -> float:
    """Learning rate at a share of the run, relative to the configured one.

    Rises linearly over the first ``warm_up`` of the run; then falls to a
    hundredth on half a cosine, or stays.
    """
    if progress < config.warm_up:
        return max(progress / config.warm_up, _LAST_RATE)
    if not config.cosine:
        return 1.0
    rest = min(1.0, (progress - config.warm_up) / max(1e-9, 1 - config.warm_up))
    return _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * rest))


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["rate"] * factor


def make_average(
    network: nn.Module, decay: float, device: torch.device | None = None
) -> AveragedModel:
    """Exponential moving average of all parameters and running statistics, in eval mode.

    The decay starts low, so that the first steps are forgotten soon: after t updates it is
    min(decay, (1 + t) / (10 + t)).
    """

    def follow(average: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        if not current.is_floating_point():
            return current
        # In tensors: a number would make the host wait for the GPU at every parameter.
        share = 9 / (10 + torch.as_tensor(updates))
        return average.lerp(current, share.clamp(min=1 - decay).to(average))

    averaged = AveragedModel(network, device, avg_fn=follow, use_buffers=True)
    averaged.eval().requires_grad_(False)
    return averaged
