"""An append-only file of batches: each is there whole, or not at all.

A line is a checksum, a space, and JSON: first a header, then numbered batches of records. A
crash leaves at most one unfinished line at the end, which is dropped. Anything else that does
not fit its checksum or its number was changed by somebody, and is an error.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from napari_brs.io.atomic import atomic
from napari_brs.io.json_files import parse_json

FORMAT = "napari-brs journal"
VERSION = 1
LARGEST = 2**30
"""Bytes of a journal that are read."""

Record: TypeAlias = dict[str, Any]
Batch: TypeAlias = list[Record]

_CHECK = 16


class Content(NamedTuple):
    """What a journal holds.

    Attributes
    ----------
    header : dict
        ``format``, ``version``, ``snapshot`` (how many batches the journal began with), and
        what its owner put there.
    batches : list of list of dict
    size : int
        Bytes up to the end of the last whole line.
    torn : bool
        Whether a line that was never finished follows.
    """

    header: dict[str, Any]
    batches: list[Batch]
    size: int
    torn: bool


class Changed(OSError):
    """Somebody else has written to the file."""


class Journal:
    """A journal that is written; nothing else may write to it.

    Each call returns once its bytes are on the disk.

    Parameters
    ----------
    path : path

    Attributes
    ----------
    path : Path
    size : int
        Bytes on the disk.
    begun : int
        Bytes that it began with: what is beyond them was appended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = self.begun = 0
        self._count = 0

    def begin(self, header: dict[str, Any], batches: Iterable[Batch]) -> None:
        """Replace all that there is, at once, by a header and batches; OSError if that fails."""
        lines = [_line(number, {"do": batch}) for number, batch in enumerate(batches, 1)]
        known = {"format": FORMAT, "version": VERSION, "snapshot": len(lines)}
        text = b"".join([_line(0, {**known, **header}), *lines])
        with atomic(self.path) as partial, partial.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self.size = self.begun = len(text)
        self._count = len(lines)

    def append(self, batch: Batch) -> None:
        """Add a batch. After an error the file is as before.

        Raises
        ------
        FileNotFoundError
            If it was removed.
        Changed
            If its size is not what it was left at.
        OSError
            If it cannot be written.
        """
        line = _line(self._count + 1, {"do": batch})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        try:
            if os.fstat(descriptor).st_size != self.size:
                raise Changed(f"{self.path} was changed by another program")
            try:
                left = line
                while left:
                    left = left[os.write(descriptor, left) :]
                os.fsync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, self.size)
                raise
        finally:
            os.close(descriptor)
        self.size += len(line)
        self._count += 1


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The header of a journal; errors as of `read_journal`."""
    with open(path, "rb") as file:
        return _header(path, file.readline(2**20))


def read_journal(path: str | os.PathLike[str]) -> Content:
    """All whole batches of a journal.

    Raises
    ------
    ValueError
        If the file is no journal, of a later version, ends before its snapshot does, or was
        changed since it was written. The message names it in one line.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST // 2**20} MiB, which are allowed")
    lines = content.split(b"\n")
    # What follows the last line break is nothing, or was never finished.
    left = lines.pop()
    header = _header(path, lines[0] + b"\n" if lines else left)
    batches = []
    for number, line in enumerate(lines[1:], 1):
        found = _read_line(line)
        if found is None or found.get("n") != number or not _is_batch(found.get("do")):
            raise ValueError(f"{path} was changed since it was written: line {number + 1}")
        batches.append(found["do"])
    if len(batches) < header["snapshot"]:
        raise ValueError(
            f"{path} is cut off: {len(batches)} of {header['snapshot']} batches are there"
        )
    return Content(header, batches, len(content) - len(left), bool(left))


def _header(path: str | os.PathLike[str], line: bytes) -> dict[str, Any]:
    found = _read_line(line.removesuffix(b"\n")) if line.endswith(b"\n") else None
    if found is None or found.get("format") != FORMAT:
        known = FORMAT.encode() in line[:200]
        raise ValueError(
            f"{path} was changed since it was written: line 1"
            if known
            else f"{path} is no {FORMAT}"
        )
    version = found.get("version")
    if version != VERSION:
        raise ValueError(f"{path} has journal version {version!r}; {VERSION} is allowed")
    if type(found.get("snapshot")) is not int:
        raise ValueError(f"{path} does not say where its snapshot ends")
    return found


def _is_batch(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(record, dict) for record in found)


def _line(number: int, content: dict[str, Any]) -> bytes:
    content = {"n": number, **content}
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
    return _checksum(text) + b" " + text + b"\n"


def _read_line(line: bytes) -> dict[str, Any] | None:
    """What a line says; None if its checksum does not fit."""
    check, text = line[:_CHECK], line[_CHECK + 1 :]
    if line[_CHECK : _CHECK + 1] != b" " or check != _checksum(text):
        return None
    try:
        found = parse_json(text.decode("utf-8"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _checksum(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_CHECK // 2).hexdigest().encode()
