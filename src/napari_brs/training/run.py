"""`train`: a configuration and dataset packs in, weights out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers.tensorboard import TensorBoardLogger

from napari_brs.brs.devices import choose_device, has_bfloat16
from napari_brs.io.outputs import check_outputs
from napari_brs.io.packs import DatasetPack

from .config import TrainingConfig, load_config
from .items import split_items
from .network import compile_submodules, make_network, starting_files
from .tasks import make_task
from .trainer import BEST, CHECKPOINT, LAST, Trainer


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
    inputs = [
        config_path,
        *starting_files(config.model),
        *(file for pack in packs for file in pack.files),
    ]
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
