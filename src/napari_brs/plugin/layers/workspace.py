"""One image being worked on: its session, and the layers that show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.masks import Box, Mask
from napari_brs.plugin.layers.layer_set import LayerSet
from napari_brs.plugin.layers.objects import (
    Written,
    erase_object,
    find_label,
    is_writable,
    next_label,
    read_plane,
    write_frame,
    write_instances,
    write_object,
)
from napari_brs.plugin.layers.planes import shown_mask, spatial_shape
from napari_brs.plugin.layers.points import merge_clicks, read_clicks, show_clicks
from napari_brs.plugin.layers.steps import changed_plane, written_between
from napari_brs.plugin.predictions import Predictions
from napari_brs.plugin.size_hint import NEAR, lengths_of
from napari_brs.plugin.text import MESSAGES
from napari_brs.plugin.tracks import AxisTracks
from napari_brs.session import ObjectState, Position, Session


class Workspace(LayerSet):
    """A session on an image of one shape, and the layers that show it.

    Parameters
    ----------
    image : Image
        Only looked at.

    Attributes
    ----------
    session : Session
    predictions : Predictions
        What the models made of its clicks.
    tracks : AxisTracks
        Of the objects that were followed.
    model : str
        Name of the model whose masks are shown.
    saved_at : Path or None
        Where it was saved when the dock was closed.
    """

    def __init__(self, image: Image) -> None:
        super().__init__(image)
        self.session = Session(spatial_shape(image))
        self.predictions = Predictions()
        self.tracks = AxisTracks(self.session.shape)
        self.model = ""
        self.saved_at: Path | None = None

    @property
    def used(self) -> bool:
        """Whether anything was clicked, painted or committed."""
        return any(not found.empty for found in self.session.objects)

    def shown(self, found: ObjectState) -> dict[Position, Any]:
        """The mask or prediction to show of an object in each of its planes, None for nothing."""
        return {
            where: self.predictions.shown(plane, self.model)
            for where, plane in found.planes.items()
        }

    def show(self, position: Position | None) -> None:
        """Bring points and preview in line with the session."""
        current = self.session.current
        if self.preview is not None:
            shown = self.shown(current)
            self.preview.show(shown)
        if position is None:
            return
        along = [index is None for index in position]
        clicks = {
            where: plane.clicks
            for where, plane in current.planes.items()
            if [index is None for index in where] == along
        }
        for layer, positive in ((self.foreground, True), (self.background, False)):
            if layer is not None:
                show_clicks(layer, clicks, positive)

    # what people do in the layers

    def read_points(self, position: Position, size_hint: Callable[[Click], float | None]) -> bool:
        """Take over clicks that were added, moved or deleted in the points layers.

        Parameters
        ----------
        position : Position
        size_hint : callable
            Gives the length of the object that a first click means, in pixels, or None.

        Returns
        -------
        bool
            Whether anything changed.

        Raises
        ------
        ValueError
            If a point lies outside the image, off the slice, or on one of the other sign.
        """
        along = [index is None for index in position]
        planes = {position: self.session.current.plane(position)} | {
            where: plane
            for where, plane in self.session.current.planes.items()
            if [index is None for index in where] == along
        }
        signs = ((self.foreground, True), (self.background, False))
        # Of a layer that was removed, the clicks stay as they are known.
        layers = [(layer, sign) for layer, sign in signs if layer is not None]
        lost = {sign for layer, sign in signs if layer is None}
        read = 0
        changed = False
        for where, plane in planes.items():
            found = [c for layer, sign in layers for c in read_clicks(layer, where, sign)]
            read += len(found)
            now = [*found, *(click for click in plane.clicks if click.positive in lost)]
            clicks = merge_clicks(plane.clicks, now)
            if clicks != plane.clicks:
                self.session.set_clicks(where, clicks, size_hint(clicks[0]) if clicks else None)
                changed = True
        if read != sum(len(layer.data) for layer, _ in layers):
            raise ValueError(MESSAGES["elsewhere"])
        return changed

    def read_paint(self, position: Position) -> bool:
        """Take over what was painted in the preview; whether anything was."""
        if self.preview is None:
            return False
        changed = False
        for where in (position, *self.preview.crossing(position)):
            mask = self.preview.painted(where)
            if mask is not None:
                self.session.set_mask(where, mask)
                self.preview.take(where, mask)
                changed = True
        return changed

    # objects

    def free_label(self) -> int:
        """The next free id.

        Raises
        ------
        ValueError
            If the type of the objects layer cannot hold it.
        """
        highest = self.session.highest_label
        return highest + 1 if self.objects is None else next_label(self.objects, highest)

    def commit(self, overwrite: bool) -> int:
        """Write the current object as the preview shows it, and begin the next.

        Raises
        ------
        ValueError
            If there is nothing to write, or the objects layer cannot take it.
        """
        assert self.objects is not None
        for position in list(self.session.current.planes):
            self.read_paint(position)
        current = self.session.current
        masks = self._masks(current)
        if current.label is None and not any(masks.values()):
            raise ValueError(MESSAGES["nothing to commit"])
        if not is_writable(self.objects):
            raise ValueError(MESSAGES["not editable"].format(name=self.objects.name))
        label = current.label or self.free_label()
        # Only an object that had its id before can have pixels elsewhere.
        again = current.label is not None
        before = current.written
        if isinstance(before, Written):
            shape = self.session.plane_shape
            masks = {where: Mask.empty(shape(where)) for where in before.positions} | masks
        written = write_object(self.objects, label, masks, overwrite, again)
        self.session.commit(label, written)
        return label

    def show_instances(
        self, position: Position, instances: NDArray[np.integer], only_on_empty: bool
    ) -> int | None:
        """Write what a network found by itself; one step of undo.

        Parameters
        ----------
        position : Position
        instances : (H, W) int
            0 background, 1..n objects.
        only_on_empty : bool
            Whether to do nothing where the plane has labels already.

        Returns
        -------
        int or None
            How many objects were written; None if the plane was left alone.

        Raises
        ------
        ValueError
            If the objects layer cannot take them.
        """
        assert self.objects is not None
        if only_on_empty and read_plane(self.objects, position).any():
            return None
        if not is_writable(self.objects):
            raise ValueError(MESSAGES["not editable"].format(name=self.objects.name))
        written = write_instances(self.objects, position, instances, self.free_label())
        if written.after.size:
            self.session.note_written(position, written)
        return int(np.unique(written.after).size)

    def finish(self, position: Position, masks: Sequence[Mask]) -> int:
        """Write objects that were proposed; one step of undo.

        Those of which most belongs to others by now are left out.

        Returns
        -------
        int
            How many were written.

        Raises
        ------
        ValueError
            If the objects layer cannot take them.
        """
        assert self.objects is not None
        if not is_writable(self.objects):
            raise ValueError(MESSAGES["not editable"].format(name=self.objects.name))
        first, limit = self.free_label(), np.iinfo(self.objects.data.dtype).max
        if first + len(masks) - 1 > limit:
            raise ValueError(MESSAGES["full"].format(dtype=self.objects.data.dtype, highest=limit))
        count = 0
        with self.session.one_step():
            for mask in masks:
                with suppress(ValueError):
                    whole = {position: mask}
                    written = write_object(self.objects, first + count, whole, False, False)
                    self.session.note_written(position, written)
                    count += 1
        return count

    def write_frame(self, position: Position, masks: Mapping[int, Mask], same_step: bool) -> None:
        """Write followed objects into a plane.

        Parameters
        ----------
        position : Position
        masks : mapping
            Id -> Mask.
        same_step : bool
            Whether undo takes it back together with the frame before.

        Raises
        ------
        ValueError
            If the objects layer cannot be written to.
        """
        assert self.objects is not None
        if not is_writable(self.objects):
            raise ValueError(MESSAGES["not editable"].format(name=self.objects.name))
        written = write_frame(self.objects, position, masks)
        self.session.note_written(position, written, same_step)

    def open(self, key: int, position: Position | None = None) -> None:
        """Give the clicks to an object again, with the pixels it has by now.

        Parameters
        ----------
        key : int
        position : Position, optional
            A plane to correct it in, in which it may have been followed to.
        """
        found = self.session.state.objects[key]
        masks = dict(self._changed_masks(found))
        if position is not None and position not in found.planes and self.objects is not None:
            masks[position] = find_label(self.objects, found.label or 0, position)
        self.session.open(key, masks)

    def label_at(self, position: Position, click: Click) -> int:
        """Id of the finished object at a click; 0 if there is none."""
        rows, columns = self.session.plane_shape(position)
        row, column = click.pixel
        if self.objects is None or not (0 <= row < rows and 0 <= column < columns):
            return 0
        window = slice(row, row + 1), slice(column, column + 1)
        return max(0, int(read_plane(self.objects, position, *window)[0, 0]))

    def open_at(self, position: Position, click: Click) -> int:
        """Open the finished object at a click; its id, or 0 if there is none."""
        label = self.label_at(position, click)
        known = self.session.find_label(label)
        if known is not None:
            self.open(known.key, position)
        elif label:
            assert self.objects is not None
            self.session.open_mask(label, position, find_label(self.objects, label, position))
        return label

    def delete_at(self, position: Position, click: Click) -> int | None:
        """Delete the finished object at a click, or else the open one; one step of undo.

        Returns
        -------
        int or None
            Its id, or the one it would have got; None if there is neither.

        Raises
        ------
        ValueError
            If the objects layer cannot be written to.
        """
        session = self.session
        label = self.label_at(position, click) or session.current.label
        found = session.find_label(label) if label else session.current
        if label is None and session.current.empty:
            return None
        named = label or self.free_label()
        with session.one_step():
            if label and self.objects is not None:
                if not is_writable(self.objects):
                    raise ValueError(MESSAGES["not editable"].format(name=self.objects.name))
                session.note_written(position, erase_object(self.objects, label, position))
            if found is not None:
                session.remove(found.key)
        return named

    def lengths_near(self, position: Position, click: Click) -> list[int]:
        """Lengths in pixels of the finished objects near a click."""
        if self.objects is None or spatial_shape(self.objects) != self.session.shape:
            return []
        row, column = click.pixel
        box = Box(row, column, row + 1, column + 1).grown(NEAR, self.session.plane_shape(position))
        return lengths_of(read_plane(self.objects, position, *box.slices))

    def _changed_masks(self, found: ObjectState) -> Mapping[Position, Mask]:
        """Where the objects layer holds something else than what the session shows."""
        if self.objects is None or found.label is None:
            return {}
        masks = {}
        for position, shown in self._masks(found).items():
            there = find_label(self.objects, found.label, position)
            if there != shown:
                masks[position] = there
        return masks

    def _masks(self, found: ObjectState) -> dict[Position, Mask]:
        """What the session shows of an object."""
        shape = self.session.plane_shape
        return {
            where: shown_mask(shown, shape(where)) for where, shown in self.shown(found).items()
        }

    # undo and redo

    def undo(self) -> Position | None:
        """Go back one step, commits included.

        Returns
        -------
        Position or None
            A plane in which clicks or masks changed.
        """
        before = self.session.state
        self.session.undo()
        for old, new in written_between(before, self.session.state):
            if old is not None and old is not new:
                old.take_back()
        return changed_plane(before, self.session.state)

    def redo(self) -> Position | None:
        """Go forward again; as `undo`."""
        before = self.session.state
        self.session.redo()
        for old, new in written_between(before, self.session.state):
            if new is not None and new is not old:
                new.put_back()
        return changed_plane(before, self.session.state)
