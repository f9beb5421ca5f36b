"""The immutable states of a session: planes, objects, and all of them at one moment.

Predictions and masks are opaque here, apart from `PlaneState.replayable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from napari_brs.clicks import Click
from napari_brs.masks import Mask

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
    predictions : dict
        Model name -> prediction made for exactly these clicks. Filled in when
        it is known.
    start : dict
        Model name -> prediction that the next one starts from.
    start_mask : object
        The mask to start from where `start` has nothing; None if there is none.
    waited : dict
        Model name -> seconds from asking for its prediction to seeing it. Filled in
        when it is known.
    size_hint : float or None
        About how long the object is, in pixels, as the first prediction was told.
    steps : dict
        Model name -> how many of the clicks there were at each earlier prediction that the
        next one follows, ascending. With the same steps, the same masks come out again.
    settled : dict
        Model name -> `Mask` that was predicted for these clicks, where the prediction itself
        was forgotten.
    """

    clicks: tuple[Click, ...] = ()
    edited: Any = None
    predictions: dict[str, Any] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    start_mask: Any = None
    waited: dict[str, float] = field(default_factory=dict)
    size_hint: float | None = None
    steps: dict[str, tuple[int, ...]] = field(default_factory=dict)
    settled: dict[str, Mask] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is neither a click nor a mask."""
        return not self.clicks and self.edited is None

    @property
    def by_hand(self) -> bool:
        """Whether the mask was made by hand, and not only found in the labels layer."""
        return self.edited is not None and self.edited is not self.start_mask

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
            return PlaneState(clicks, size_hint=self.size_hint)
        if self.edited is not None:
            return PlaneState(clicks, start_mask=self.edited, size_hint=self.size_hint)
        return PlaneState(
            clicks,
            start=self.start | self.predictions,
            start_mask=self.start_mask,
            size_hint=self.size_hint,
            steps=self.steps | {model: self.steps_to(model) for model in self.predictions},
        )

    def masked(self, mask: Any) -> PlaneState:
        """The state with a mask made by hand."""
        return PlaneState(
            self.clicks,
            edited=mask,
            predictions=self.predictions,
            start=self.start,
            size_hint=self.size_hint,
            steps=self.steps,
        )

    def steps_to(self, model: str) -> tuple[int, ...]:
        """How many of the clicks there are at each prediction up to that of all of them."""
        return (*self.steps.get(model, ()), len(self.clicks))

    def replayable(self, model: str) -> Mask | None:
        """The mask that clicks, steps and start give again, if it is known."""
        found = self.predictions.get(model)
        return self.settled.get(model) if found is None else getattr(found, "packed", None)

    def light(self) -> PlaneState:
        """The state without predictions; their masks stay."""
        known = {model: self.replayable(model) for model in self.predictions}
        masks = {model: mask for model, mask in known.items() if mask is not None}
        return replace(self, predictions={}, start={}, settled=self.settled | masks, waited={})


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
        """Whether the object has neither clicks, masks nor a label."""
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
