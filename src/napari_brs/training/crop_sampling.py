"""Which crops a run sees, and in which order: a pure function of its seed and their number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from .config import DataConfig
from .crops import Crop, make_crop
from .items import Item

_TRIES = 10


class Crops(Dataset[Crop]):
    """Crop ``i`` is the same in every run with one seed; crops of one step share a size.

    Sources are drawn by weight, and within a source objects by their size: a
    size (a doubling of the side length) in proportion to the square root of
    the objects that have it, so that sizes that are rare are seen.

    Parameters
    ----------
    items : list of Item
    config : DataConfig
    seed : int
    """

    def __init__(self, items: list[Item], config: DataConfig, seed: int) -> None:
        self._items, self._config, self._seed = items, config, seed
        sources = sorted({item.source for item in items})
        self._tables: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        weights = []
        for source in sources:
            members = [i for i, item in enumerate(items) if item.source == source]
            pairs = np.array([(i, k) for i in members for k in range(len(items[i].objects))])
            areas = np.concatenate([items[i].areas for i in members])
            _, size, counts = np.unique(
                np.floor(np.log2(areas) / 2), return_inverse=True, return_counts=True
            )
            self._tables.append((pairs, _cumulative(counts[size] ** -0.5)))
            weights.append(config.source_weights.get(source, len(members) ** 0.5))
        if sum(weights) <= 0:
            raise ValueError(f"data.source_weights leaves nothing to train on of {sources}")
        self._sources = _cumulative(np.array(weights, float))

    def __getitem__(self, index: int) -> Crop:
        config = self._config
        step = index // config.crops_per_step
        sizes = config.crop_sizes
        shape = sizes[np.random.default_rng((self._seed, step)).integers(len(sizes))]
        rng = np.random.default_rng((self._seed, step, 1 + index % config.crops_per_step))
        for _ in range(_TRIES):
            pairs, weights = self._tables[_draw(self._sources, rng)]
            i, k = pairs[_draw(weights, rng)]
            crop = make_crop(self._items[i], k, shape, config, rng)
            if crop is not None:
                return crop
        raise ValueError(
            f"{_TRIES} crops in a row show no object of {config.min_pixels} pixels "
            "(data.min_pixels)"
        )


class Order:
    """Numbers of the crops of one process, from a step on, for as long as they are asked for.

    Parameters
    ----------
    first_step : int
    crops_per_step : int
        Of all processes together.
    rank, world : int
        This process, and how many there are.
    """

    def __init__(self, first_step: int, crops_per_step: int, rank: int = 0, world: int = 1) -> None:
        self._first_step, self._crops_per_step = first_step, crops_per_step
        self._share = range(rank * crops_per_step // world, (rank + 1) * crops_per_step // world)

    def __iter__(self) -> Iterator[int]:
        for step in count(self._first_step):
            for slot in self._share:
                yield step * self._crops_per_step + slot


def _cumulative(weights: NDArray[Any]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.cumsum(weights) / weights.sum()
    return total


def _draw(cumulative: NDArray[np.float64], rng: np.random.Generator) -> int:
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
