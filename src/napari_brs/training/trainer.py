"""The loop: steps, averages, validations and checkpoints within the time."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader

from napari_brs.converted.torchscript import first_line
from napari_brs.models import save_weights

from .config import TrainingConfig
from .crop_sampling import Crops, Order
from .crops import Crop
from .items import Item
from .optimization import make_average, make_optimizer, rate_factor, set_rates
from .tasks import Task

CHECKPOINT = "checkpoint.pt"
BEST = "best.safetensors"
LAST = "last.safetensors"
_REPORT_SECONDS = 30.0


class Trainer:
    """Trains a network until its time is over.

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
