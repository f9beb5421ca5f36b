"""Saving beside the work."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_brs.io import saver as module
from napari_brs.io.journal import Batch, read_journal
from napari_brs.io.locks import holder
from napari_brs.io.saver import Saver, Snapshot
from napari_brs.io.session_places import Place, claim_again


class Kept:
    """A saver into a folder, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[str] = []
        self.saver = Saver(self.claim, self.problems.append)

    def claim(self) -> Place:
        number = len(list(self.folder.glob("s*")))
        place = claim_again(self.folder / f"s{number}")
        assert place is not None
        return place

    @property
    def place(self) -> Place:
        assert self.saver.place is not None
        return self.saver.place

    def batches(self) -> list[Batch]:
        return read_journal(self.place.path).batches

    def wait(self, text: str) -> None:
        end = time.monotonic() + 10
        while not any(text in problem for problem in self.problems):
            assert time.monotonic() < end, self.problems
            time.sleep(0.01)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(module, "RETRY", 0.1)
    kept = Kept(tmp_path)
    yield kept
    kept.saver.close()


def snapshot(*records: object) -> Snapshot:
    return Snapshot(lambda: {"by": "test"}, lambda: iter([[{"v": each}] for each in records]))


def wait_for(condition: object, seconds: float = 5.0) -> float:
    start = time.monotonic()
    while not condition():  # type: ignore[operator]
        assert time.monotonic() - start < seconds, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - start


def test_what_is_put_is_on_the_disk_within_two_seconds_and_in_one_batch(kept: Kept) -> None:
    kept.saver.put(snapshot("a"))
    kept.saver.put([lambda: [{"v": 1}], lambda: [{"v": 2}, {"v": 3}]])
    assert wait_for(lambda: kept.saver.place and kept.place.path.exists()) < 2
    wait_for(lambda: len(kept.batches()) == 2)
    assert kept.batches() == [[{"v": "a"}], [{"v": 1}, {"v": 2}, {"v": 3}]]
    assert holder(kept.place.path)
    assert kept.problems == []


def test_nothing_is_encoded_in_the_thread_that_puts(kept: Kept) -> None:
    threads: list[int] = []

    def encode() -> Batch:
        threads.append(threading.get_ident())
        return []

    kept.saver.put(snapshot())
    kept.saver.put([encode])
    assert kept.saver.close()
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_closing_writes_what_is_left_and_gives_the_place_back(kept: Kept) -> None:
    kept.saver.put(snapshot("a"))
    kept.saver.put([lambda: [{"v": 1}]])
    assert kept.saver.close()
    assert len(kept.batches()) == 2
    assert holder(kept.place.path) is None


def test_a_disk_that_is_full_is_told_once_and_nothing_is_lost(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.saver.put(snapshot("a"))
    wait_for(lambda: kept.saver.place and kept.place.path.exists())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        kept.saver.put([lambda: [{"v": 1}]])
        kept.wait("No space left")
        kept.saver.put([lambda: [{"v": 2}]])
        time.sleep(0.5)
    kept.saver.put([lambda: [{"v": 3}]])
    assert kept.saver.close()
    values = [record["v"] for batch in kept.batches() for record in batch]
    assert values == ["a", 1, 2, 3]
    assert kept.problems == ["No space left on device", ""]


def test_a_place_that_cannot_be_had_is_asked_for_again(kept: Kept) -> None:
    refused: list[int] = []
    claim = kept.claim

    def refuse_once() -> Place:
        if not refused:
            refused.append(1)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return claim()

    kept.saver._claim = refuse_once
    kept.saver.put(snapshot("a"))
    kept.wait("Permission denied")
    wait_for(lambda: kept.saver.place and kept.place.path.exists())
    assert kept.batches() == [[{"v": "a"}]]


@pytest.mark.parametrize("what", ["remove", "write"])
def test_what_somebody_else_changed_is_left_alone_and_the_work_goes_elsewhere(
    what: str, kept: Kept
) -> None:
    kept.saver.put(snapshot("a"))
    wait_for(lambda: kept.saver.place and kept.place.path.exists())
    path = kept.place.path
    if what == "remove":
        path.unlink()
    else:
        path.write_text("mine")
    kept.saver.put([lambda: [{"v": 1}]])
    wait_for(lambda: kept.saver.wants_snapshot)
    kept.saver.put(snapshot("all"))
    assert kept.saver.close()
    assert kept.batches() == [[{"v": "all"}]]
    assert what == "remove" or path.read_text() == "mine"


def test_a_journal_that_has_grown_wants_to_be_written_anew(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_LEAST", 2000)
    kept.saver.put(snapshot("a"))
    kept.saver.put([lambda: [{"v": "x" * 1000}]])
    wait_for(lambda: kept.saver.place and kept.place.path.exists() and len(kept.batches()) == 2)
    assert not kept.saver.wants_snapshot
    kept.saver.put([lambda: [{"v": "x" * 2000}]])
    wait_for(lambda: kept.saver.wants_snapshot)
    kept.saver.put(snapshot("b"))
    assert kept.saver.close()
    assert kept.batches() == [[{"v": "b"}]]


def test_what_cannot_be_encoded_does_not_end_saving(kept: Kept) -> None:
    kept.saver.put(snapshot("a"))
    kept.saver.put([lambda: [{"v": 1 / 0}]])
    kept.wait("ZeroDivisionError")
    assert kept.saver.wants_snapshot
    kept.saver.put(snapshot("b"))
    assert kept.saver.close()
    assert kept.batches() == [[{"v": "b"}]]


def test_a_clock_that_is_set_back_changes_nothing(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.saver.put(snapshot("a"))
    wait_for(lambda: kept.saver.place and kept.place.path.exists())
    monkeypatch.setattr(time, "time", lambda: 1.0)
    kept.saver.put([lambda: [{"v": 1}]])
    assert wait_for(lambda: len(kept.batches()) == 2) < 2
