"""Which process writes to a file: a lock beside it, which goes with the process that has it."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

Holder: TypeAlias = str
"""Who has a lock, such as ``process 4711 on lab-3``."""

_BEYOND = 2**30
"""Byte that Windows locks: what is locked cannot be read, and the first ones are to be read."""


class Lock:
    """The right to write to a file; made by `Lock.take`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    @staticmethod
    def take(path: Path) -> Lock | None:
        """The lock of a file, or None if another process, or this one, has it already.

        The operating system takes a lock back from a process that died, however it died:
        what that left of it is no obstacle.

        Raises
        ------
        OSError
            If the folder cannot be written to, or cannot lock.
        """
        beside = _beside(path)
        while True:
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if not _try_lock(descriptor):
                    os.close(descriptor)
                    return None
                # Whoever had it may have removed the file before we got the lock of it.
                if beside.exists() and os.path.samestat(os.fstat(descriptor), beside.stat()):
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, _own_name().encode())
                    return Lock(path, descriptor)
            except BaseException:
                with suppress(OSError):
                    os.close(descriptor)
                raise
            os.close(descriptor)

    def release(self) -> None:
        """Give it back; more than once does no harm."""
        if self._descriptor is not None:
            # On Windows an open file cannot be removed, so there it is left, without a lock.
            with suppress(OSError):
                _beside(self._path).unlink()
            os.close(self._descriptor)
            self._descriptor = None


def holder(path: Path) -> Holder | None:
    """Who may write to a file now; None if nobody has its lock."""
    if not _beside(path).exists():
        return None
    try:
        lock = Lock.take(path)
        if lock is not None:
            lock.release()
            return None
        return (
            _beside(path).read_text(encoding="utf-8", errors="replace")[:200] or "another process"
        )
    except OSError:
        return None


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _own_name() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _try_lock(descriptor: int) -> bool:
    """Lock an open file if nobody else has; the lock ends with the descriptor."""
    if os.name == "nt":
        import msvcrt

        os.lseek(descriptor, _BEYOND, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
