"""What differs between training networks with clicks and networks without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from napari_brs.models import load_model
from napari_brs.networks.base import InteractiveNetwork
from napari_brs.networks.brs import BRSNetwork
from napari_brs.networks.unet import SegmentationNetwork

from .config import ModelConfig, TrainingConfig
from .hints import Teacher
from .items import Item
from .rounds import ClickRounds
from .segmentation import WholeImage, foreground_ious, spread
from .validation import choose_objects, click_ious


class Task(Protocol):
    """A loss, and figures to validate by."""

    def module(self, network: Any) -> nn.Module:
        """From a batch of crops and a seed to a `Step`."""

    def choose(self, items: Sequence[Item]) -> list[Any]:
        """What to validate on."""

    def validate(self, network: Any, chosen: Sequence[Any], device: str) -> NDArray[np.float64]:
        """(len(chosen), F) figures in [0, 1]; the mean of all is what is to be high."""

    def summary(self, figures: Sequence[float]) -> dict[str, float]:
        """Names and values of the F means, as they are logged."""


def make_task(network: nn.Module, config: TrainingConfig) -> Task:
    """The task of a network.

    Raises
    ------
    ValueError
        If ``data.targets`` or ``model.teacher`` does not suit it.
    """
    interactive = isinstance(network, InteractiveNetwork)
    targets = "objects" if interactive else "foreground"
    if config.data.targets != targets:
        raise ValueError(
            f"data.targets = {config.data.targets!r}: "
            f"allowed with {config.model.name} is {targets!r}"
        )
    teacher = make_teacher(network, config.model) if config.model.teacher else None
    return Clicking(config, teacher) if interactive else Segmenting(config)


def make_teacher(network: nn.Module, config: ModelConfig) -> Teacher:
    """The configured teacher of a network; a ValueError if either is no BRS network."""
    teacher = load_model(config.teacher)
    if not (isinstance(network, BRSNetwork) and isinstance(teacher, BRSNetwork)):
        raise ValueError(
            f"model.teacher = {config.teacher!r}: allowed is a brs-densenet or brs-vgg for a "
            f"brs-densenet or brs-vgg; {config.name} or that file is another network"
        )
    return Teacher(teacher)


class Clicking:
    """One object for every row of clicks."""

    def __init__(self, config: TrainingConfig, teacher: Teacher | None) -> None:
        self._config = config
        self._teacher = teacher

    def module(self, network: InteractiveNetwork) -> nn.Module:
        return ClickRounds(network, self._config.clicks, self._config.loss, self._teacher)

    def choose(self, items: Sequence[Item]) -> list[tuple[Item, int]]:
        return choose_objects(items, self._config.validation.images)

    def validate(
        self, network: InteractiveNetwork, chosen: Sequence[tuple[Item, int]], device: str
    ) -> NDArray[np.float64]:
        return click_ious(network, chosen, self._config.validation.clicks, device)

    def summary(self, figures: Sequence[float]) -> dict[str, float]:
        return {f"iou_after_{k + 1}": figures[k] for k in range(0, len(figures), 2)}


class Segmenting:
    """All objects of an image at once, without clicks."""

    def __init__(self, config: TrainingConfig) -> None:
        self._config = config

    def module(self, network: SegmentationNetwork) -> nn.Module:
        return WholeImage(network, self._config.loss)

    def choose(self, items: Sequence[Item]) -> list[Item]:
        return spread(items, self._config.validation.images)

    def validate(
        self, network: SegmentationNetwork, chosen: Sequence[Item], device: str
    ) -> NDArray[np.float64]:
        return foreground_ious(network, chosen, device)

    def summary(self, figures: Sequence[float]) -> dict[str, float]:
        return {"iou": figures[0]}
