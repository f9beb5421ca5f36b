"""Undo and redo: immutable states, of which one is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from napari_brs.session.states import ObjectState, Position, State

UNDO_LIMIT = 200
"""States that undo can go back; older ones are forgotten."""

Change: TypeAlias = Literal["push", "join", "drop", "undo", "redo", "start"]
"""How a history changed: a step; more of the same step; a step refused in the middle; undo;
redo; everything replaced."""


class History:
    """The states that undo and redo reach.

    Parameters
    ----------
    state : State
        The first one.

    Attributes
    ----------
    past, future : list of State
        Oldest first; the state that was undone last comes last. To be read only.
    state : State
        The one that is shown.
    watchers : list of callable
        Each is called with how the history changed and the state after it.
    """

    def __init__(self, state: State) -> None:
        self.past: list[State] = []
        self.state = state
        self.future: list[State] = []
        self.watchers: list[Callable[[Change, State], None]] = []
        self._joined: int | None = None

    def start(self, state: State, past: Iterable[State] = (), future: Iterable[State] = ()) -> None:
        """Replace everything."""
        self.past, self.state, self.future = list(past)[-UNDO_LIMIT:], state, list(future)
        self._tell("start")

    def push(self, state: State) -> None:
        """Make another state the one that is shown; what could be redone is forgotten."""
        change: Change = "join" if self._joined else "push"
        if not self._joined:
            self.past.append(self.state)
        if self._joined is not None:
            self._joined += 1
        self.future.clear()
        self.state = state
        if len(self.past) > UNDO_LIMIT:
            del self.past[0]
            self._forget_settled()
        self._tell(change)

    def extend(self, state: State) -> None:
        """Make another state the one that is shown, as part of the last step."""
        self.future.clear()
        self.state = state
        self._tell("join")

    def undo(self) -> bool:
        """Go back one state; False if there is none."""
        if not self.past:
            return False
        self.future.append(self.state)
        self.state = self.past.pop()
        self._tell("undo")
        return True

    def redo(self) -> bool:
        """Go forward again; False if nothing was undone."""
        if not self.future:
            return False
        self.past.append(self.state)
        self.state = self.future.pop()
        self._tell("redo")
        return True

    @contextmanager
    def one_step(self) -> Iterator[None]:
        """Let all states pushed within be one step of undo, or none if one is refused."""
        self._joined = 0
        try:
            yield
        except Exception:
            if self._joined:
                self.state = self.past.pop()
                self._tell("drop")
            raise
        finally:
            self._joined = None

    def _tell(self, change: Change) -> None:
        for watcher in self.watchers:
            watcher(change, self.state)

    def _forget_settled(self) -> None:
        """Drop the states of committed objects that no undo can reach any more.

        Their pixels are in the labels layer and their clicks stay; with the states go
        their predictions: hundreds of finished objects must not fill the memory. What
        was written without an object goes with them.
        """
        if self.past[0].written:
            settled_writings = self.past[0].written
            self.past = [_without(state, settled_writings) for state in self.past]
            self.state = _without(self.state, settled_writings)
        for key, settled in self.past[0].objects.items():
            if settled.written is None or key == self.state.current:
                continue
            if self.state.objects.get(key) is not settled:
                continue
            planes = {where: plane.alone() for where, plane in settled.planes.items()}
            bare = replace(settled, planes=MappingProxyType(planes), written=None)
            self.past = [_replaced(state, settled, bare) for state in self.past]
            self.state = _replaced(self.state, settled, bare)


def _replaced(state: State, old: ObjectState, new: ObjectState) -> State:
    if state.objects.get(old.key) is not old:
        return state
    return replace(state, objects=MappingProxyType({**state.objects, old.key: new}))


def _without(state: State, writings: Mapping[tuple[Position, int], Any]) -> State:
    left = {key: value for key, value in state.written.items() if key not in writings}
    return replace(state, written=MappingProxyType(left))
