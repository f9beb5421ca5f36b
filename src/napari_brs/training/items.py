"""Images of dataset packs with their objects, in memory, and which of them are held out."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from napari_brs.io.packs import DatasetPack
from napari_brs.labels import object_cores

_VALIDATION_SUFFIX = "_val"
_HELD_OUT = 10


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
