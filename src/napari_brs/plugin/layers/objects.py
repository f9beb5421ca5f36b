"""The labels layer with the finished objects: free ids, writing, and taking back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from napari_brs.masks import Box, Mask
from napari_brs.plugin.layers.placement import placement
from napari_brs.plugin.layers.planes import image_pixels, plane_shape, spatial_shape
from napari_brs.plugin.text import MESSAGES
from napari_brs.session import Position

_AT_ONCE = 2**24
"""Pixels of a labels layer that are compared at once."""


def make_objects(image: Layer) -> Labels:
    """An empty layer for finished objects.

    16 bits hold 65,535 objects, and unlike wider types napari shows them without
    converting every pixel.
    """
    return Labels(
        np.zeros(spatial_shape(image), np.uint16),
        name=f"objects · {image.name}",
        opacity=0.5,
        **placement(image),
    )


def is_writable(layer: Labels) -> bool:
    """Whether objects can be written to a labels layer."""
    data = layer.data
    if not layer.editable or layer.multiscale or not hasattr(data, "__setitem__"):
        return False
    # dask assigns slices only; arrays mapped from a file may be read-only.
    return not hasattr(data, "dask") and getattr(getattr(data, "flags", None), "writeable", True)


def fits(layer: Layer, image: Image) -> bool:
    """Whether a labels layer can hold the objects of an image."""
    return isinstance(layer, Labels) and spatial_shape(layer) == spatial_shape(image)


class Written(NamedTuple):
    """What a commit changed, so that undo and redo can go both ways.

    Attributes
    ----------
    layer : Labels
    indices : tuple of (N,) int arrays
        One per axis.
    before, after : (N,) arrays of the layer's type
        Ids at the indices.
    positions : tuple of Position
        The planes in which the object has pixels.
    shape : tuple of int
        Shape of the layer's data. If it has another by now, nothing is written to it.
    """

    layer: Labels
    indices: tuple[NDArray[np.intp], ...]
    before: NDArray[np.integer]
    after: NDArray[np.integer]
    positions: tuple[Position, ...]
    shape: tuple[int, ...]

    def take_back(self) -> None:
        """Restore the ids from before, except where others have been written since."""
        self._swap(self.after, self.before)

    def put_back(self) -> None:
        """Write again what was taken back, except where others have been written since."""
        self._swap(self.before, self.after)

    def _swap(self, old: NDArray[np.integer], new: NDArray[np.integer]) -> None:
        if self.layer.multiscale or tuple(self.layer.data.shape) != self.shape:
            return
        same = np.asarray(self.layer.data[self.indices]) == old
        if same.any():
            self.layer.data_setitem(tuple(axis[same] for axis in self.indices), new[same])


def next_label(layer: Labels, highest_known: int = 0) -> int:
    """The next free id: one more than any in the layer, and than any given before.

    Raises
    ------
    ValueError
        If the layer's type cannot hold it.
    """
    highest = max(int(np.max(layer.data)), highest_known)
    limit = np.iinfo(layer.data.dtype).max
    if highest >= limit:
        raise ValueError(MESSAGES["full"].format(dtype=layer.data.dtype, highest=limit))
    return highest + 1


def find_label(layer: Labels, label: int, position: Position) -> Mask:
    """The pixels of an object in a plane.

    All of the plane is looked at, some rows at a time: of a large one, nothing as
    large is made.
    """
    rows, columns = plane_shape(layer.data.shape, position)
    high = max(1, _AT_ONCE // columns)
    found = Mask.empty((rows, columns))
    for top in range(0, rows, high):
        band = Box(top, 0, min(top + high, rows), columns)
        here = Mask.of(read_plane(layer, position, *band.slices) == label, band, found.shape)
        found = found.union(here) if here else found
    return found


def masks_in(
    layer: Labels,
    position: Position,
    labels: Iterable[int] | None = None,
    region: Box | None = None,
) -> dict[int, Mask]:
    """The objects of a plane, by id.

    Parameters
    ----------
    layer : Labels
    position : Position
    labels : iterable of int, optional
        Only those of these ids.
    region : Box, optional
        Only as far as they lie in it.
    """
    from scipy import ndimage

    shape = plane_shape(layer.data.shape, position)
    region = region or Box(0, 0, *shape)
    plane = read_plane(layer, position, *region.slices)
    wanted = np.unique(plane) if labels is None else np.intersect1d(plane, np.array([*labels]))
    wanted = wanted[wanted > 0]
    if not wanted.size:
        return {}
    numbers = np.searchsorted(wanted, plane).clip(0, wanted.size - 1)
    numbers = np.where(wanted[numbers] == plane, numbers + 1, 0)
    found = {}
    for number, slices in enumerate(ndimage.find_objects(numbers), start=1):
        rows, columns = slices
        box = Box(rows.start, columns.start, rows.stop, columns.stop)
        box = box.shifted(region.top, region.left)
        found[int(wanted[number - 1])] = Mask.of(numbers[slices] == number, box, shape)
    return found


def write_frame(layer: Labels, position: Position, masks: Mapping[int, Mask]) -> Written:
    """Give several objects other pixels in a plane; those of all other objects stay.

    Parameters
    ----------
    layer : Labels
        Written through ``data_setitem``, so that it enters the layer's own undo.
    position : Position
    masks : mapping
        Id -> Mask.
    """
    before = read_plane(layer, position)
    after = np.where(np.isin(before, [*masks]), 0, before).astype(before.dtype)
    for label, mask in masks.items():
        window = after[mask.box.slices]
        window[mask.pixels & (window == 0)] = label
    changed = Mask.of(after != before)
    indices = image_pixels(changed, position)
    rows, columns = changed.nonzero()
    old, new = before[rows, columns].copy(), after[rows, columns]
    if new.size:
        layer.data_setitem(indices, new)
    return Written(layer, indices, old, new, (position,), tuple(layer.data.shape))


def read_plane(
    layer: Labels,
    position: Position,
    rows: slice = slice(None),
    columns: slice = slice(None),
) -> NDArray[np.integer]:
    """Ids in a window of a plane; of a layer on disk nothing else is read."""
    inside = iter((rows, columns))
    key = tuple(next(inside) if index is None else index for index in position)
    return np.asarray(layer.data[key])


def write_object(
    layer: Labels,
    label: int,
    masks: Mapping[Position, Mask],
    overwrite: bool,
    again: bool = True,
) -> Written:
    """Make the pixels of one object in some planes those of its masks.

    Parameters
    ----------
    layer : Labels
        Written through ``data_setitem``, so that it enters the layer's own undo.
    label : int
        Its id. Pixels that have it outside the mask become background.
    masks : mapping
        Position -> Mask.
    overwrite : bool
        Whether pixels of other objects may be taken.
    again : bool
        Whether there may be pixels with the id already.

    Raises
    ------
    ValueError
        If more than half of the masks belongs to other objects: what is left would be
        rims and specks.
    """
    shape = tuple(layer.data.shape)
    asked = taken = 0
    wanted: list[NDArray[np.intp]] = []
    present: list[NDArray[np.intp]] = []
    for position, mask in masks.items():
        free = mask
        if not overwrite:
            window = read_plane(layer, position, *mask.box.slices)
            theirs = Mask.of((window != 0) & (window != label), mask.box, mask.shape)
            free = mask.difference(theirs)
        asked += mask.area
        taken += mask.area - free.area
        wanted.append(_flat(free, position, shape))
        if again:
            present.append(_flat(find_label(layer, label, position), position, shape))
    if 2 * taken > asked:
        raise ValueError(MESSAGES["taken"].format(label=label, taken=taken, asked=asked))
    # Planes along different axes share pixels; each is written once.
    put = np.unique(np.concatenate(wanted))
    drop = np.setdiff1d(np.concatenate(present), put) if present else put[:0]
    indices = np.unravel_index(np.concatenate([put, drop]), shape)
    after = np.repeat(np.array([label, 0], layer.data.dtype), [put.size, drop.size])
    before = np.asarray(layer.data[indices])
    changed = before != after
    indices = tuple(axis[changed] for axis in indices)
    before, after = before[changed], after[changed]
    if after.size:
        layer.data_setitem(indices, after)
    positions = tuple(position for position, mask in masks.items() if mask)
    return Written(layer, indices, before, after, positions, shape)


def erase_object(layer: Labels, label: int, position: Position) -> Written:
    """Make all pixels of an object background.

    Parameters
    ----------
    layer : Labels
        Written through ``data_setitem``, so that it enters the layer's own undo.
    label : int
        Its id.
    position : Position
        One of the planes that the layer is looked through in, one by one.
    """
    along = [
        (None,) if index is None else range(size)
        for index, size in zip(position, layer.data.shape, strict=True)
    ]
    nothing = Mask.empty(plane_shape(layer.data.shape, position))
    return write_object(layer, label, dict.fromkeys(product(*along), nothing), overwrite=False)


def write_instances(
    layer: Labels, position: Position, instances: NDArray[np.integer], first: int
) -> Written:
    """Write objects into a plane, each under an id of its own.

    Objects that would touch pixels of others in the layer are left out whole.

    Parameters
    ----------
    layer : Labels
        Written through ``data_setitem``, so that it enters the layer's own undo.
    position : Position
    instances : (H, W) int
        0 background, 1..n objects.
    first : int
        Id of the first one.

    Raises
    ------
    ValueError
        If the layer's type cannot hold the ids.
    """
    plane = read_plane(layer, position)
    taken = np.unique(instances[plane != 0])
    numbers = np.setdiff1d(np.unique(instances), np.append(taken, 0))
    limit = np.iinfo(layer.data.dtype).max
    if first + numbers.size - 1 > limit:
        raise ValueError(MESSAGES["full"].format(dtype=layer.data.dtype, highest=limit))
    ids = np.zeros(int(instances.max(initial=0)) + 1, layer.data.dtype)
    ids[numbers] = np.arange(first, first + numbers.size)
    labels = ids[instances]
    indices = image_pixels(Mask.of(labels), position)
    after = labels[labels != 0]
    before = np.asarray(layer.data[indices])
    if after.size:
        layer.data_setitem(indices, after)
    return Written(layer, indices, before, after, (position,), tuple(layer.data.shape))


def _flat(mask: Mask, position: Position, shape: tuple[int, ...]) -> NDArray[np.intp]:
    return np.ravel_multi_index(image_pixels(mask, position), shape)
