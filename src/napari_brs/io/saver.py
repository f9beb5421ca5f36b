"""Saving beside the work: a thread that takes changes, encodes them, and appends them."""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_brs.io.journal import Batch, Changed, Journal, Record, read_journal
from napari_brs.io.session_places import Place, claim_again, remember

DELAY = 0.3
"""Seconds that changes are gathered before they are written."""
RETRY = 2.0
"""Seconds after which a disk that was full is tried again."""
GROWTH = 2.0
"""A journal is written anew once it is longer than this many times what it began with,"""
AT_LEAST = 2**20
"""and this many bytes longer."""
REST = 0.0005
"""Seconds for the thread of the window between two records: Python runs one at a time."""


@dataclass(frozen=True)
class Snapshot:
    """All there is; what is written from here on needs nothing that was written before.

    Attributes
    ----------
    header : callable
        What the journal begins with.
    batches : callable
        Makes the batches, in the saver's thread.
    """

    header: Callable[[], Record]
    batches: Callable[[], Iterable[Batch]]


Change = Callable[[], Batch]
"""Makes the records of one change, in the saver's thread."""


class Saver:
    """Writes one session to its place until it is closed.

    `put`, `wants_snapshot` and `close` belong to one thread, in which nothing waits for the
    disk but `close`.

    Parameters
    ----------
    claim : callable
        Gives the place; may raise OSError. Called in the saver's thread.
    on_problem : callable
        Is told why nothing can be written, and ``""`` once it can; in the saver's thread.

    Attributes
    ----------
    place : Place or None
        Where it writes, once it does.
    """

    def __init__(self, claim: Callable[[], Place], on_problem: Callable[[str], None]) -> None:
        self.place: Place | None = None
        self._claim = claim
        self._on_problem = on_problem
        self._problem = ""
        self._journal: Journal | None = None
        self._queue: deque[list[Change] | Snapshot] = deque()
        self._ready: deque[_Ready] = deque()
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._grown = False
        self._thread = threading.Thread(target=self._run, name="napari-brs saver", daemon=True)
        self._thread.start()
        _OPEN.add(self)

    @property
    def wants_snapshot(self) -> bool:
        """Whether to put a snapshot before any further change."""
        return self._grown

    @property
    def closing(self) -> bool:
        """Whether it was told to close."""
        return self._closing.is_set()

    def put(self, changes: list[Change] | Snapshot) -> None:
        """Have changes that belong together written, all of them or none."""
        if isinstance(changes, Snapshot):
            self._grown = False
        self._queue.append(changes)
        self._changed.set()

    def close(self, timeout: float = 10.0) -> bool:
        """Write what is left, and give the place back; whether all was written in time."""
        self._closing.set()
        self._changed.set()
        self._thread.join(timeout)
        return not self._thread.is_alive() and not self._queue and not self._ready

    # in the thread

    def _run(self) -> None:
        while not self._closing.is_set():
            self._changed.wait(RETRY if self._ready else None)
            self._changed.clear()
            self._closing.wait(DELAY)
            self._save()
        self._save()
        if self.place is not None:
            self.place.lock.release()
        _OPEN.discard(self)

    def _save(self) -> None:
        try:
            self._encode()
            self._write()
        except OSError as error:
            self._tell(error.strerror or str(error))
        except Exception as error:  # what cannot be saved must not end saving
            self._grown = True
            self._tell(f"{type(error).__name__}: {error}")
        else:
            self._tell("")

    def _encode(self) -> None:
        changes: Batch = []
        while self._queue:
            entry = self._queue.popleft()
            if isinstance(entry, Snapshot):
                # What was to be appended to an earlier one is in this one.
                self._ready.clear()
                changes = []
                self._ready.append(_Ready(entry.header(), list(_rest(entry.batches()))))
                continue
            for change in entry:
                changes += change()
                time.sleep(REST)
        if changes:
            self._ready.append(_Ready(None, [changes]))

    def _write(self) -> None:
        while self._ready:
            ready = self._ready[0]
            if self._journal is None:
                self.place = self._claim()
                self._journal = Journal(self.place.path)
            journal = self._journal
            if ready.header is not None:
                journal.begin(ready.header, _rest(ready.batches))
            else:
                try:
                    journal.append(ready.batches[0])
                except (FileNotFoundError, Changed):
                    # Somebody removed the file, or wrote to it: all goes elsewhere.
                    self._leave()
                    raise
            self._ready.popleft()
        if self._journal is not None:
            grown = self._journal.size - self._journal.begun
            self._grown = grown > max(AT_LEAST, GROWTH * self._journal.begun)

    def _leave(self) -> None:
        if self.place is not None:
            self.place.lock.release()
        self.place = self._journal = None
        self._ready.clear()
        self._grown = True

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._on_problem(problem)


def keep(path: Path, snapshot: Snapshot) -> None:
    """Write a session under a name that the user gave; nothing is saved there by itself.

    Raises
    ------
    ValueError
        If a session is being saved there, or what is there is no session that can be read:
        it would be lost.
    OSError
        If it cannot be written.
    """
    if path.is_file() and path.stat().st_size:
        try:
            read_journal(path)
        except ValueError as error:
            raise ValueError(f"cannot write {path}, which would be lost: {error}") from None
    place = claim_again(path)
    if place is None:
        raise ValueError(f"cannot write {path}: it is in use; choose another name")
    header = snapshot.header()
    try:
        Journal(path).begin({**header, "kept": True}, _rest(snapshot.batches()))
    finally:
        place.lock.release()
    remember(path, header["image"]["digest"])


@dataclass(frozen=True)
class _Ready:
    """Encoded, and not yet on the disk: a snapshot with its header, or one batch."""

    header: dict[str, Any] | None
    batches: list[Batch]


def _rest(batches: Iterable[Batch]) -> Iterator[Batch]:
    for batch in batches:
        time.sleep(REST)
        yield batch


_OPEN: set[Saver] = set()
"""Those that may have something left to write."""


@atexit.register
def _close_all() -> None:
    for saver in list(_OPEN):
        saver.close()


def finish_closing(timeout: float) -> None:
    """Wait for savers that were told to close, and give their places back."""
    for saver in list(_OPEN):
        if saver.closing:
            saver.close(timeout)
