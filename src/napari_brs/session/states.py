"""The immutable states of a session: planes, objects, and all of them at one moment.

What the networks made of a state is kept by whoever computes, with the state as key;
masks are opaque here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from napari_brs.clicks import Click
from napari_brs.masks import Box

Position: TypeAlias = tuple[int | None, ...]
"""A plane of an image: one entry per axis, None along the plane, else the index."""


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
    steps : tuple of int
        Of a state that was kept elsewhere: how many of the clicks there were at each
        prediction before that of all of them. With the same steps, the same masks come
        out again.
    box : Box or None
        Around the object: the first prediction starts from it, filled.
    """

    clicks: tuple[Click, ...] = ()
    edited: Any = None
    start_mask: Any = None
    previous: PlaneState | None = field(default=None, repr=False)
    size_hint: float | None = None
    steps: tuple[int, ...] = ()
    box: Box | None = None

    @property
    def empty(self) -> bool:
        """Whether there is neither a click, a box nor a mask."""
        return not self.prompted and self.edited is None

    @property
    def prompted(self) -> bool:
        """Whether there is a click or a box to predict from."""
        return bool(self.clicks) or self.box is not None

    @property
    def by_hand(self) -> bool:
        """Whether the mask was made by hand, and not only found in the labels layer."""
        return self.edited is not None and self.edited is not self.start_mask

    @property
    def every_step(self) -> tuple[int, ...]:
        """How many clicks there are at each prediction, if the box and each click had one."""
        return tuple(range(0 if self.box is not None else 1, len(self.clicks) + 1))

    def after(self, clicks: tuple[Click, ...]) -> PlaneState:
        """The state with other clicks.

        A further click starts from what is there. Where clicks were moved or
        removed, the next prediction starts afresh, or it would keep obeying them.
        """
        if clicks[: len(self.clicks)] != self.clicks:
            return PlaneState(clicks, size_hint=self.size_hint, box=self.box)
        if self.edited is not None:
            return PlaneState(clicks, start_mask=self.edited, size_hint=self.size_hint)
        return replace(self, clicks=clicks, previous=self)

    def boxed(self, box: Box | None) -> PlaneState:
        """The state with another box, or without one; predictions start afresh."""
        return PlaneState(self.clicks, size_hint=self.size_hint, box=box)

    def masked(self, mask: Any) -> PlaneState:
        """The state with a mask made by hand, which takes the place of a box."""
        return PlaneState(self.clicks, edited=mask, size_hint=self.size_hint)

    def alone(self) -> PlaneState:
        """The state without those before it."""
        return replace(self, previous=None)

    def before(self) -> Iterator[PlaneState]:
        """The states whose clicks it continues, the newest first."""
        state = self.previous
        while state is not None:
            yield state
            state = state.previous


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
    name : str
        What the user calls it; empty if nothing.
    class_name : str or None
        One of the session's classes.
    confidence : float or None
        Chance that the mask is good, 0 to 1; None while it is not known for these clicks.
    """

    key: int
    label: int | None = None
    planes: Mapping[Position, PlaneState] = field(default_factory=lambda: MappingProxyType({}))
    written: Any = None
    name: str = ""
    class_name: str | None = None
    confidence: float | None = None

    @property
    def empty(self) -> bool:
        """Whether the object has neither clicks, boxes, masks nor a label."""
        return self.label is None and all(plane.empty for plane in self.planes.values())

    def plane(self, position: Position) -> PlaneState:
        """Its state in a plane."""
        return self.planes.get(position, _EMPTY)

    def with_plane(self, position: Position, plane: PlaneState) -> ObjectState:
        """The object with another state in one plane; its confidence is open again."""
        planes = MappingProxyType({**self.planes, position: plane})
        return replace(self, planes=planes, confidence=None)


_EMPTY = PlaneState()


@dataclass(frozen=True)
class State:
    """All objects at one moment, and which of them takes the clicks.

    Attributes
    ----------
    objects : mapping
        Key -> `ObjectState`.
    current : int
        Key of the object that takes the clicks.
    written : mapping
        What was written that belongs to no object, so that undo can take it back: objects
        of networks that segment without clicks, and deletions. (`Position`, number) ->
        something opaque.
    classes : mapping
        Name of a class -> its colour, ``#rrggbb``.
    """

    objects: Mapping[int, ObjectState]
    current: int
    written: Mapping[tuple[Position, int], Any] = field(
        default_factory=lambda: MappingProxyType({})
    )
    classes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
