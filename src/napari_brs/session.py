"""What a user has clicked so far: objects, clicks per plane, undo and redo, save and load.

A `Session` belongs to one image. Its history is a list of immutable states, so
undo and redo only choose another one; nothing is computed again, because a
state keeps what the networks made of its clicks. Predictions and masks are
opaque here: this module imports neither napari, Qt nor torch.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from napari_brs.clicks import Click, validate_clicks
from napari_brs.io.atomic import write_text

Position: TypeAlias = tuple[int | None, ...]
"""A plane of an image: one entry per axis, None along the plane, else the index."""

FORMAT = "napari-brs session"
VERSION = 1
UNDO_LIMIT = 100
"""States that undo can go back; older ones, and what was computed for them, are forgotten."""


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
    predictions : dict
        Model name -> prediction made for exactly these clicks. Filled in when
        it is known.
    start : dict
        Model name -> prediction that the next one starts from.
    start_mask : object
        The mask to start from where `start` has nothing; None if there is none.
    """

    clicks: tuple[Click, ...] = ()
    edited: Any = None
    predictions: dict[str, Any] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    start_mask: Any = None

    @property
    def empty(self) -> bool:
        """Whether there is neither a click nor a mask."""
        return not self.clicks and self.edited is None

    def start_for(self, model: str) -> Any:
        """What a prediction of these clicks starts from, or None."""
        return self.start.get(model, self.start_mask)

    def shown(self, model: str) -> Any:
        """The mask or prediction to show: the latest there is, or None."""
        if self.empty:
            return None
        if self.edited is not None:
            return self.edited
        return self.predictions.get(model, self.start_for(model))

    def computed(self, model: str) -> bool:
        """Whether nothing is left to compute for these clicks."""
        return not self.clicks or self.edited is not None or model in self.predictions

    def after(self, clicks: tuple[Click, ...]) -> PlaneState:
        """The state with other clicks.

        A further click starts from what is there. Where clicks were moved or
        removed, the next prediction starts afresh, or it would keep obeying them.
        """
        if clicks[: len(self.clicks)] != self.clicks:
            return PlaneState(clicks)
        if self.edited is not None:
            return PlaneState(clicks, start_mask=self.edited)
        return PlaneState(clicks, start=self.start | self.predictions, start_mask=self.start_mask)

    def masked(self, mask: Any) -> PlaneState:
        """The state with a mask made by hand."""
        return PlaneState(self.clicks, edited=mask, predictions=self.predictions, start=self.start)


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
    """All objects at one moment, and which of them takes the clicks."""

    objects: Mapping[int, ObjectState]
    current: int


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

    # what changes it; each call is one step of undo

    def add_click(self, position: Position, click: Click) -> PlaneState:
        """Add a click to the current object.

        Raises
        ------
        ValueError
            If it lies outside the plane, or its pixel has the other sign.
        """
        return self.set_clicks(position, (*self.current.plane(position).clicks, click))

    def set_clicks(self, position: Position, clicks: Iterable[Click]) -> PlaneState:
        """Replace the clicks of the current object in one plane; errors as in `add_click`."""
        before = self.current.plane(position)
        plane = before.after(validate_clicks(clicks, self.plane_shape(position)))
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
        self._push(State(MappingProxyType({**objects, key: opened}), key))

    def open_mask(self, label: int, position: Position, mask: Any) -> None:
        """Take over an object that has an id and a mask but no clicks yet, and open it."""
        planes = MappingProxyType({position: PlaneState(edited=mask)})
        taken = ObjectState(self._next_key(), label, planes)
        self._push(State(MappingProxyType({**self._without_empty(), taken.key: taken}), taken.key))

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
        objects = MappingProxyType({**self._state.objects, changed.key: changed})
        self._push(State(objects, changed.key))

    def _push(self, state: State) -> None:
        self._past.append(self._state)
        self._future.clear()
        self._state = state
        if len(self._past) > UNDO_LIMIT:
            del self._past[0]
            self._forget_settled()

    def _forget_settled(self) -> None:
        """Drop the predictions of committed objects that no undo can reach any more.

        Their pixels are in the labels layer and their clicks stay; hundreds of
        finished objects must not fill the memory with probabilities.
        """
        for key, settled in self._past[0].objects.items():
            if settled.written is None or key == self._state.current:
                continue
            if self._state.objects.get(key) is not settled:
                continue
            planes = {where: PlaneState(p.clicks) for where, p in settled.planes.items()}
            bare = replace(settled, planes=MappingProxyType(planes), written=None)
            self._past = [_replaced(state, settled, bare) for state in self._past]
            self._state = _replaced(self._state, settled, bare)

    def _with_new(self, objects: Mapping[int, ObjectState]) -> State:
        key = self._next_key()
        return State(MappingProxyType({**objects, key: ObjectState(key)}), key)

    def _without_empty(self, keep: int | None = None) -> Mapping[int, ObjectState]:
        """The objects less the one just begun, if it holds nothing."""
        items = self._state.objects.items()
        return MappingProxyType({k: o for k, o in items if k == keep or not o.empty})

    def _next_key(self) -> int:
        self._keys += 1
        return self._keys - 1

    # save and load

    def to_dict(self, image_name: str = "") -> dict[str, Any]:
        """The session as JSON can hold it: clicks, ids, planes and settings, no pixels."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "image": {"name": image_name, "shape": list(self.shape)},
            "contrast_limits": None if self.contrast_limits is None else list(self.contrast_limits),
            "model": self.model,
            "threshold": self.threshold,
            "objects": [
                {
                    "label": o.label,
                    "planes": [
                        {
                            "position": list(position),
                            "clicks": [[c.row, c.column, c.positive] for c in plane.clicks],
                        }
                        for position, plane in o.planes.items()
                        if plane.clicks
                    ],
                }
                for o in self.objects
                if not o.empty
            ],
        }

    @classmethod
    def from_dict(cls, content: Any) -> Session:
        """Inverse of `to_dict`; the last object without an id becomes the current one.

        Raises
        ------
        ValueError
            If it is no session, of a later version, or holds a value that is not allowed.
        """
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f'not a session: "format" must be "{FORMAT}"')
        if content.get("version") != VERSION:
            raise ValueError(
                f"session version {content.get('version')!r} is not known; {VERSION} is allowed"
            )
        image = _entry(content, "image", dict)
        shape = _integers(_entry(image, "shape", list), "image shape")
        threshold = _number(content.get("threshold"), "threshold")
        if not 0 < threshold < 1:
            raise ValueError(f"threshold is {threshold:g}; it must lie between 0 and 1")
        limits = content.get("contrast_limits")
        if limits is not None:
            if not isinstance(limits, list) or len(limits) != 2:
                raise ValueError(f"contrast_limits are {limits!r}; null or [low, high] is allowed")
            low, high = (_number(limit, "contrast limit") for limit in limits)
            limits = (low, high)
        session = cls(shape, _entry(content, "model", str), threshold, limits)
        objects: dict[int, ObjectState] = {}
        labels: set[int] = set()
        for entry in _entry(content, "objects", list):
            found = session._read_object(entry)
            if found.label is not None and found.label in labels:
                raise ValueError(f"id {found.label} is given to two objects")
            labels.update(() if found.label is None else (found.label,))
            objects[found.key] = found
        unfinished = [o.key for o in objects.values() if o.label is None]
        if unfinished:
            session._state = State(MappingProxyType(objects), unfinished[-1])
        else:
            session._state = session._with_new(objects)
        return session

    def _read_object(self, entry: Any) -> ObjectState:
        if not isinstance(entry, dict):
            raise ValueError(f"object {entry!r} is not a mapping")
        label = entry.get("label")
        if label is not None and (not _is_integer(label) or label < 1):
            raise ValueError(f"id {label!r} is not allowed; null or an integer from 1 is")
        planes: dict[Position, PlaneState] = {}
        for part in _entry(entry, "planes", list):
            if not isinstance(part, dict):
                raise ValueError(f"plane {part!r} is not a mapping")
            raw = _entry(part, "position", list)
            if not all(index is None or _is_integer(index) for index in raw):
                raise ValueError(f"position {raw!r} is not allowed; integers and null are")
            position = tuple(raw)
            clicks = tuple(_read_click(click) for click in _entry(part, "clicks", list))
            planes[position] = PlaneState(validate_clicks(clicks, self.plane_shape(position)))
        return ObjectState(self._next_key(), label, MappingProxyType(planes))


def save_session(path: str | os.PathLike[str], session: Session, image_name: str = "") -> Path:
    """Write a session as JSON; the file is replaced only once the new one is complete."""
    path = Path(path)
    text = json.dumps(session.to_dict(image_name), indent=1, allow_nan=False) + "\n"
    write_text(path, text)
    return path


def load_session(path: str | os.PathLike[str]) -> Session:
    """Read what `save_session` wrote.

    Raises
    ------
    ValueError
        If the file is not JSON, or not a session (see `Session.from_dict`).
    OSError
        If it cannot be read.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from None
    try:
        return Session.from_dict(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _replaced(state: State, old: ObjectState, new: ObjectState) -> State:
    if state.objects.get(old.key) is not old:
        return state
    return State(MappingProxyType({**state.objects, old.key: new}), state.current)


def _entry(content: dict[str, Any], name: str, kind: type) -> Any:
    value = content.get(name)
    if not isinstance(value, kind):
        raise ValueError(f'"{name}" is {value!r}; a {kind.__name__} is needed')
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integers(values: list[Any], name: str) -> tuple[int, ...]:
    if len(values) < 2 or not all(_is_integer(v) and v > 0 for v in values):
        raise ValueError(f"{name} is {values!r}; at least two positive integers are needed")
    return tuple(values)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}; a finite number is needed")
    return float(value)


def _read_click(value: Any) -> Click:
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[2], bool):
        raise ValueError(f"click {value!r} is not allowed; [row, column, true or false] is")
    return Click(_number(value[0], "row"), _number(value[1], "column"), value[2])
