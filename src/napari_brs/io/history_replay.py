"""The history of a session, from the records that `napari_brs.io.history_records` makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

from napari_brs.clicks import Click, validate_clicks
from napari_brs.io.journal import Record
from napari_brs.io.session_models import MaskPart
from napari_brs.masks import Box, Mask, check_box
from napari_brs.session import History, ObjectState, PlaneState, Position, Session, State


class Replay:
    """A history that grows by records; the inverse of `Recorder`.

    Parameters
    ----------
    shape : tuple of int
        Of the image, without colours.
    to_written : callable
        Inverse of the recorder's ``of_written``.

    Attributes
    ----------
    made : dict
        `PlaneState` -> `Made`.
    """

    def __init__(self, shape: Iterable[int], to_written: Callable[[Record], Any]) -> None:
        self._to_written = to_written
        self._session = Session(shape)
        self._planes: dict[int, tuple[PlaneState, Position]] = {}
        self._masks: dict[int, Mask] = {}
        self._written: dict[int, Any] = {}
        self.made: dict[PlaneState, dict[str, Mask]] = {}

    @property
    def history(self) -> History:
        """Past, state and future as they were."""
        return self._session.history

    def take(self, record: Record) -> bool:
        """Do what a record says; False if it is not about the history.

        Raises
        ------
        ValueError
            If it says what cannot be.
        """
        try:
            return self._take(record)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(
                f"a record holds what is not known: {type(error).__name__} {error}"
            ) from None

    def _take(self, record: Record) -> bool:
        what, history = record["is"], self.history
        if what == "plane":
            self._new_plane(record)
        elif what == "mask":
            plane, position = self._planes[record["plane"]]
            mask = self._mask(record, position)
            self.made.setdefault(plane, {})[record["model"]] = mask
            self._masks[record["plane"]] = mask
        elif what == "start":
            nothing = State(MappingProxyType({}), -1)
            history.start(self._state(record, nothing))
        elif what == "push":
            history.push(self._state(record, history.state))
        elif what == "join":
            history.extend(self._state(record, history.state))
        elif what == "drop":
            history.state = history.past.pop()
        elif what == "undo":
            history.undo()
        elif what == "redo":
            history.redo()
        else:
            return False
        return True

    def _state(self, record: Record, before: State) -> State:
        put = {found.key: found for found in map(self._object, record.get("put", []))}
        gone = {*record.get("gone", [])}
        objects = {key: found for key, found in before.objects.items() if key not in gone} | put
        if record["current"] not in objects:
            raise ValueError(f"object {record['current']} is not there")
        written = before.written
        if "written" in record:
            unwritten = {(_position(at), number) for at, number in record["unwritten"]}
            new = {
                (_position(at), number): self._writing(each)
                for at, number, each in record["written"]
            }
            left = {key: value for key, value in written.items() if key not in unwritten}
            written = MappingProxyType(left | new)
        classes = record.get("classes")
        return State(
            MappingProxyType(objects),
            record["current"],
            written,
            before.classes if classes is None else MappingProxyType(classes),
        )

    def _object(self, record: Record) -> ObjectState:
        planes = {_position(at): self._planes[number][0] for at, number in record["planes"]}
        written = record.get("written")
        return ObjectState(
            record["key"],
            record.get("label"),
            MappingProxyType(planes),
            None if written is None else self._writing(written),
            record.get("name", ""),
            record.get("class"),
            record.get("confidence"),
        )

    def _new_plane(self, record: Record) -> None:
        position = _position(record["at"])
        previous = None if "after" not in record else self._planes[record["after"]][0]
        earlier = () if previous is None else previous.clicks
        clicks = (*earlier, *(Click(*click) for click in record["clicks"]))
        shape = self._session.plane_shape(position)
        start = None if previous is None else previous.start_mask
        if "start" in record:
            start = self._mask(record["start"], position)
        edited = None
        if "edited" in record:
            edited = start
            if record["edited"] is not None:
                edited = self._mask(record["edited"], position)
        box = Box(*record["box"]) if "box" in record else None
        if box is not None:
            check_box(box, shape)
        plane = PlaneState(
            validate_clicks(clicks, shape),
            edited,
            start,
            previous,
            record.get("hint"),
            tuple(record.get("steps", ())),
            box,
        )
        self._planes[record["n"]] = plane, position
        mask = start if edited is None else edited
        if isinstance(mask, Mask):
            self._masks[record["n"]] = mask

    def _mask(self, record: Record, position: Position) -> Mask:
        mask = MaskPart.model_validate(record["mask"]).mask(self._session.plane_shape(position))
        return mask.symmetric_difference(self._masks[record["base"]]) if "base" in record else mask

    def _writing(self, record: Record) -> Any:
        if "is" in record:
            self._written[record["n"]] = self._to_written(record["is"])
        return self._written[record["n"]]


def _position(indices: Iterable[Any]) -> Position:
    return tuple(indices)
