"""An append-only file of batches, each of which is there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from napari_brs.io import journal as module
from napari_brs.io.journal import Changed, Journal, read_header, read_journal

FIRST, SECOND, THIRD = [{"a": 1}], [{"b": "Zürich"}, {"c": None}], [{"d": [1.5, True]}]


def written(tmp_path: Path, name: str = "s.napari-brs") -> Journal:
    journal = Journal(tmp_path / name)
    journal.begin({"image": {"name": "ä"}}, [FIRST])
    journal.append(SECOND)
    journal.append(THIRD)
    return journal


@pytest.mark.parametrize("name", ["s.napari-brs", "mit Leerzeichen und Ümläuten ß.napari-brs"])
def test_what_was_written_is_read_back(tmp_path: Path, name: str) -> None:
    journal = written(tmp_path, name)
    found = read_journal(journal.path)
    assert found.batches == [FIRST, SECOND, THIRD]
    assert found.header["image"] == {"name": "ä"}
    assert read_header(journal.path) == found.header
    assert found.size == journal.size == journal.path.stat().st_size
    assert not found.torn
    assert list(tmp_path.iterdir()) == [journal.path]


def test_a_last_line_that_is_cut_off_at_any_byte_is_dropped(tmp_path: Path) -> None:
    journal = written(tmp_path)
    whole = journal.path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        journal.path.write_bytes(whole[:end])
        found = read_journal(journal.path)
        assert found.batches == [FIRST, SECOND]
        assert found.torn == (end > start)
        assert found.size == start


def test_a_change_of_any_byte_before_the_last_line_is_noticed(tmp_path: Path) -> None:
    journal = written(tmp_path)
    whole = journal.path.read_bytes()
    for place in range(len(whole)):
        for other in (whole[place] ^ 1, ord("\n")):
            if whole[place] == other:
                continue
            changed = whole[:place] + bytes([other]) + whole[place + 1 :]
            journal.path.write_bytes(changed)
            if place == len(whole) - 1:
                # Without its end, a line was never finished.
                assert read_journal(journal.path).batches == [FIRST, SECOND]
                continue
            with pytest.raises(ValueError, match=r"changed since|is no napari-brs") as raised:
                read_journal(journal.path)
            assert str(journal.path) in str(raised.value)
            assert "\n" not in str(raised.value)
            assert journal.path.read_bytes() == changed


def test_lines_that_were_taken_out_or_swapped_are_noticed(tmp_path: Path) -> None:
    journal = written(tmp_path)
    header, first, second, third = journal.path.read_bytes().splitlines(keepends=True)
    for lines in ([header, second, third], [header, first, third], [header, second, first]):
        journal.path.write_bytes(b"".join(lines))
        with pytest.raises(ValueError, match="changed since it was written: line"):
            read_journal(journal.path)


def test_a_file_that_ends_before_its_snapshot_does_is_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "s")
    journal.begin({}, [FIRST, SECOND])
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[:2]))
    with pytest.raises(ValueError, match="is cut off: 1 of 2 batches are there"):
        read_journal(journal.path)


@pytest.mark.parametrize("content", [b"", b"notes\n", b'{"format": "other"}\n', b"\xff\x00" * 99])
def test_other_files_are_named_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no napari-brs journal") as raised:
        read_journal(path)
    assert "\n" not in str(raised.value)


def test_a_newer_one_is_named_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VERSION", 2)
    path = written(tmp_path).path
    monkeypatch.undo()
    with pytest.raises(ValueError, match="has journal version 2; 1 is allowed"):
        read_journal(path)


def test_beginning_again_replaces_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = written(tmp_path)
    before = journal.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(OSError, match="No space left"):
            journal.begin({}, [SECOND])
    assert journal.path.read_bytes() == before
    journal.append(FIRST)
    assert len(read_journal(journal.path).batches) == 4
    journal.begin({}, [SECOND])
    journal.append(FIRST)
    assert read_journal(journal.path).batches == [SECOND, FIRST]


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_leaves_whole_lines_and_takes_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = written(tmp_path)
    before = journal.path.read_bytes()
    write = os.write

    def write_some(descriptor: int, content: bytes) -> int:
        if len(content) < 20:
            no_space()
        return write(descriptor, content[:15])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_some)
        with pytest.raises(OSError, match="No space left"):
            journal.append(FIRST)
    assert journal.path.read_bytes() == before
    journal.append(FIRST)
    assert read_journal(journal.path).batches == [FIRST, SECOND, THIRD, FIRST]


def test_nothing_is_appended_to_what_somebody_else_wrote(tmp_path: Path) -> None:
    journal = written(tmp_path)
    with journal.path.open("ab") as file:
        file.write(b"more")
    before = journal.path.read_bytes()
    with pytest.raises(Changed, match="by another program"):
        journal.append(FIRST)
    assert journal.path.read_bytes() == before
    journal.path.unlink()
    with pytest.raises(FileNotFoundError):
        journal.append(FIRST)
    assert not journal.path.exists()
