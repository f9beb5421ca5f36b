"""Crops of dataset packs with several objects each, a pure function of seed and number."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, find_objects
from torch import Tensor
from torch.utils.data import Dataset

from napari_brs.brs.zoom import first_view
from napari_brs.io.packs import DatasetPack
from napari_brs.labels import object_cores
from napari_brs.masks import Box

from .augment import augment
from .config import DataConfig

# What normalises to zero, so that borders look like the networks' own padding.
_BORDER_RGB = (123.68, 116.779, 103.939)
_SCALES = (1 / 6, 4.0)
_TRIES = 10
# Pixels between two masks that count as touching.
_TOUCHING = 3


class Crop(NamedTuple):
    """One crop and K of its objects; a batch of them has a leading dimension more."""

    image: Tensor
    """(3, H, W) float32, RGB in [0, 255]."""
    masks: Tensor
    """(K, H, W) bool: objects, of which one may be there more than once; or the
    foreground and its cores (``data.targets``)."""
    valid: Tensor
    """(H, W) bool; False where pixels count for nothing."""


@dataclass(frozen=True, eq=False)
class Item:
    """A decoded image with its objects."""

    image: NDArray[np.uint8]
    labels: NDArray[Any]
    """Instance ids; the highest value of the type marks ignored pixels."""
    objects: tuple[tuple[int, int, int, int, int], ...]
    """(id, top, left, bottom, right) of each object."""
    areas: NDArray[np.int64]
    source: str

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """Pixels that count for nothing."""
        mask: NDArray[np.bool_] = self.labels == np.iinfo(self.labels.dtype).max
        return mask

    @cached_property
    def foreground(self) -> NDArray[np.bool_]:
        """All objects together."""
        mask: NDArray[np.bool_] = (self.labels > 0) & ~self.ignored
        return mask

    @cached_property
    def cores(self) -> NDArray[np.bool_]:
        """What tells the objects apart; see `object_cores`."""
        return object_cores(np.where(self.ignored, 0, self.labels).astype(np.int32))


def read_items(packs: Iterable[DatasetPack], skip: Container[str] = ()) -> list[Item]:
    """Decode packs into memory, without the sources in ``skip``.

    Warns
    -----
    UserWarning
        With the names of the masks that have no object; they are left out.

    Raises
    ------
    ValueError
        Before any training: a list of every file that cannot be used, and why
        (unreadable, sizes that differ), or the packs that have no objects at all.
    """
    items: list[Item] = []
    problems: list[str] = []
    empty: list[str] = []
    for pack in packs:
        names = [name for name in pack.names if _source(name) not in skip]
        with ThreadPoolExecutor() as threads:
            read = list(threads.map(partial(_read, pack), names))
        problems += [item for item in read if isinstance(item, str)]
        usable = [item for item in read if isinstance(item, Item)]
        items += (item for item in usable if item.objects)
        empty += (f"{pack.name}: {name}" for name, item in zip(names, read, strict=True)
                  if isinstance(item, Item) and not item.objects)  # fmt: skip
        if not any(item.objects for item in usable):
            problems.append(f"{pack.name}: no image with an object")
    if problems:
        raise ValueError("the training data cannot be used:\n" + _shorten(problems))
    if empty:
        warnings.warn("masks without objects are left out:\n" + _shorten(empty), stacklevel=2)
    return items


def _read(pack: DatasetPack, name: str) -> Item | str:
    """An image of a pack, or why it cannot be used."""
    try:
        sample = pack.read(name)
    except ValueError as error:
        return str(error)
    return _make_item(sample.image, sample.labels, sample.ignore, name)


def _shorten(lines: list[str]) -> str:
    more = [f"and {len(lines) - 20} more"] if len(lines) > 20 else []
    return "\n".join(lines[:20] + more)


def _make_item(
    image: NDArray[np.uint8], labels: NDArray[np.int32], ignore: NDArray[np.bool_], name: str
) -> Item:
    kind = np.uint8 if labels.max() < 255 else np.uint16
    objects = tuple(
        (number, rows.start, columns.start, rows.stop, columns.stop)
        for number, (rows, columns) in enumerate(
            (box or (slice(0, 0), slice(0, 0)) for box in find_objects(labels)), 1
        )
        if rows.stop > rows.start
    )
    areas = np.bincount(labels.ravel())[[number for number, *_ in objects]]
    stored = labels.astype(kind)
    stored[ignore] = np.iinfo(kind).max
    return Item(image, stored, objects, areas, _source(name))


def _source(name: str) -> str:
    return name.split("-", 1)[0] if "-" in name else ""


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


def make_crop(
    item: Item, target: int, shape: tuple[int, int], config: DataConfig, rng: np.random.Generator
) -> Crop | None:
    """Cut, scale, flip and augment; None if the target object is hardly visible.

    Parameters
    ----------
    item : Item
    target : int
        Position in ``item.objects`` of the object that sets scale and place.
    shape : (rows, columns)
    config : DataConfig
    rng : numpy.random.Generator
    """
    number, *box = item.objects[target]
    rotate = item.source in config.rotate
    turned = rotate and rng.random() < 0.5
    rows, columns = shape[::-1] if turned else shape
    window = _draw_window(item, number, box, (rows, columns), config, rng)
    inside, place = _clip(window, item.labels.shape, (rows, columns))
    if place[2] - place[0] < 4 or place[3] - place[1] < 4:
        return None

    size = (place[3] - place[1], place[2] - place[0])
    pixels = np.asarray(
        Image.fromarray(item.image).resize(size, Image.Resampling.BILINEAR, inside), np.float32
    )
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if config.augment:
        pixels = augment(pixels, rng, microscopy=rotate)
    canvas = np.empty((rows, columns, 3), np.float32)
    canvas[:] = _BORDER_RGB
    valid = np.zeros((rows, columns), bool)
    part = np.s_[place[0] : place[2], place[1] : place[3]]
    canvas[part] = pixels
    valid[part] = ~_scaled(item.ignored, size, inside)

    def placed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        whole = np.zeros((rows, columns), bool)
        whole[part] = _scaled(mask, size, inside)
        return whole & valid

    if config.targets == "foreground":
        stack = np.stack([placed(item.foreground), placed(item.cores)])
    else:
        masks = []
        for other in _visible(item, target, inside, rng):
            mask = placed(item.labels == item.objects[other][0])
            if np.count_nonzero(mask) >= config.min_pixels:
                masks.append(mask)
            elif other == target:
                return None
            if len(masks) == config.objects_per_crop:
                break
        if len(masks) > 1 and rng.random() < config.merge:
            masks[1] = _merged(masks[0], masks[1])
        stack = np.stack([masks[k % len(masks)] for k in range(config.objects_per_crop)])

    image = canvas.transpose(2, 0, 1)
    arrays = [image, stack, valid]
    if turned:
        arrays = [a.swapaxes(-1, -2) for a in arrays]
    if rng.random() < 0.5:
        arrays = [a[..., ::-1] for a in arrays]
    if rotate and rng.random() < 0.5:
        arrays = [a[..., ::-1, :] for a in arrays]
    return Crop(*(torch.from_numpy(np.ascontiguousarray(a)) for a in arrays))


def _draw_window(
    item: Item,
    number: int,
    box: list[int],
    shape: tuple[int, int],
    config: DataConfig,
    rng: np.random.Generator,
) -> tuple[float, float, float, float]:
    """(top, left, bottom, right) in image pixels; it may reach over the image's edge."""
    image = item.labels.shape
    fit = min(shape[0] / image[0], shape[1] / image[1])
    extent = np.array([box[2] - box[0], box[3] - box[1]], float)
    start = np.empty(2)
    if config.native_scale:
        rows, columns = np.nonzero(item.labels == number)
        k = rng.integers(len(rows))
        if config.targets == "objects":
            top, left = rows[k] - shape[0] // 2, columns[k] - shape[1] // 2
            return top, left, top + shape[0], left + shape[1]
        # The pixel anywhere in the crop, so that the background far from objects is seen too.
        window = np.array(shape) / np.exp(rng.uniform(*np.log(config.scale)))
        for axis, place in enumerate((rows[k], columns[k])):
            room = image[axis] - window[axis]
            start[axis] = place - rng.uniform(0, 1) * window[axis]
            start[axis] = np.clip(start[axis], min(0, room), max(0, room))
        return start[0], start[1], start[0] + window[0], start[1] + window[1]

    mode = rng.random()
    whole = config.zoom <= mode < config.zoom + config.whole
    if whole:
        # Between the scale at which the first click sees the image and that at which
        # the crop shows all of it, but not less than half the former.
        first = first_view((image[0], image[1]), Box(0, 0, 1, 1)).scale
        scale = rng.uniform(min(max(fit, first / 2), first), first)
        scale *= rng.uniform(*config.whole_scale)
    else:
        fill = rng.uniform(0.45, 0.95) if mode < config.zoom else np.exp(
            rng.uniform(np.log(0.1), np.log(0.45))
        )  # fmt: skip
        # No smaller than the whole image in the crop: borders teach nothing.
        scale = max(fit, fill * float(np.min(np.array(shape) / extent)))
    scale = float(np.clip(scale, *_SCALES))
    window = np.array(shape) / scale * (1, rng.uniform(0.87, 1.15))
    for axis in range(2):
        free = window[axis] - extent[axis]
        # Somewhere with the whole object inside; or, where it does not fit, over its middle.
        start[axis] = box[axis] - (rng.uniform(0, 1) if free > 0 else 0.5) * free
        # Inside the image as far as possible; a smaller image lies somewhere in the window.
        room = image[axis] - window[axis]
        start[axis] = np.clip(start[axis], min(0, room), max(0, room))
    return start[0], start[1], start[0] + window[0], start[1] + window[1]


def _clip(
    window: tuple[float, float, float, float], image: tuple[int, ...], shape: tuple[int, int]
) -> tuple[tuple[float, float, float, float], tuple[int, int, int, int]]:
    """The part of a window inside the image: PIL's (left, top, right, bottom), and the
    (top, left, bottom, right) of the crop that it fills."""
    top, left, bottom, right = window
    scale = shape[0] / (bottom - top), shape[1] / (right - left)
    place = [
        round((max(top, 0) - top) * scale[0]),
        round((max(left, 0) - left) * scale[1]),
        round((min(bottom, image[0]) - top) * scale[0]),
        round((min(right, image[1]) - left) * scale[1]),
    ]
    inside = max(left, 0.0), max(top, 0.0), min(right, image[1]), min(bottom, image[0])
    return inside, (place[0], place[1], place[2], place[3])


def _scaled(
    mask: NDArray[np.bool_], size: tuple[int, int], box: tuple[float, float, float, float]
) -> NDArray[np.bool_]:
    """Bilinear and thresholded, so that boundaries stay smooth when enlarged."""
    picture = Image.fromarray(mask.view(np.uint8) * np.uint8(255))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box)) > 127


def _merged(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Both masks as one if they touch, else the other: what is one object is the user's choice."""
    touching = (binary_dilation(mask, iterations=_TOUCHING) & other).any()
    return mask | other if touching else other


def _visible(
    item: Item,
    target: int,
    inside: tuple[float, float, float, float],
    rng: np.random.Generator,
) -> list[int]:
    """The target, then the other objects at least half inside, in random order."""
    boxes = np.array([box for _, *box in item.objects], float)
    left, top, right, bottom = inside
    rows = np.minimum(boxes[:, 2], bottom) - np.maximum(boxes[:, 0], top)
    columns = np.minimum(boxes[:, 3], right) - np.maximum(boxes[:, 1], left)
    share = np.clip(rows, 0, None) * np.clip(columns, 0, None)
    share /= (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    share[target] = 0
    others = np.flatnonzero(share >= 0.5)
    return [target, *rng.permutation(others).tolist()]


def _cumulative(weights: NDArray[Any]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.cumsum(weights) / weights.sum()
    return total


def _draw(cumulative: NDArray[np.float64], rng: np.random.Generator) -> int:
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
