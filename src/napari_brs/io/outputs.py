"""What a command may write: nothing that it reads, and nothing twice."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from napari_brs.io.atomic import LONGEST_NAME, check_writable

AnyPath = str | os.PathLike[str]


def check_outputs(
    outputs: Iterable[AnyPath | None],
    inputs: Iterable[AnyPath | None] = (),
    folder: AnyPath | None = None,
) -> None:
    """Refuse, before anything is computed, outputs that would destroy something.

    Files are compared by what their paths mean: symbolic and hard links are followed.

    Parameters
    ----------
    outputs : iterable of path or None
        Files to be written; None, here and below, is one that was not asked for.
    inputs : iterable of path or None
        Files that are read, and folders, in which nothing is to be written.
    folder : path, optional
        A folder of some of the outputs, which is made if it is not there.

    Raises
    ------
    ValueError
        If an output is an input, lies in a folder that is one, or is given twice.
    OSError
        If an output cannot be written; see `check_writable`.
    """
    files = [Path(path) for path in outputs if path is not None]
    if folder is not None and not Path(folder).exists():
        _check_new_folder(Path(folder))
    for file in files:
        if folder is None or file.parent != Path(folder) or file.parent.exists():
            check_writable(file)
    found: dict[object, Path] = {}
    for file in files:
        other = found.setdefault(_identity(file), file)
        if other is not file:
            raise ValueError(f"two outputs cannot both be written to {file}")
    for path in inputs:
        if path == "":  # as a variable of a shell without a value is
            raise ValueError("the name of an input is empty")
    for source in (Path(path) for path in inputs if path is not None):
        if _identity(source) in found:
            file = found[_identity(source)]
            raise ValueError(f"cannot write {file}: it is an input of the same command")
        if source.is_dir():
            place = _resolved(source)
            for file in files:
                if place in _resolved(file).parents:
                    raise ValueError(f"cannot write {file}: it lies in {source}, an input")


def _check_new_folder(folder: Path) -> None:
    """Raise OSError if a folder cannot be made."""
    there = next(parent for parent in folder.absolute().parents if parent.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"cannot write to {folder}: {there} is no folder")
    if not os.access(there, os.W_OK):
        raise PermissionError(f"cannot write to {folder}: permission denied")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in folder.parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(folder))


def _identity(path: Path) -> object:
    """Equal for paths of one file: its number on its disk, or where it would be made."""
    try:
        found = path.stat()
    except OSError:
        return _resolved(path)
    return found.st_dev, found.st_ino


def _resolved(path: Path) -> Path:
    return Path(os.path.normcase(os.path.realpath(path)))
