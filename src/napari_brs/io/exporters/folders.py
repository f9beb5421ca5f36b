"""Folders that are either complete or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_brs.io.atomic import check_writable


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A place for a folder beside ``path``, which it becomes when the block ends well.

    Raises
    ------
    OSError
        If ``path`` is there already, or cannot be written.
    """
    if path.exists():
        raise FileExistsError(f"cannot write {path}: it is there already")
    check_writable(path)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        os.rename(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
