"""Files that are either complete or not there."""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST_NAME = 255
"""Bytes in the name of a file; no usual file system takes more."""


def check_writable(path: str | os.PathLike[str]) -> Path:
    """The path of a file to be written, or an error before any work is done for it.

    Raises
    ------
    OSError
        If the folder does not exist, cannot be written to or has no space left, or the
        path is too long, or that of a folder or a device. It names the file.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {path}: it is a device or a pipe; files are allowed")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise PermissionError(f"cannot write {path}: permission denied")
    if len(os.fsencode(_partial(path).name)) > LONGEST_NAME:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
    space = shutil.disk_usage(path.parent)
    if space.total and not space.free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return path


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new file beside ``path``, which replaces it when the block ends without an error.

    After an error ``path`` is as before and the new file is gone; errors of the disk
    name ``path``. The new file keeps the suffix of ``path``, and gets the permissions
    that any new file gets. What a killed process left of such a file is removed.
    """
    path = check_writable(path)
    partial = _partial(path)
    _remove_stale(path)
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        # Libraries tell of a full disk without a name, or with that of the new file.
        if error.errno is None or error.filename not in (None, str(partial)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text; an old file is replaced only once the new one is complete."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def is_partial(path: Path) -> bool:
    """Whether a file is one that `atomic` has not finished, be its process alive or not."""
    return re.fullmatch(r"\..*\.[0-9]+\.partial", path.stem) is not None


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")


def _remove_stale(path: Path) -> None:
    """Remove new files for ``path`` whose processes are dead."""
    before, after = f".{path.stem}.", f".partial{path.suffix}"
    for left in path.parent.glob(f"{glob.escape(before)}*{glob.escape(after)}"):
        process = left.name[len(before) : -len(after)]
        if re.fullmatch("[0-9]+", process) and not _is_alive(int(process)):
            with suppress(OSError):
                left.unlink()


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # where the question below would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # somebody else's
    return True
