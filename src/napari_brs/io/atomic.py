"""Files that are either complete or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_writable(path: str | os.PathLike[str]) -> Path:
    """The path of a file to be written, or an error before any work is done for it.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to, or the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise PermissionError(f"cannot write {path}: permission denied")
    return path


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new file beside ``path``, which replaces it when the block ends without an error.

    After an error ``path`` is as before and the new file is gone. The new file keeps
    the suffix of ``path``, and gets the permissions that any new file gets.
    """
    path = check_writable(path)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text; an old file is replaced only once the new one is complete."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
