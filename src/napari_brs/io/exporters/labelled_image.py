"""What an exporter gets: labels, and all that is known of their objects."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

HIGHEST_ID = 2**32 - 1
STACK_AXES = "TZQ"
"""Axes before rows and columns: time, depth, and any other."""
UNITS = {"pixel": "pixel", "nanometer": "nm", "micrometer": "µm", "millimeter": "mm"}
"""Name of a unit of length, as OME-Zarr has it -> its symbol."""
_ALIASES = {"um": "micrometer", "μm": "micrometer", "micron": "micrometer", "px": "pixel"} | {
    symbol: name for name, symbol in UNITS.items()
}


class Plane(NamedTuple):
    """Rows and columns of a labelled image.

    Attributes
    ----------
    position : dict
        Axis -> index: ``{"T": 3, "Z": 0}``; empty for an image without stack axes.
    labels : (H, W) integer
    image : (H, W) or (H, W, C) array, or None
    """

    position: dict[str, int]
    labels: NDArray[Any]
    image: Any


class Region(NamedTuple):
    """One object in one plane.

    Attributes
    ----------
    id : int
    top, left : int
        The pixel of the image that ``mask[0, 0]`` is.
    mask : (h, w) bool
        Its bounding box, with no empty row or column at its border.
    """

    id: int
    top: int
    left: int
    mask: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """Labels, the image they belong to, and what is known of their objects.

    Attributes
    ----------
    labels : (..., H, W) integer
        0 is background, 1 to 4,294,967,295 are objects. An object that appears in
        several frames is a track; in several planes, a volume.
    axes : str
        A letter for each axis of ``labels``: ``"YX"`` last, before them each at most
        once ``"T"`` (time), ``"Z"`` (depth) and ``"Q"`` (any other).
    image : (..., H, W) or (..., H, W, C) array, or None
        The shape of ``labels``, and perhaps channels after it.
    channels : tuple of str
        Their names; numbers from 0 where it is empty.
    pixel_size : tuple of float
        Length of a pixel along each axis: of T in seconds, of the others in ``unit``.
        All 1 where it is empty.
    unit : str
        Of lengths: one of `UNITS`, or its symbol.
    image_name : str
        File name of the image.
    names, classes : mapping
        Id -> its name, its class; not all objects need one.
    parents : mapping
        Id of a track -> that of the track it came from by division.

    Raises
    ------
    ValueError
        If any of this does not hold, or the parents go round in a circle.
    """

    labels: NDArray[Any]
    axes: str = "YX"
    image: Any = None
    channels: tuple[str, ...] = ()
    pixel_size: tuple[float, ...] = ()
    unit: str = "pixel"
    image_name: str = "image"
    names: Mapping[int, str] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)
    parents: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_labels(self.labels)
        if not _are_axes(self.axes) or len(self.axes) != self.labels.ndim:
            raise ValueError(
                f"axes are {self.axes!r} for labels of shape {self.labels.shape}; a letter for "
                f"each is allowed: YX, and before them each of {', '.join(STACK_AXES)} at most once"
            )
        self._set("channels", self._checked_channels())
        size = tuple(map(float, self.pixel_size)) or (1.0,) * self.labels.ndim
        if len(size) != self.labels.ndim or not all(math.isfinite(s) and s > 0 for s in size):
            raise ValueError(
                f"pixel_size is {self.pixel_size}; a positive number for each of the axes "
                f"{self.axes} is allowed"
            )
        self._set("pixel_size", size)
        unit = _ALIASES.get(self.unit, self.unit)
        if unit not in UNITS:
            raise ValueError(f"unit is {self.unit!r}; allowed are {', '.join(UNITS)}")
        self._set("unit", unit)
        for name in ("names", "classes", "parents"):
            self._set(name, MappingProxyType(_checked_ids(name, getattr(self, name))))
        self._check_parents()

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """Ids of the objects that have pixels, ascending."""
        found = np.unique(self.labels)
        return tuple(int(label) for label in found[found > 0])

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of its objects, in alphabetical order."""
        return tuple(sorted({self.classes[label] for label in self.ids if label in self.classes}))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds the ids: uint16 or uint32.

        Never 8 bits, which some programs take for a picture.
        """
        highest = max(self.ids, default=0)
        return np.dtype(np.uint16 if highest <= np.iinfo(np.uint16).max else np.uint32)

    def size_of(self, axis: str) -> float:
        """Length of a pixel along an axis."""
        return self.pixel_size[self.axes.index(axis)]

    def name_of(self, label: int) -> str:
        """The name of an object; its id where it has none."""
        return self.names.get(label, str(label))

    def planes(self) -> Iterator[Plane]:
        """Its planes, the last stack axis fastest."""
        stack = self.labels.shape[:-2]
        for index in product(*map(range, stack)):
            image = None if self.image is None else np.asarray(self.image[index])
            position = dict(zip(self.axes[:-2], index, strict=True))
            yield Plane(position, self.labels[index], image)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _checked_channels(self) -> tuple[str, ...]:
        if self.image is None:
            if self.channels:
                raise ValueError(f"channels are {self.channels}, but there is no image")
            return ()
        shape, wanted = tuple(self.image.shape), self.labels.shape
        if shape[: len(wanted)] != wanted or len(shape) > len(wanted) + 1:
            raise ValueError(
                f"the image has shape {shape}; that of the labels, {wanted}, is allowed, and "
                "channels after it"
            )
        count = shape[-1] if len(shape) > len(wanted) else 1
        if self.channels and len(self.channels) != count:
            raise ValueError(f"channels are {self.channels}; the image has {count}")
        return tuple(self.channels) or tuple(map(str, range(count)))

    def _check_parents(self) -> None:
        for label in self.parents:
            line, parent = {label}, self.parents.get(label)
            while parent is not None:
                if parent in line:
                    raise ValueError(f"parents go round in a circle at object {parent}")
                line.add(parent)
                parent = self.parents.get(parent)


def regions(labels: NDArray[Any]) -> Iterator[Region]:
    """The objects of a plane, by ascending id.

    Parameters
    ----------
    labels : (H, W) integer
    """
    from scipy.ndimage import find_objects

    ids, numbers = compact(labels)
    for number, (label, slices) in enumerate(zip(ids, find_objects(numbers), strict=True), 1):
        rows, columns = slices
        yield Region(int(label), rows.start, columns.start, numbers[slices] == number)


def compact(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """The ids of labels, and labels that are numbered 1..n instead.

    What measures objects takes room for as many as the highest id says.

    Parameters
    ----------
    labels : integer array

    Returns
    -------
    (n,) integer, int32 array
        Number k stands for ``ids[k - 1]``; 0 stays.
    """
    found, numbers = np.unique(labels, return_inverse=True)
    background = int(found[0] == 0)  # labels may cover everything
    numbered = numbers.reshape(labels.shape).astype(np.int32)
    numbered += 1 - background
    return found[background:], numbered


def _check_labels(labels: Any) -> None:
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "ui":
        found = getattr(labels, "dtype", type(labels).__name__)
        raise ValueError(f"labels are {found}; an array of integers is allowed")
    if labels.ndim < 2 or labels.size == 0:
        raise ValueError(f"labels have shape {labels.shape}; (..., rows, columns) is allowed")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest > HIGHEST_ID:
        raise ValueError(f"labels range from {lowest} to {highest}; 0 to {HIGHEST_ID} are allowed")


def _are_axes(axes: str) -> bool:
    stack = axes[:-2]
    return axes.endswith("YX") and set(stack) <= set(STACK_AXES) and len(set(stack)) == len(stack)


def _checked_ids(name: str, values: Mapping[int, Any]) -> dict[int, Any]:
    for key, value in values.items():
        for label in (key, value) if name == "parents" else (key,):
            if not isinstance(label, int | np.integer) or not 1 <= label <= HIGHEST_ID:
                raise ValueError(f"{name} name object {label!r}; ids are 1 to {HIGHEST_ID}")
    return dict(values)
