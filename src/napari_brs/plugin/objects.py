"""Finished objects in a labels layer: free ids, writing, and taking back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_brs.plugin.planes import Patch, patch_around, plane_index
from napari_brs.plugin.text import MESSAGES
from napari_brs.session import Position


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
    """

    layer: Labels
    indices: tuple[NDArray[np.intp], ...]
    before: NDArray[np.integer]
    after: NDArray[np.integer]
    positions: tuple[Position, ...]

    def take_back(self) -> None:
        """Restore the ids from before, except where others have been written since."""
        self._swap(self.after, self.before)

    def put_back(self) -> None:
        """Write again what was taken back, except where others have been written since."""
        self._swap(self.before, self.after)

    def _swap(self, old: NDArray[np.integer], new: NDArray[np.integer]) -> None:
        if not self.indices:
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


def write_object(
    layer: Labels, label: int, masks: Mapping[Position, Patch], overwrite: bool
) -> Written:
    """Make the pixels of one object in some planes those of its masks.

    Parameters
    ----------
    layer : Labels
        Written through ``data_setitem``, so that it enters the layer's own undo.
    label : int
        Its id. Pixels that have it outside the mask become background.
    masks : mapping
        Position -> Patch.
    overwrite : bool
        Whether pixels of other objects may be taken.

    Raises
    ------
    ValueError
        If every pixel of the masks belongs to another object.
    """
    parts: list[tuple[NDArray[np.intp], ...]] = []
    values: list[NDArray[np.integer]] = []
    wanted = kept = 0
    for position, patch in masks.items():
        plane = np.asarray(layer.data[plane_index(position)])
        window = plane[patch.slices]
        mask = patch.mask if overwrite else patch.mask & ((window == 0) | (window == label))
        wanted += np.count_nonzero(patch.mask)
        kept += np.count_nonzero(mask)
        old = patch_around(plane == label)
        leave = old._replace(mask=old.mask.copy())
        _cut(leave, patch._replace(mask=mask))
        for rows, columns, value in (
            (*_pixels(patch._replace(mask=mask & (window != label))), label),
            (*_pixels(leave), 0),
        ):
            inside = iter((rows, columns))
            parts.append(
                tuple(next(inside) if i is None else np.full_like(rows, i) for i in position)
            )
            values.append(np.full(rows.shape, value, layer.data.dtype))
    if wanted and not kept:
        raise ValueError(MESSAGES["all taken"])
    indices = tuple(np.concatenate(axis) for axis in zip(*parts, strict=True))
    after = np.concatenate(values) if values else np.empty(0, layer.data.dtype)
    before = np.array(layer.data[indices], copy=True) if indices else after
    if after.size:
        layer.data_setitem(indices, after)
    positions = tuple(position for position, patch in masks.items() if patch.mask.any())
    return Written(layer, indices, before, after, positions)


def _pixels(patch: Patch) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.nonzero(patch.mask)
    return rows + patch.top, columns + patch.left


def _cut(patch: Patch, hole: Patch) -> None:
    """Take a hole out of a patch, in place."""
    rows, columns = _pixels(hole)
    rows, columns = rows - patch.top, columns - patch.left
    inside = (rows >= 0) & (rows < patch.mask.shape[0]) & (columns >= 0)
    inside &= columns < patch.mask.shape[1]
    patch.mask[rows[inside], columns[inside]] = False
