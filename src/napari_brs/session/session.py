"""What a user has clicked so far: objects, clicks per plane, undo and redo.

A `Session` belongs to one image. Its history is a list of immutable states, so
undo and redo only choose another one; nothing is computed again, because what the
networks made of a state's clicks is kept by whoever computes, with the state as key.
Masks are opaque here: this module imports neither napari, Qt nor torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from napari_brs.clicks import Click, validate_clicks
from napari_brs.masks import Box, check_box
from napari_brs.session import objects as session_objects
from napari_brs.session.history import History
from napari_brs.session.states import ObjectState, PlaneState, Position, State


class Session:
    """Objects and clicks on one image, with undo and redo.

    Parameters
    ----------
    shape : tuple of int
        Shape of the image without colour channels.
    model : str
        Name of the model in use; saved with the clicks.
    threshold : float
        Probability above which a pixel is foreground; saved with the clicks.
    contrast_limits : (float, float), optional
        Grey values the network saw as black and white; saved with the clicks.
    refine : bool
        Whether masks that contradict a click are refined; saved with the clicks.

    Attributes
    ----------
    history : History
        Its states; its ``watchers`` are told of every change.
    """

    def __init__(
        self,
        shape: Iterable[int],
        model: str = "brs-live",
        threshold: float = 0.5,
        contrast_limits: tuple[float, float] | None = None,
        refine: bool = True,
    ) -> None:
        self.shape = tuple(int(size) for size in shape)
        self.model = model
        self.threshold = threshold
        self.contrast_limits = contrast_limits
        self.refine = refine
        self._keys = 1
        self.history = History(State(MappingProxyType({0: ObjectState(0)}), 0))

    # what there is

    @property
    def state(self) -> State:
        """All objects now."""
        return self.history.state

    @property
    def objects(self) -> tuple[ObjectState, ...]:
        """All objects now, in the order they were begun."""
        return tuple(self.state.objects.values())

    @property
    def current(self) -> ObjectState:
        """The object that takes the clicks."""
        return self.state.objects[self.state.current]

    @property
    def can_undo(self) -> bool:
        return bool(self.history.past)

    @property
    def can_redo(self) -> bool:
        return bool(self.history.future)

    @property
    def highest_label(self) -> int:
        """The highest id given to an object, 0 if none was committed."""
        return max((o.label for o in self.objects if o.label is not None), default=0)

    def find_label(self, label: int) -> ObjectState | None:
        """The object with that id, if it is known."""
        return next((o for o in self.objects if o.label == label), None)

    def plane_shape(self, position: Position) -> tuple[int, int]:
        """Rows and columns of a plane.

        Raises
        ------
        ValueError
            If the position does not mean a plane of the image.
        """
        if len(position) != len(self.shape) or position.count(None) != 2:
            raise ValueError(
                f"position {list(position)} is no plane of an image of shape "
                f"{list(self.shape)}: one entry per axis is allowed, two of them null"
            )
        for index, size in zip(position, self.shape, strict=True):
            if index is not None and not 0 <= index < size:
                raise ValueError(f"position {index} lies outside 0 to {size - 1}")
        rows, columns = (
            size for index, size in zip(position, self.shape, strict=True) if index is None
        )
        return rows, columns

    def restore(
        self, objects: Iterable[ObjectState], classes: Mapping[str, str] | None = None
    ) -> None:
        """Replace everything, the history included, by objects that were kept elsewhere.

        Parameters
        ----------
        objects : iterable of ObjectState
            They get new keys. The last one without an id becomes the current one; if all
            have one, a new object is begun.
        classes : mapping, optional
            Name -> colour.

        Raises
        ------
        ValueError
            If an id is not positive or given twice, a position is no plane of the
            image, a click or a box cannot be used, or a class or its colour is not known.
        """
        classes = dict(classes or {})
        session_objects.check_classes(classes)
        found: dict[int, ObjectState] = {}
        labels: set[int] = set()
        for kept in objects:
            if kept.label is not None and kept.label < 1:
                raise ValueError(f"id {kept.label} is not allowed; ids begin at 1")
            if kept.label is not None and kept.label in labels:
                raise ValueError(f"id {kept.label} is given to two objects")
            labels.update(() if kept.label is None else (kept.label,))
            session_objects.check_class(kept.class_name, classes)
            for position, plane in kept.planes.items():
                validate_clicks(plane.clicks, self.plane_shape(position))
                if plane.box is not None:
                    check_box(plane.box, self.plane_shape(position))
            key = self._next_key()
            found[key] = replace(kept, key=key)
        unfinished = [o.key for o in found.values() if o.label is None]
        if not unfinished:
            unfinished = [self._next_key()]
            found[unfinished[0]] = ObjectState(unfinished[0])
        state = State(MappingProxyType(found), unfinished[-1], classes=MappingProxyType(classes))
        self.history.start(state)

    def resume(self, past: Iterable[State], state: State, future: Iterable[State]) -> None:
        """Replace everything by a history that was kept elsewhere; keys stay as they are."""
        past, future = list(past), list(future)
        keys = [key for each in (*past, state, *future) for key in each.objects]
        keys += [key for each in (*past, state, *future) for _, key in each.written]
        self._keys = max(keys, default=-1) + 1
        self.history.start(state, past, future)

    # what changes it; each call is one step of undo

    def add_click(
        self, position: Position, click: Click, size_hint: float | None = None
    ) -> PlaneState:
        """Add a click to the current object; see `set_clicks` for the size hint.

        Raises
        ------
        ValueError
            If it lies outside the plane, or its pixel has the other sign.
        """
        clicks = (*self.current.plane(position).clicks, click)
        return self.set_clicks(position, clicks, size_hint)

    def set_clicks(
        self, position: Position, clicks: Iterable[Click], size_hint: float | None = None
    ) -> PlaneState:
        """Replace the clicks of the current object in one plane; errors as in `add_click`.

        Parameters
        ----------
        position : Position
        clicks : iterable of Click
        size_hint : float, optional
            About how long the object is, in pixels. Kept if these are its first clicks
            in the plane; later ones start from what the first ones gave.
        """
        before = self.current.plane(position)
        plane = before.after(validate_clicks(clicks, self.plane_shape(position)))
        if before.empty and plane.clicks:
            plane = replace(plane, size_hint=size_hint)
        self._put(self.current.with_plane(position, plane))
        return plane

    def set_box(self, position: Position, box: Box | None) -> PlaneState:
        """Put a box around the current object in one plane, or take it away.

        What the object has of clicks stays; a mask made by hand goes.

        Raises
        ------
        ValueError
            If the box holds no pixel, or not only pixels of the plane.
        """
        if box is not None:
            check_box(box, self.plane_shape(position))
        plane = self.current.plane(position).boxed(box)
        self._put(self.current.with_plane(position, plane))
        return plane

    def set_mask(self, position: Position, mask: Any) -> PlaneState:
        """Replace the mask of the current object in one plane by one made by hand."""
        plane = self.current.plane(position).masked(mask)
        self._put(self.current.with_plane(position, plane))
        return plane

    def clear(self) -> None:
        """Take all clicks and masks from the current object."""
        if any(not plane.empty for plane in self.current.planes.values()):
            planes = {position: PlaneState() for position in self.current.planes}
            self._put(replace(self.current, planes=MappingProxyType(planes)))

    def new_object(self) -> None:
        """Begin another object, unless the current one is still empty."""
        if not self.current.empty:
            self.history.push(self._with_new(self.state.objects))

    def open(self, key: int, masks: Mapping[Position, Any] | None = None) -> None:
        """Give the clicks to an object again, as it was left.

        Parameters
        ----------
        key : int
        masks : mapping, optional
            Masks that were changed by hand since it was left.

        Raises
        ------
        ValueError
            If there is no such object.
        """
        opened = session_objects.find(self.state, key)
        if key == self.state.current:
            return
        for position, mask in (masks or {}).items():
            opened = opened.with_plane(position, opened.plane(position).masked(mask))
        objects = self._without_empty(keep=key)
        self.history.push(self._changed({**objects, key: opened}, key))

    def open_mask(self, label: int, position: Position, mask: Any) -> None:
        """Take over an object that has an id and a mask but no clicks yet, and open it."""
        planes = MappingProxyType({position: PlaneState(edited=mask, start_mask=mask)})
        taken = ObjectState(self._next_key(), label, planes)
        self.history.push(self._changed({**self._without_empty(), taken.key: taken}, taken.key))

    def commit(self, label: int, written: Any = None, confidence: float | None = None) -> None:
        """Give the current object its id, and begin a new one. The clicks stay with it.

        Parameters
        ----------
        label : int
            Positive.
        written : object, optional
            What `ObjectState.written` is to be.
        confidence : float, optional
            Chance that its mask is good, 0 to 1.

        Raises
        ------
        ValueError
            If the id is not positive, or another object has it.
        """
        session_objects.check_label(self.state, label, self.current.key)
        done = replace(self.current, label=label, written=written, confidence=confidence)
        self.history.push(self._with_new({**self.state.objects, done.key: done}))

    def note_written(self, position: Position, written: Any, same_step: bool = False) -> None:
        """Remember what was written that belongs to no object.

        Parameters
        ----------
        position : Position
        written : object
        same_step : bool
            Whether undo takes it back together with what was written before it.
        """
        writings = {**self.state.written, (position, self._next_key()): written}
        state = replace(self.state, written=MappingProxyType(writings))
        if same_step:
            self.history.extend(state)
        else:
            self.history.push(state)

    def remove(self, key: int) -> None:
        """Let go of an object; if it took the clicks, a new one is begun.

        Raises
        ------
        ValueError
            If there is no such object.
        """
        session_objects.find(self.state, key)
        left = {k: o for k, o in self.state.objects.items() if k != key}
        current = self.state.current
        self.history.push(self._with_new(left) if key == current else self._changed(left, current))

    def merge(
        self, keys: Iterable[int], masks: Mapping[Position, Any], written: Any = None
    ) -> None:
        """Make several objects one; see `session.objects.merge`."""
        self.history.push(session_objects.merge(self.state, keys, masks, written))

    def split(
        self,
        key: int,
        kept: Mapping[Position, Any],
        parted: Mapping[Position, Any],
        label: int,
        written: Any = None,
    ) -> int:
        """Part an object in two; the key of the new one. See `session.objects.split`."""
        new = ObjectState(self._next_key(), label)
        self.history.push(session_objects.split(self.state, key, kept, parted, new, written))
        return new.key

    def rename(self, key: int, name: str) -> None:
        """Give an object a name; ValueError if there is no such object."""
        self.history.push(session_objects.rename(self.state, key, name))

    def set_class(self, key: int, class_name: str | None) -> None:
        """Say of which class an object is; ValueError if object or class is not known."""
        self.history.push(session_objects.set_class(self.state, key, class_name))

    def set_classes(self, classes: Mapping[str, str]) -> None:
        """Replace the classes that there are; see `session.objects.set_classes`."""
        self.history.push(session_objects.set_classes(self.state, classes))

    def one_step(self) -> AbstractContextManager[None]:
        """Let all changes made within be one step of undo, or none if one is refused."""
        return self.history.one_step()

    # undo and redo

    def undo(self) -> bool:
        """Go back one state; False if there is none."""
        return self.history.undo()

    def redo(self) -> bool:
        """Go forward again; False if nothing was undone."""
        return self.history.redo()

    def _put(self, changed: ObjectState) -> None:
        self.history.push(self._changed({**self.state.objects, changed.key: changed}, changed.key))

    def _changed(self, objects: Mapping[int, ObjectState], current: int) -> State:
        return replace(self.state, objects=MappingProxyType(objects), current=current)

    def _with_new(self, objects: Mapping[int, ObjectState]) -> State:
        key = self._next_key()
        return self._changed({**objects, key: ObjectState(key)}, key)

    def _without_empty(self, keep: int | None = None) -> Mapping[int, ObjectState]:
        """The objects less the one just begun, if it holds nothing."""
        items = self.state.objects.items()
        return MappingProxyType({k: o for k, o in items if k == keep or not o.empty})

    def _next_key(self) -> int:
        self._keys += 1
        return self._keys - 1
