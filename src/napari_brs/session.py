"""What a user has clicked so far: objects, clicks per plane, undo and redo.

A `Session` belongs to one image. Its history is a list of immutable states, so
undo and redo only choose another one; nothing is computed again, because what the
networks made of a state's clicks is kept by whoever computes, with the state as key.
Masks are opaque here: this module imports neither napari, Qt nor torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from napari_brs.clicks import Click, validate_clicks

Position: TypeAlias = tuple[int | None, ...]
"""A plane of an image: one entry per axis, None along the plane, else the index."""

UNDO_LIMIT = 100
"""States that undo can go back; older ones are forgotten."""


@dataclass(frozen=True, eq=False)
class PlaneState:
    """The clicks of one object in one plane, and what came of them.

    Compared by identity: two states with equal clicks may have different histories.

    Attributes
    ----------
    clicks : tuple of Click
        In the order they were made.
    edited : object
        A mask made by hand, or read from a labels layer; None if there is none.
        It goes before any prediction.
    start_mask : object
        The mask that a prediction starts from; None if there is none.
    previous : PlaneState or None
        The state whose clicks these continue: a prediction of it is a better start.
    size_hint : float or None
        About how long the object is, in pixels, as the first prediction was told.
    """

    clicks: tuple[Click, ...] = ()
    edited: Any = None
    start_mask: Any = None
    previous: PlaneState | None = field(default=None, repr=False)
    size_hint: float | None = None

    @property
    def empty(self) -> bool:
        """Whether there is neither a click nor a mask."""
        return not self.clicks and self.edited is None

    @property
    def by_hand(self) -> bool:
        """Whether the mask was made by hand, and not only found in the labels layer."""
        return self.edited is not None and self.edited is not self.start_mask

    def after(self, clicks: tuple[Click, ...]) -> PlaneState:
        """The state with other clicks.

        A further click starts from what is there. Where clicks were moved or
        removed, the next prediction starts afresh, or it would keep obeying them.
        """
        if clicks[: len(self.clicks)] != self.clicks:
            return PlaneState(clicks, size_hint=self.size_hint)
        if self.edited is not None:
            return PlaneState(clicks, start_mask=self.edited, size_hint=self.size_hint)
        return replace(self, clicks=clicks, previous=self)

    def masked(self, mask: Any) -> PlaneState:
        """The state with a mask made by hand."""
        return PlaneState(self.clicks, edited=mask, size_hint=self.size_hint)


@dataclass(frozen=True)
class ObjectState:
    """One object at one moment.

    Attributes
    ----------
    key : int
        Tells objects of a session apart; never used twice.
    label : int or None
        Id in the objects layer, once committed.
    planes : mapping
        `Position` -> `PlaneState`.
    written : object
        What the last commit wrote, so that undo can take it back; opaque.
    """

    key: int
    label: int | None = None
    planes: Mapping[Position, PlaneState] = field(default_factory=lambda: MappingProxyType({}))
    written: Any = None

    @property
    def empty(self) -> bool:
        """Whether the object has neither clicks, masks nor a label."""
        return self.label is None and all(plane.empty for plane in self.planes.values())

    def plane(self, position: Position) -> PlaneState:
        """Its state in a plane."""
        return self.planes.get(position, _EMPTY)

    def with_plane(self, position: Position, plane: PlaneState) -> ObjectState:
        """The object with another state in one plane."""
        return replace(self, planes=MappingProxyType({**self.planes, position: plane}))


_EMPTY = PlaneState()


@dataclass(frozen=True)
class State:
    """All objects at one moment, and which of them takes the clicks.

    ``written`` is what was written that belongs to no object, so that undo can take it
    back: objects of networks that segment without clicks, and deletions. (`Position`,
    number) -> something opaque.
    """

    objects: Mapping[int, ObjectState]
    current: int
    written: Mapping[tuple[Position, int], Any] = field(default_factory=lambda: _NONE_WRITTEN)


_NONE_WRITTEN: Mapping[tuple[Position, int], Any] = MappingProxyType({})


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
    """

    def __init__(
        self,
        shape: Iterable[int],
        model: str = "brs-live",
        threshold: float = 0.5,
        contrast_limits: tuple[float, float] | None = None,
    ) -> None:
        self.shape = tuple(int(size) for size in shape)
        self.model = model
        self.threshold = threshold
        self.contrast_limits = contrast_limits
        self._keys = 1
        self._past: list[State] = []
        self._future: list[State] = []
        self._joined: int | None = None
        self._state = State(MappingProxyType({0: ObjectState(0)}), 0)

    # what there is

    @property
    def state(self) -> State:
        """All objects now."""
        return self._state

    @property
    def objects(self) -> tuple[ObjectState, ...]:
        """All objects now, in the order they were begun."""
        return tuple(self._state.objects.values())

    @property
    def current(self) -> ObjectState:
        """The object that takes the clicks."""
        return self._state.objects[self._state.current]

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

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

    def restore(self, objects: Iterable[tuple[int | None, Mapping[Position, PlaneState]]]) -> None:
        """Replace everything, the history included, by objects that were kept elsewhere.

        Parameters
        ----------
        objects : iterable of (id or None, {position: PlaneState})
            Of the planes, clicks and size hint are kept. The last one without an id
            becomes the current one; if all have one, a new object is begun.

        Raises
        ------
        ValueError
            If an id is not positive or given twice, a position is no plane of the
            image, or a click cannot be used.
        """
        found: dict[int, ObjectState] = {}
        labels: set[int] = set()
        for label, planes in objects:
            if label is not None and label < 1:
                raise ValueError(f"id {label} is not allowed; ids begin at 1")
            if label is not None and label in labels:
                raise ValueError(f"id {label} is given to two objects")
            labels.update(() if label is None else (label,))
            states = {
                position: PlaneState(
                    validate_clicks(plane.clicks, self.plane_shape(position)),
                    size_hint=plane.size_hint,
                )
                for position, plane in planes.items()
            }
            key = self._next_key()
            found[key] = ObjectState(key, label, MappingProxyType(states))
        unfinished = [o.key for o in found.values() if o.label is None]
        self._past.clear()
        self._future.clear()
        self._state = State(MappingProxyType(found), -1)
        self._state = (
            replace(self._state, current=unfinished[-1]) if unfinished else self._with_new(found)
        )

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
            self._push(self._with_new(self._state.objects))

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
        if key not in self._state.objects:
            raise ValueError(f"no object {key}; there are {list(self._state.objects)}")
        if key == self._state.current:
            return
        opened = self._state.objects[key]
        for position, mask in (masks or {}).items():
            opened = opened.with_plane(position, opened.plane(position).masked(mask))
        objects = self._without_empty(keep=key)
        self._push(self._changed({**objects, key: opened}, key))

    def open_mask(self, label: int, position: Position, mask: Any) -> None:
        """Take over an object that has an id and a mask but no clicks yet, and open it."""
        planes = MappingProxyType({position: PlaneState(edited=mask, start_mask=mask)})
        taken = ObjectState(self._next_key(), label, planes)
        self._push(self._changed({**self._without_empty(), taken.key: taken}, taken.key))

    def commit(self, label: int, written: Any = None) -> None:
        """Give the current object its id, and begin a new one. The clicks stay with it.

        Raises
        ------
        ValueError
            If the id is not positive, or another object has it.
        """
        if label < 1:
            raise ValueError(f"id {label} is not allowed; ids begin at 1")
        holder = self.find_label(label)
        if holder is not None and holder.key != self.current.key:
            raise ValueError(f"id {label} is taken by another object")
        done = replace(self.current, label=label, written=written)
        self._push(self._with_new({**self._state.objects, done.key: done}))

    def note_written(self, position: Position, written: Any) -> None:
        """Remember what was written that belongs to no object."""
        writings = {**self._state.written, (position, self._next_key()): written}
        self._push(replace(self._state, written=MappingProxyType(writings)))

    def remove(self, key: int) -> None:
        """Let go of an object; if it took the clicks, a new one is begun.

        Raises
        ------
        ValueError
            If there is no such object.
        """
        if key not in self._state.objects:
            raise ValueError(f"no object {key}; there are {list(self._state.objects)}")
        left = {k: o for k, o in self._state.objects.items() if k != key}
        current = self._state.current
        self._push(self._with_new(left) if key == current else self._changed(left, current))

    @contextmanager
    def one_step(self) -> Iterator[None]:
        """Let all changes made within be one step of undo, or none if one is refused."""
        self._joined = 0
        try:
            yield
        except Exception:
            if self._joined:
                self._state = self._past.pop()
            raise
        finally:
            self._joined = None

    # undo and redo

    def undo(self) -> bool:
        """Go back one state; False if there is none."""
        if not self._past:
            return False
        self._future.append(self._state)
        self._state = self._past.pop()
        return True

    def redo(self) -> bool:
        """Go forward again; False if nothing was undone."""
        if not self._future:
            return False
        self._past.append(self._state)
        self._state = self._future.pop()
        return True

    def _put(self, changed: ObjectState) -> None:
        self._push(self._changed({**self._state.objects, changed.key: changed}, changed.key))

    def _changed(self, objects: Mapping[int, ObjectState], current: int) -> State:
        return replace(self._state, objects=MappingProxyType(objects), current=current)

    def _push(self, state: State) -> None:
        if not self._joined:
            self._past.append(self._state)
        if self._joined is not None:
            self._joined += 1
        self._future.clear()
        self._state = state
        if len(self._past) > UNDO_LIMIT:
            del self._past[0]
            self._forget_settled()

    def _forget_settled(self) -> None:
        """Drop the states of committed objects that no undo can reach any more.

        Their pixels are in the labels layer and their clicks stay; with the states go
        their predictions: hundreds of finished objects must not fill the memory. What was written
        without an object goes with them.
        """
        if self._past[0].written:
            settled_writings = self._past[0].written
            self._past = [_without(state, settled_writings) for state in self._past]
            self._state = _without(self._state, settled_writings)
        for key, settled in self._past[0].objects.items():
            if settled.written is None or key == self._state.current:
                continue
            if self._state.objects.get(key) is not settled:
                continue
            planes = {
                where: PlaneState(plane.clicks, size_hint=plane.size_hint)
                for where, plane in settled.planes.items()
            }
            bare = replace(settled, planes=MappingProxyType(planes), written=None)
            self._past = [_replaced(state, settled, bare) for state in self._past]
            self._state = _replaced(self._state, settled, bare)

    def _with_new(self, objects: Mapping[int, ObjectState]) -> State:
        key = self._next_key()
        return self._changed({**objects, key: ObjectState(key)}, key)

    def _without_empty(self, keep: int | None = None) -> Mapping[int, ObjectState]:
        """The objects less the one just begun, if it holds nothing."""
        items = self._state.objects.items()
        return MappingProxyType({k: o for k, o in items if k == keep or not o.empty})

    def _next_key(self) -> int:
        self._keys += 1
        return self._keys - 1


def _replaced(state: State, old: ObjectState, new: ObjectState) -> State:
    if state.objects.get(old.key) is not old:
        return state
    return replace(state, objects=MappingProxyType({**state.objects, old.key: new}))


def _without(state: State, writings: Mapping[tuple[Position, int], Any]) -> State:
    left = {key: value for key, value in state.written.items() if key not in writings}
    return replace(state, written=MappingProxyType(left))
