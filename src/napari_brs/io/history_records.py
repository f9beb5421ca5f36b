"""The history of a session as records of a journal; `napari_brs.io.history_replay` reads them.

A record holds what is new: of a state, the objects that the state before it did not have; of
a click, the click. Masks are kept as the pixels that differ from the mask before, be that one
predicted or made by hand. What was written is opaque here, too, and encoded by its owner.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from napari_brs.io.journal import Record
from napari_brs.io.session_models import MaskPart
from napari_brs.masks import Mask
from napari_brs.session import Change, ObjectState, PlaneState, Position, State

Made = Mapping[str, Mask]
"""Name of a model -> the mask that it predicted."""

AT_ONCE = 20
"""Objects that are encoded, and records of a snapshot that are given, at a time."""
REST = 0.0005
"""Seconds between them, in which another thread may run."""


class Recorder:
    """Turns the changes of one history into records, in the order in which they happen.

    Parameters
    ----------
    of_written : callable
        What JSON can hold of something written; see `ObjectState.written`.
    """

    def __init__(self, of_written: Callable[[Any], Record]) -> None:
        self._of_written = of_written
        self._begin()

    def _begin(self) -> None:
        self._planes: WeakKeyDictionary[PlaneState, int] = WeakKeyDictionary()
        self._masks: WeakKeyDictionary[PlaneState, Mask] = WeakKeyDictionary()
        self._written: dict[int, tuple[int, Any]] = {}
        self._count = 0

    def snapshot(
        self,
        past: Sequence[State],
        state: State,
        future: Sequence[State],
        made: Mapping[PlaneState, Made],
    ) -> Iterator[list[Record]]:
        """All of a history and what was predicted, independent of any record before.

        Parameters
        ----------
        past, state, future
            As of `History`.
        made : mapping
            Predictions of its planes; those of others are left out.
        """
        self._begin()
        states = [*past, state, *reversed(future)]
        nothing = State(MappingProxyType({}), -1)
        for number, (before, after) in enumerate(zip([nothing, *states], states, strict=False)):
            change: Change = "push" if number else "start"
            records = self._pushed(change, before, after)
            for first in range(0, len(records), AT_ONCE):
                yield records[first : first + AT_ONCE]
        yield [{"is": "undo"} for _ in future]
        for plane, by_model in made.items():
            for model, mask in by_model.items():
                yield self.made(plane, model, mask)

    def changed(self, change: Change, before: State, after: State) -> list[Record]:
        """One change of the history.

        Parameters
        ----------
        change : Change
            Not ``"start"``: that takes a snapshot.
        before, after : State
            What was shown before it, and what is now. If older states were rewritten by the
            change, ``before`` is as it was rewritten.
        """
        if change in ("push", "join"):
            return self._pushed(change, before, after)
        return [{"is": change}]

    def made(self, plane: PlaneState, model: str, mask: Mask) -> list[Record]:
        """What a model predicted for the clicks of a plane; nothing if the plane is not known."""
        if plane not in self._planes:
            return []
        record = {"is": "mask", "plane": self._planes[plane], "model": model}
        record |= self._mask(mask, plane if plane in self._masks else plane.previous)
        self._masks[plane] = mask
        return [record]

    def _pushed(self, change: Change, before: State, after: State) -> list[Record]:
        records: list[Record] = []
        put: list[Record] = []
        for key, found in after.objects.items():
            if before.objects.get(key) is not found:
                put.append(self._object(found, before.objects.get(key), records))
                if len(put) % AT_ONCE == 0:
                    time.sleep(REST)
        record: Record = {"is": change, "current": after.current}
        if put:
            record["put"] = put
        if gone := [key for key in before.objects if key not in after.objects]:
            record["gone"] = gone
        if after.classes is not before.classes:
            record["classes"] = dict(after.classes)
        if after.written is not before.written:
            record["written"] = [
                [*key, self._writing(written)]
                for key, written in after.written.items()
                if key not in before.written
            ]
            record["unwritten"] = [list(key) for key in before.written if key not in after.written]
        return [*records, record]

    def _object(
        self, found: ObjectState, before: ObjectState | None, records: list[Record]
    ) -> Record:
        planes = []
        for position, plane in found.planes.items():
            old = None if before is None else before.planes.get(position)
            planes.append([position, self._plane(plane, position, old, records)])
        more = {
            "label": None if found.label is None else int(found.label),
            "written": None if found.written is None else self._writing(found.written),
            "name": found.name or None,
            "class": found.class_name,
            "confidence": None if found.confidence is None else float(found.confidence),
        }
        given = {name: value for name, value in more.items() if value is not None}
        return {"key": found.key, "planes": planes, **given}

    def _plane(
        self, plane: PlaneState, position: Position, old: PlaneState | None, records: list[Record]
    ) -> int:
        """The number of a plane; those that are new get one, and a record."""
        chain = [plane, *plane.before()]
        new = [one for one in chain if one not in self._planes]
        for one in reversed(new):
            self._planes[one] = self._count
            self._count += 1
            records.append(self._new_plane(one, position, old))
        return self._planes[plane]

    def _new_plane(self, plane: PlaneState, position: Position, old: PlaneState | None) -> Record:
        record: Record = {"is": "plane", "n": self._planes[plane], "at": position}
        clicks = plane.clicks
        if plane.previous is not None:
            # States of a chain have the clicks of the one before, and further ones.
            record["after"] = self._planes[plane.previous]
            clicks = clicks[len(plane.previous.clicks) :]
        record["clicks"] = [
            [float(click.row), float(click.column), bool(click.positive)] for click in clicks
        ]
        base = old if old is not None and old in self._masks else None
        # Along a chain all start from the same mask.
        if isinstance(plane.start_mask, Mask) and plane.previous is None:
            record["start"] = self._mask(plane.start_mask, base)
        if isinstance(plane.edited, Mask):
            same = plane.edited is plane.start_mask
            record["edited"] = None if same else self._mask(plane.edited, base)
            self._masks[plane] = plane.edited
        elif isinstance(plane.start_mask, Mask):
            self._masks[plane] = plane.start_mask
        if plane.size_hint is not None:
            record["hint"] = float(plane.size_hint)
        if plane.steps:
            record["steps"] = plane.steps
        if plane.box is not None:
            box = plane.box
            record["box"] = [int(edge) for edge in (box.top, box.left, box.bottom, box.right)]
        return record

    def _mask(self, mask: Mask, base: PlaneState | None) -> Record:
        """A mask, as what differs from that of another plane if there is one."""
        known = None if base is None else self._masks.get(base)
        if known is None or base is None:
            return {"mask": MaskPart.of(mask).model_dump()}
        return {
            "base": self._planes[base],
            "mask": MaskPart.of(mask.symmetric_difference(known)).model_dump(),
        }

    def _writing(self, written: Any) -> Record:
        """Something written, or its number if it is known: it must come back as one thing."""
        known = self._written.get(id(written))
        if known is not None:
            return {"n": known[0]}
        number = len(self._written)
        self._written[id(written)] = (number, written)
        return {"n": number, "is": self._of_written(written)}
