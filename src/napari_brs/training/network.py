"""The network of a run, with the weights that it starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from napari_brs.converted.files import model_files
from napari_brs.converted.torchscript import first_line
from napari_brs.models import load_model, model_info
from napari_brs.networks.brs import BRSNetwork
from napari_brs.networks.densenet import DenseNet121, copy_encoder

from .config import ModelConfig


def make_network(config: ModelConfig) -> nn.Module:
    """The configured network with its first weights."""
    if config.initial:
        network = load_model(config.initial)
        if type(network) is not type(model_info(config.name).build()):
            raise ValueError(f"model.initial = {config.initial!r} holds no {config.name}")
    else:
        info = model_info(config.name)
        if info.kind == "classical":
            raise ValueError(f"model.name = {config.name!r}: allowed are networks; it is none")
        network = info.build()
    network.requires_grad_(True)
    encoder = getattr(network, "encoder", None)
    if config.imagenet:
        load = getattr(network, "load_imagenet", None)
        if load is None:
            raise ValueError(f"model.imagenet: {config.name} does not start from ImageNet")
        load(_state_dict(config.imagenet))
    if config.encoder:
        source = getattr(load_model(config.encoder), "encoder", None)
        if not (isinstance(encoder, DenseNet121) and isinstance(source, DenseNet121)):
            raise ValueError(
                f"model.encoder = {config.encoder!r}: allowed is a DenseNet-121, from a network "
                f"with one to a network with one; {config.name} or that file has another encoder"
            )
        copy_encoder(encoder, source)
    if config.decoders:
        _copy_decoders(network, load_model(config.decoders), config)
    if encoder is not None and not config.train_encoder:
        encoder.requires_grad_(False)
    return network


def _state_dict(path: str) -> dict[str, torch.Tensor]:
    try:
        state = torch.load(path, weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch raises whatever its unpacking raises
        raise ValueError(f"model.imagenet: {path} cannot be read: {first_line(error)}") from None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ValueError(f"model.imagenet: {path} holds no state dict")
    return state


def _copy_decoders(target: nn.Module, source: nn.Module, config: ModelConfig) -> None:
    """Fill the decoders of a BRS network with another's tensors of the same shape, in place."""
    if not (isinstance(target, BRSNetwork) and isinstance(source, BRSNetwork)):
        raise ValueError(
            f"model.decoders = {config.decoders!r}: allowed is a brs-densenet or brs-vgg for a "
            f"brs-densenet or brs-vgg; {config.name} or that file is another network"
        )
    for mine, theirs in ((target.coarse, source.coarse), (target.fine, source.fine)):
        state, given = mine.state_dict(), theirs.state_dict()
        fitting = {name: t for name, t in given.items() if t.shape == state[name].shape}
        mine.load_state_dict(state | fitting)


def compile_submodules(network: nn.Module, names: Sequence[str]) -> None:
    """Compile parts of a network in place; it keeps its state dict's keys."""
    submodules = dict(network.named_modules())
    for name in names:
        if name not in submodules:
            allowed = [child for child, _ in network.named_children()]
            raise ValueError(f"run.compile = {name!r}: allowed are submodules such as {allowed}")
        submodules[name].compile()


def starting_files(config: ModelConfig) -> Iterator[Path]:
    """The files that a network starts from."""
    if config.imagenet:
        yield Path(config.imagenet)
    for model in (config.initial, config.encoder, config.decoders, config.teacher):
        if model:
            yield from model_files(model)
