"""One image being worked on: its session, and the layers that show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels, Layer, Points
from numpy.typing import NDArray

from napari_brs.plugin import layers as ours
from napari_brs.plugin.objects import (
    Written,
    find_label,
    next_label,
    read_plane,
    write_instances,
    write_object,
)
from napari_brs.plugin.planes import NOTHING, Patch, patch_of
from napari_brs.plugin.preview import Preview, same_mask
from napari_brs.plugin.text import MESSAGES
from napari_brs.session import ObjectState, PlaneState, Position, Session, State

if TYPE_CHECKING:
    from napari.components import ViewerModel

_KEPT: WeakKeyDictionary[Image, Workspace] = WeakKeyDictionary()
"""Closing the dock, or choosing another image, loses nothing; removing the image does."""


class Workspace:
    """A session, and two points layers, a preview and an objects layer that show it.

    Layers that somebody removed are made again when they are needed.

    Parameters
    ----------
    image : Image
        Only looked at.
    """

    def __init__(self, image: Image) -> None:
        self.session = Session(ours.spatial_shape(image))
        self.model = ""
        self.foreground: Points | None = None
        self.background: Points | None = None
        self.preview: Preview | None = None
        self.objects: Labels | None = None

    @classmethod
    def of(cls, image: Image) -> Workspace:
        """The workspace of an image, as it was left; a new one if it has changed shape."""
        kept = _KEPT.get(image)
        if kept is None or kept.session.shape != ours.spatial_shape(image):
            _KEPT[image] = kept = cls(image)
        return kept

    @staticmethod
    def forget(image: Image) -> None:
        """Let go of what was done on an image."""
        _KEPT.pop(image, None)

    # layers

    @property
    def aids(self) -> list[Layer]:
        """The layers that serve the work only: clicks and preview."""
        preview = None if self.preview is None else self.preview.layer
        aids = (self.foreground, self.background, preview)
        return [layer for layer in aids if layer is not None]

    @property
    def layers(self) -> list[Layer]:
        """All layers of the workspace."""
        return [*self.aids, *([] if self.objects is None else [self.objects])]

    def make_layers(self, viewer: ViewerModel, image: Image) -> list[Layer]:
        """Add the layers that are missing, and return them; the active layer stays as it is.

        Raises
        ------
        ValueError
            If there is not enough memory for them.
        """
        active = viewer.layers.selection.active
        made: list[Layer] = []
        try:
            if self.objects is None:
                self.objects = ours.make_objects(image)
                made.append(self.objects)
            if self.preview is None:
                self.preview = Preview(image)
                made.append(self.preview.layer)
        except MemoryError:
            self.objects = self.preview = None
            raise ValueError(MESSAGES["memory"]) from None
        if self.background is None:
            self.background = ours.make_points(image, positive=False)
            made.append(self.background)
        if self.foreground is None:
            self.foreground = ours.make_points(image, positive=True)
            made.append(self.foreground)
        for layer in made:
            viewer.add_layer(layer)
        if made and active is not None:
            viewer.layers.selection.active = active
        return made

    def lose(self, layer: Layer) -> None:
        """Know that one of the layers was removed."""
        if layer is self.foreground:
            self.foreground = None
        elif layer is self.background:
            self.background = None
        elif layer is self.objects:
            self.objects = None
        elif self.preview is not None and layer is self.preview.layer:
            self.preview = None

    def follow(self, image: Image) -> None:
        """Put the layers where the image is now."""
        others = [self.foreground, self.background, self.objects]
        ours.follow(image, [layer for layer in others if layer is not None])
        if self.preview is not None:
            self.preview.follow(image)

    def show(self, position: Position | None) -> None:
        """Bring points and preview in line with the session."""
        current = self.session.current
        if self.preview is not None:
            shown = {where: plane.shown(self.model) for where, plane in current.planes.items()}
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
                ours.show_clicks(layer, clicks, positive)

    # what people do in the layers

    def read_points(self, position: Position) -> bool:
        """Take over clicks that were added, moved or deleted in the points layers.

        Returns
        -------
        bool
            Whether anything changed.

        Raises
        ------
        ValueError
            If a point lies outside the image, off the slice, or on one of the other sign.
        """
        if self.foreground is None or self.background is None:
            return False
        along = [index is None for index in position]
        planes = {position: self.session.current.plane(position)} | {
            where: plane
            for where, plane in self.session.current.planes.items()
            if [index is None for index in where] == along
        }
        read = 0
        changed = False
        for where, plane in planes.items():
            now = [
                *ours.read_clicks(self.foreground, where, True),
                *ours.read_clicks(self.background, where, False),
            ]
            read += len(now)
            clicks = ours.merge_clicks(plane.clicks, now)
            if clicks != plane.clicks:
                self.session.set_clicks(where, clicks)
                changed = True
        if read != len(self.foreground.data) + len(self.background.data):
            raise ValueError(MESSAGES["elsewhere"])
        return changed

    def read_paint(self, position: Position) -> bool:
        """Take over what was painted in the preview; whether anything was."""
        if self.preview is None:
            return False
        changed = False
        for where in (position, *self.preview.crossing(position)):
            patch = self.preview.painted(where)
            if patch is not None:
                self.session.set_mask(where, patch)
                self.preview.take(where, patch)
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
        masks = {
            where: patch_of(plane.shown(self.model)) for where, plane in current.planes.items()
        }
        if current.label is None and not any(patch.mask.any() for patch in masks.values()):
            raise ValueError(MESSAGES["nothing to commit"])
        if not ours.is_writable(self.objects):
            raise ValueError(MESSAGES["not editable"].format(name=self.objects.name))
        label = current.label or self.free_label()
        # Only an object that had its id before can have pixels elsewhere.
        again = current.label is not None
        before = current.written
        if isinstance(before, Written):
            masks = dict.fromkeys(before.positions, NOTHING) | masks
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
        if not ours.is_writable(self.objects):
            raise ValueError(MESSAGES["not editable"].format(name=self.objects.name))
        written = write_instances(self.objects, position, instances, self.free_label())
        if written.after.size:
            self.session.note_written(position, written)
        return int(np.unique(written.after).size)

    def open(self, key: int) -> None:
        """Give the clicks to an object again, with the pixels it has by now."""
        found = self.session.state.objects[key]
        self.session.open(key, self._changed_masks(found))

    def open_at(self, position: Position, row: int, column: int) -> bool:
        """Open the finished object at a pixel; False if there is none."""
        if self.objects is None:
            return False
        inside = iter((row, column))
        pixel = tuple(next(inside) if index is None else index for index in position)
        label = int(np.asarray(self.objects.data[pixel]))
        if label < 1:
            return False
        known = self.session.find_label(label)
        if known is not None:
            self.open(known.key)
        else:
            self.session.open_mask(label, position, find_label(self.objects, label, position))
        return True

    def _changed_masks(self, found: ObjectState) -> Mapping[Position, Patch]:
        """Where the objects layer holds something else than what the session shows."""
        if self.objects is None or found.label is None:
            return {}
        masks = {}
        for position, plane in found.planes.items():
            there = find_label(self.objects, found.label, position)
            if not same_mask(there, patch_of(plane.shown(self.model))):
                masks[position] = there
        return masks

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
        for old, new in _written(before, self.session.state):
            if old is not None and old is not new:
                old.take_back()
        return _changed_plane(before, self.session.state)

    def redo(self) -> Position | None:
        """Go forward again; as `undo`."""
        before = self.session.state
        self.session.redo()
        for old, new in _written(before, self.session.state):
            if new is not None and new is not old:
                new.put_back()
        return _changed_plane(before, self.session.state)

    def pass_on(self, done: PlaneState, position: Position, prediction: Any) -> None:
        """Let clicks made meanwhile start from a prediction of the clicks before them."""
        now = self.session.current.plane(position)
        follows = now.clicks[: len(done.clicks)] == done.clicks and now.start_mask is None
        if now is not done and follows and not now.computed(self.model):
            now.start[self.model] = prediction


def _written(before: State, after: State) -> list[tuple[Written | None, Written | None]]:
    def written(state: State, key: int) -> Written | None:
        found = state.objects.get(key)
        return None if found is None else found.written

    keys = {*before.objects, *after.objects}
    by_network = {*before.written, *after.written}
    return [
        *((written(before, key), written(after, key)) for key in keys),
        *((before.written.get(step), after.written.get(step)) for step in by_network),
    ]


def _changed_plane(before: State, after: State) -> Position | None:
    for position, _ in {*before.written} ^ {*after.written}:
        return position
    nothing = ObjectState(-1)
    for key in {*before.objects, *after.objects}:
        old, new = before.objects.get(key, nothing), after.objects.get(key, nothing)
        for position in {*old.planes, *new.planes}:
            if old.plane(position) is not new.plane(position):
                return position
    return None
