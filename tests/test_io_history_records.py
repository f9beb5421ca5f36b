"""The history of a session as records of a journal, and back."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from napari_brs.clicks import Click
from napari_brs.io.history_records import Recorder
from napari_brs.io.history_replay import Replay
from napari_brs.io.journal import Record
from napari_brs.masks import Box, Mask
from napari_brs.session import UNDO_LIMIT, Change, PlaneState, Session, State

SHAPE = (9, 40, 50)
PLANES = [(0, None, None), (1, None, None), (None, 7, None)]


class Journalled:
    """A session of which every change is recorded, as JSON."""

    def __init__(self) -> None:
        self.session = Session(SHAPE)
        self.recorder = Recorder(lambda written: {"value": written})
        self.made: dict[PlaneState, dict[str, Mask]] = {}
        self.records: list[Record] = []
        self._before = self.session.state
        self.begin()
        self.session.history.watchers.append(self._on_change)

    def begin(self) -> None:
        history = self.session.history
        batches = self.recorder.snapshot(history.past, history.state, history.future, self.made)
        self.records = [record for batch in batches for record in batch]

    def _on_change(self, change: Change, state: State) -> None:
        before = self.session.history.past[-1] if change == "push" else self._before
        self._before = state
        self.records += self.recorder.changed(change, before, state)

    def predict(self, plane: PlaneState, mask: Mask) -> None:
        self.made.setdefault(plane, {})["brs-live"] = mask
        self.records += self.recorder.made(plane, "brs-live", mask)

    def replay(self) -> Replay:
        replay = Replay(SHAPE, lambda record: record["value"])
        for record in json.loads(json.dumps(self.records)):
            assert replay.take(record)
        return replay


def described(states: list[State], made: Any) -> list[Any]:
    """States without identities, but with which parts are the same ones."""
    numbers: dict[int, int] = {}

    def number(one: Any) -> int:
        return numbers.setdefault(id(one), len(numbers))

    def plane(found: PlaneState) -> Any:
        chain = [found, *found.before()]
        return [
            (
                number(one),
                one.clicks,
                one.edited,
                one.start_mask,
                one.edited is one.start_mask,
                one.size_hint,
                one.steps,
                one.box,
                dict(made.get(one, {})),
            )
            for one in chain
        ]

    return [
        (
            state.current,
            dict(state.classes),
            {key: number(value) for key, value in state.written.items()},
            [
                (
                    key,
                    number(found),
                    found.label,
                    found.name,
                    found.class_name,
                    found.confidence,
                    None if found.written is None else (found.written, number(found.written)),
                    {where: plane(one) for where, one in found.planes.items()},
                )
                for key, found in state.objects.items()
            ],
        )
        for state in states
    ]


def same(journalled: Journalled) -> None:
    live, again = journalled.session.history, journalled.replay()
    assert len(again.history.past) == len(live.past)
    assert described(
        [*again.history.past, again.history.state, *again.history.future], again.made
    ) == described([*live.past, live.state, *live.future], journalled.made)


def some_mask(random: np.random.Generator, shape: tuple[int, int]) -> Mask:
    top, left = (int(random.integers(0, size - 3)) for size in shape)
    return Mask.of(random.random((3, 3)) > 0.3, Box(top, left, top + 3, left + 3), shape)


def act(journalled: Journalled, random: np.random.Generator, written: list[Any]) -> None:
    session = journalled.session
    position = PLANES[random.integers(len(PLANES))]
    shape = session.plane_shape(position)
    keys = list(session.state.objects)
    key = keys[random.integers(len(keys))]
    mask = some_mask(random, shape)
    writing: list[int] = [len(written)]
    written.append(writing)
    free = session.highest_label + 1
    what = random.choice(
        ["click"] * 8
        + ["box"] * 2
        + ["commit"] * 3
        + ["undo", "undo", "redo", "move", "paint", "open", "take", "new", "clear", "remove"]
        + ["note", "name", "class", "merge", "step", "refused", "predict", "predict"]
    )
    if what == "click":
        click = Click(*(float(random.integers(size)) for size in shape))
        plane = session.add_click(position, click, 20.5)
        if random.random() < 0.7:
            journalled.predict(plane, mask)
    elif what == "box":
        box = Box(3, 4, 9, 20) if random.random() < 0.7 else None
        journalled.predict(session.set_box(position, box), mask)
    elif what == "predict":
        for plane in session.current.planes.values():
            journalled.predict(plane, some_mask(random, (plane_shape(session, plane))))
    elif what == "commit":
        session.commit(session.current.label or free, writing)
    elif what == "undo":
        session.undo()
    elif what == "redo":
        session.redo()
    elif what == "move":
        session.set_clicks(position, session.current.plane(position).clicks[1:])
    elif what == "paint":
        session.set_mask(position, mask)
    elif what == "open":
        session.open(key, {position: mask} if random.random() < 0.5 else None)
    elif what == "take":
        session.open_mask(free, position, mask)
    elif what == "new":
        session.new_object()
    elif what == "clear":
        session.clear()
    elif what == "remove":
        session.remove(key)
    elif what == "note":
        session.note_written(position, writing, same_step=bool(random.random() < 0.5))
    elif what == "name":
        session.rename(key, f"Zelle {key} ü")
    elif what == "class":
        session.set_classes({"cell": "#00ff7f"})
        session.set_class(key, "cell")
    elif what == "merge" and len(keys) > 1:
        session.merge(keys[:2], {position: mask}, writing)
    elif what == "step":
        with session.one_step():
            session.note_written(position, writing)
            session.rename(key, "one step")
    elif what == "refused":
        with suppress(ValueError), session.one_step():
            session.rename(key, "refused")
            session.commit(-1)


def plane_shape(session: Session, plane: PlaneState) -> tuple[int, int]:
    where = next(at for at, one in session.current.planes.items() if one is plane)
    return session.plane_shape(where)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_done_comes_back_with_its_history_beyond_the_limit_of_undo(seed: int) -> None:
    random, journalled, written = np.random.default_rng(seed), Journalled(), []
    for step in range(2 * UNDO_LIMIT):
        act(journalled, random, written)
        if step % 97 == 5:
            same(journalled)
    assert len(journalled.session.history.past) > UNDO_LIMIT // 2
    same(journalled)


def test_a_snapshot_in_the_middle_needs_nothing_that_was_before() -> None:
    random, journalled, written = np.random.default_rng(9), Journalled(), []
    for step in range(UNDO_LIMIT + 60):
        act(journalled, random, written)
        if step % 50 == 49:
            for _ in range(3):
                journalled.session.undo()
            journalled.begin()
            same(journalled)
    same(journalled)


def test_a_further_click_costs_a_click_and_not_the_session() -> None:
    journalled = Journalled()
    session, flat = journalled.session, PLANES[0]
    for label in range(1, 101):
        session.add_click(flat, Click(label % 40, label % 50))
        session.commit(label)
    before = len(json.dumps(journalled.records))
    session.add_click(flat, Click(3, 3))
    assert len(json.dumps(journalled.records)) - before < 300


def test_an_edit_is_kept_as_the_pixels_that_differ_from_the_mask_before() -> None:
    journalled = Journalled()
    session, flat = journalled.session, PLANES[0]
    random = np.random.default_rng(0)
    noise = Mask.of(random.random((40, 50)) > 0.5)
    journalled.predict(session.add_click(flat, Click(1, 1)), noise)
    before = len(json.dumps(journalled.records))
    session.set_mask(flat, noise.paste(Box(3, 4, 5, 6), ~noise.read(Box(3, 4, 5, 6))))
    record = next(one for one in reversed(journalled.records) if one["is"] == "plane")
    assert record["edited"]["mask"]["box"] == (3, 4, 5, 6)
    assert len(json.dumps(journalled.records)) - before < 400
    same(journalled)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"is": "push", "current": 99}, "object 99 is not there"),
        (
            {"is": "push", "current": 0, "put": [{"key": 0, "planes": [[[0, None, None], 99]]}]},
            "KeyError 99",
        ),
        ({"is": "plane", "n": 0, "at": [9, None, None], "clicks": []}, "lies outside 0 to 8"),
        (
            {"is": "plane", "n": 0, "at": [0, None, None], "clicks": [[99, 0, True]]},
            "outside the image",
        ),
        ({"is": "plane", "n": 0, "at": [0, None, None], "clicks": [["x", 0, True]]}, "TypeError"),
        ({"is": "plane", "n": 0, "at": [0, None, None]}, "KeyError 'clicks'"),
        ({"is": "mask", "plane": 7}, "KeyError 7"),
        ({"is": "drop"}, "IndexError"),
        ({}, "KeyError 'is'"),
    ],
)
def test_records_that_say_what_cannot_be_are_refused(record: Record, message: str) -> None:
    replay = Journalled().replay()
    with pytest.raises(ValueError, match=message):
        replay.take(record)


def test_records_of_other_kinds_are_left_to_others() -> None:
    assert not Journalled().replay().take({"is": "settings"})
