"""`train`: a configuration and dataset packs in, weights out."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Container, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers.tensorboard import TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader

from napari_brs.brs.devices import choose_device, has_bfloat16
from napari_brs.converted.files import model_files
from napari_brs.converted.torchscript import first_line
from napari_brs.io.outputs import check_outputs
from napari_brs.io.packs import DatasetPack
from napari_brs.models import load_model, model_info, save_weights
from napari_brs.networks.brs import BRSNetwork
from napari_brs.networks.densenet import DenseNet121, copy_encoder

from .config import ModelConfig, TrainingConfig, load_config
from .data import Crop, Crops, Item, Order, read_items
from .optimization import make_average, make_optimizer, rate_factor, set_rates
from .tasks import Task, make_task

CHECKPOINT = "checkpoint.pt"
BEST = "best.safetensors"
LAST = "last.safetensors"
_VALIDATION_SUFFIX = "_val"
_HELD_OUT = 10
_REPORT_SECONDS = 30.0


def train(
    config_path: str | Path,
    data: Sequence[str | Path],
    *,
    minutes: float | None = None,
    resume: bool = False,
    output: str | Path = "runs/train",
) -> Path:
    """Train a network until its time is over.

    Parameters
    ----------
    config_path : str or Path
        See `load_config`.
    data : sequence of path
        Dataset packs. Packs whose name ends in ``_val`` are validated on and
        not trained on; without one, every tenth image is held out.
    minutes : float, optional
        Of the whole run, earlier parts included; default: the configuration's.
    resume : bool
        Go on from the checkpoint in ``output``: with its weights, optimiser,
        averages, and the very crop and clicks it would have drawn next.
    output : path
        Folder for the checkpoint, logs, and weights: ``best.safetensors`` by
        validation and ``last.safetensors``.

    Returns
    -------
    Path
        The best weights.

    Raises
    ------
    ValueError
        Before training starts, if the configuration or the data cannot be
        used, or there is nothing to resume; it names what and why.
    """
    config = load_config(config_path)
    if minutes is not None:
        if not (minutes > 0 and math.isfinite(minutes)):
            raise ValueError(f"minutes = {minutes}: allowed is a positive number")
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, minutes=minutes))
    output = Path(output)
    checkpoint = output / CHECKPOINT
    if resume and not checkpoint.is_file():
        raise ValueError(f"nothing to resume: {checkpoint} does not exist")
    if not resume and (checkpoint.exists() or (output / BEST).exists()):
        raise ValueError(
            f"{output} holds a run, which would be lost: resume it (--resume), or write to "
            "another folder"
        )
    packs = [DatasetPack(path) for path in data]
    if not packs:
        raise ValueError("no dataset pack to train on")
    inputs = [config_path, *_files(config.model), *(file for pack in packs for file in pack.files)]
    check_outputs([output / name for name in (CHECKPOINT, BEST, LAST)], inputs, output)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)

    fabric = Fabric(
        accelerator=config.run.accelerator,
        devices=config.run.devices,
        strategy=_strategy(config),
        precision=_precision(config),  # type: ignore[arg-type]
        loggers=TensorBoardLogger(output, name="logs", version=""),
    )
    fabric.launch()
    fabric.seed_everything(config.run.seed, verbose=False)
    unused = {source for source, weight in config.data.source_weights.items() if weight == 0}
    training, validation = split_items(packs, unused)
    network = make_network(config.model)
    compile_submodules(network, config.run.compile)
    task = make_task(network, config)
    Trainer(fabric, config, task, network, training, validation, output).run(resume)
    return output / BEST


def _files(config: ModelConfig) -> Iterator[Path]:
    """The files that a network starts from."""
    if config.imagenet:
        yield Path(config.imagenet)
    for model in (config.initial, config.encoder, config.decoders, config.teacher):
        if model:
            yield from model_files(model)


def _strategy(config: TrainingConfig) -> str:
    if config.run.devices == 1:
        return "auto"
    # Without its loss the fine decoder gets no gradient, and the encoder none in steps that leave
    # it alone, which DDP must be told to expect.
    everything = config.loss.fine and config.optimizer.encoder_every == 1
    return "ddp" if everything else "ddp_find_unused_parameters_true"


def _precision(config: TrainingConfig) -> str:
    if config.run.precision != "auto":
        return config.run.precision
    device = config.run.accelerator
    if device in ("auto", "gpu"):
        device = choose_device().type
    return "bf16-mixed" if has_bfloat16(device) else "32-true"


def split_items(
    packs: Sequence[DatasetPack], skip: Container[str] = ()
) -> tuple[list[Item], list[list[Item]]]:
    """Items to train on, and those to validate on, by pack; sources in ``skip`` are left out."""
    validation = [read_items([p], skip) for p in packs if p.name.endswith(_VALIDATION_SUFFIX)]
    training = read_items([p for p in packs if not p.name.endswith(_VALIDATION_SUFFIX)], skip)
    if not validation and len(training) >= _HELD_OUT:
        validation = [training[::_HELD_OUT]]
        training = [item for i, item in enumerate(training) if i % _HELD_OUT]
    if len(training) < 2 or not validation:
        raise ValueError(
            f"{len(training)} images to train on and {sum(map(len, validation))} to validate on: "
            f"at least {_HELD_OUT} are needed, or 2 and a pack whose name ends in _val"
        )
    return training, validation


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


class Trainer:
    """The loop: steps, averages, validations and checkpoints within the time.

    All processes run it; what depends on the clock follows that of the first.
    """

    def __init__(
        self,
        fabric: Fabric,
        config: TrainingConfig,
        task: Task,
        network: nn.Module,
        training: list[Item],
        validation: list[list[Item]],
        output: Path,
    ) -> None:
        self._fabric, self._config, self._output = fabric, config, output
        self._task = task
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = make_average(network, config.optimizer.ema, fabric.device)
        optimizer = make_optimizer(network, config.optimizer)
        self._module, self._optimizer = fabric.setup(task.module(network), optimizer)
        self._crops = Crops(training, config.data, config.run.seed)
        self._chosen = [task.choose(items) for items in validation]
        self._step = 0
        self._seconds = 0.0
        self._best = -1.0

    def run(self, resume: bool) -> None:
        if resume:
            self._load()
        run, fabric = self._config.run, self._fabric
        crops = iter(self._batches())
        began = time.monotonic() - self._seconds
        checked = reported = validated = self._seconds
        waited, losses, first = 0.0, list[torch.Tensor](), self._step
        for step in count(self._step):
            before = time.monotonic()
            crop = next(crops)
            waited += time.monotonic() - before
            losses.append(self._train_step(crop, step))
            # What cannot be trained on has been told by now, and has left nothing behind.
            self._output.mkdir(parents=True, exist_ok=True)
            self._step = step + 1
            self._seconds = float(fabric.broadcast(time.monotonic() - began))
            over = self._progress() >= 1
            if self._seconds - reported > _REPORT_SECONDS or over:
                spent = self._seconds - reported
                seen = (self._step - first) * self._config.data.crops_per_step
                loss, iou = torch.stack(losses).mean(0).tolist()
                self._report(
                    loss=loss,
                    iou=iou,
                    crops_per_second=seen / spent,
                    waiting=waited / spent,
                    minutes_left=max(0.0, run.minutes - self._seconds / 60),
                )
                waited, losses, first, reported = 0.0, [], self._step, self._seconds
            if self._seconds - validated > self._config.validation.every_minutes * 60 or over:
                self._validate()
                validated = self._seconds = float(fabric.broadcast(time.monotonic() - began))
            if self._seconds - checked > run.checkpoint_minutes * 60 or over:
                self._save()
                checked = self._seconds
            if over:
                return

    def _progress(self) -> float:
        """Share of the run that is over."""
        run = self._config.run
        by_steps = self._step / run.steps if run.steps else 0.0
        return max(by_steps, self._seconds / (60 * run.minutes))

    def _batches(self) -> Iterator[Crop]:
        data, fabric = self._config.data, self._fabric
        loader = DataLoader(
            self._crops,
            batch_size=data.crops_per_step // fabric.world_size,
            sampler=Order(self._step, data.crops_per_step, fabric.global_rank, fabric.world_size),
            num_workers=data.workers,
            pin_memory=fabric.device.type == "cuda",
        )
        for crop in loader:
            image, *rest = (part.to(fabric.device, non_blocking=True) for part in crop)
            yield Crop(image.contiguous(memory_format=torch.channels_last), *rest)

    def _train_step(self, crop: Crop, step: int) -> torch.Tensor:
        config = self._config.optimizer
        set_rates(self._optimizer, rate_factor(self._progress(), config))
        self._module.train()
        if self._config.model.train_encoder and config.encoder_every > 1:
            self._network.encoder.requires_grad_(step % config.encoder_every == 0)
        result = self._module(crop, (self._config.run.seed, step, self._fabric.global_rank))
        self._optimizer.zero_grad()
        self._fabric.backward(result.loss)
        if config.clip:
            self._fabric.clip_gradients(self._module, self._optimizer, max_norm=config.clip)
        self._optimizer.step()
        self._average.update_parameters(self._network)
        return torch.stack([result.loss.detach(), result.iou])

    def _validate(self) -> None:
        """Figures of the averaged weights; the best are kept."""
        fabric = self._fabric
        scores = {}
        areas = []
        for number, chosen in enumerate(self._chosen):
            mine = slice(fabric.global_rank, None, fabric.world_size)
            found = self._task.validate(self._average.module, chosen[mine], fabric.device.type)
            figures = torch.zeros(len(chosen), found.shape[1], dtype=torch.float64)
            figures[mine] = torch.from_numpy(found)
            figures = torch.as_tensor(fabric.all_reduce(figures.to(fabric.device), reduce_op="sum"))
            areas.append(float(figures.mean()))
            for name, value in self._task.summary(figures.mean(0).tolist()).items():
                scores[f"validation_{number}/{name}"] = value
        score = math.fsum(areas) / len(areas)
        self._report(**scores, score=score)
        if fabric.is_global_zero:
            save_weights(self._average.module, self._output / LAST, self._config.model.name)
        if score > self._best:
            self._best = score
            if fabric.is_global_zero:
                save_weights(self._average.module, self._output / BEST, self._config.model.name)

    def _report(self, **values: float) -> None:
        self._fabric.log_dict(values, self._step)
        shown = "  ".join(f"{name} {value:.3f}" for name, value in values.items())
        self._fabric.print(f"{self._seconds / 60:6.1f} min  step {self._step}  {shown}", flush=True)

    def _save(self) -> None:
        state: dict[str, Any] = {
            "module": self._module,
            "optimizer": self._optimizer,
            "average": self._average.state_dict(),
            "step": self._step,
            "seconds": self._seconds,
            "best": self._best,
        }
        # A run that is killed while it writes must find the last checkpoint whole.
        path = self._output / CHECKPOINT
        partial = path.with_suffix(".partial")
        try:
            self._fabric.save(partial, state)
            if self._fabric.is_global_zero:
                os.replace(partial, path)
        except (OSError, RuntimeError) as error:  # of a full disk, they name other files or none
            raise OSError(f"{path} cannot be written: {first_line(error)}") from None
        finally:
            if self._fabric.is_global_zero:
                partial.unlink(missing_ok=True)

    def _load(self) -> None:
        state: dict[str, Any] = {"module": self._module, "optimizer": self._optimizer}
        path = self._output / CHECKPOINT
        try:
            rest = self._fabric.load(path, state)
            self._average.load_state_dict(rest["average"])
            self._step, self._seconds, self._best = rest["step"], rest["seconds"], rest["best"]
        except Exception as error:  # torch raises whatever its unpacking raises
            raise ValueError(f"{path} cannot be resumed: {first_line(error)}") from None
