"""Where the session of an image lies, and how an image is known again.

Beside the image if that folder can be written to, else in the user's data folder. A folder
there remembers all of them, so that images that were moved are known again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from pydantic import ValidationError

from napari_brs.io.atomic import LONGEST_NAME, is_partial, write_text
from napari_brs.io.journal import read_header
from napari_brs.io.locks import Holder, Lock, holder
from napari_brs.io.session_models import ImagePart

SUFFIX = ".napari-brs"
READ_WHOLE = 2**21
"""Bytes of an image up to which all of it is hashed."""
SAMPLES = 4
"""Blocks along rows and columns, and planes along other axes, that are hashed of a larger one."""
BLOCK = 32
"""Rows and columns of a block."""

_DIGITS = 12
"""Of the digest, in the names of files."""
_ROOM = 48
"""Bytes of a name that are left for digest, number, suffix, and what a lock adds."""


@dataclass(frozen=True)
class Found:
    """An earlier session of an image.

    Attributes
    ----------
    path : Path
    modified : float
        When it was last written, in seconds since 1970.
    holder : str or None
        Who is writing to it now.
    problem : str
        Why it cannot be read, if its header tells already.
    """

    path: Path
    modified: float
    holder: Holder | None
    problem: str = ""


@dataclass(frozen=True)
class Place:
    """A file that a session may be written to, until the lock is given back."""

    path: Path
    lock: Lock


def data_folder() -> Path:
    """The user's data folder of this package; it need not be there."""
    return Path(platformdirs.user_data_dir("napari-brs", appauthor=False))


def identify(pixels: Any, ndim: int, name: str, path: str | None = None) -> ImagePart:
    """What an image is known by: path, size, type, and a hash of sampled content.

    Parameters
    ----------
    pixels : array-like
        Numpy, zarr, dask …; of a large one, only some blocks are read.
    ndim : int
        Number of axes that are not colours.
    name : str
    path : str, optional
        Of its file or folder. One that is not there, a URL say, counts as none.
    """
    shape = tuple(int(size) for size in pixels.shape)
    there = None if path is None or not os.path.exists(path) else os.path.realpath(path)
    return ImagePart(
        name=name if there is None else Path(there).name,
        shape=shape[:ndim],
        path=there,
        dtype=np.dtype(pixels.dtype).name,
        digest=sampled_digest(pixels, ndim),
    )


def sampled_digest(pixels: Any, ndim: int) -> str:
    """SHA-256 of shape, type and a bounded number of pixels of an image.

    Up to 2 MiB, these are all. Of a larger one they are blocks of 32 x 32 pixels on a grid of
    4 x 4, in up to four planes along each further axis.
    """
    shape, dtype = tuple(int(size) for size in pixels.shape), np.dtype(pixels.dtype)
    found = hashlib.sha256(f"{shape} {dtype.name}".encode())
    if int(np.prod(shape, dtype=np.int64)) * dtype.itemsize <= READ_WHOLE:
        found.update(np.ascontiguousarray(pixels[...]).tobytes())
        return found.hexdigest()
    for key in product(*_samples(shape[:ndim])):
        found.update(np.ascontiguousarray(pixels[key]).tobytes())
    return found.hexdigest()


def _samples(shape: tuple[int, ...]) -> Iterator[list[slice]]:
    for axis, size in enumerate(shape):
        high = min(size, BLOCK if axis >= len(shape) - 2 else 1)
        starts = np.unique(np.linspace(0, size - high, SAMPLES).astype(int))
        yield [slice(int(start), int(start) + high) for start in starts]


def find(image: ImagePart) -> list[Found]:
    """The earlier sessions of an image, the newest first.

    An image that was renamed or moved is known by its content, if nothing is left where it was:
    two copies are two images.
    """
    assert image.digest is not None
    places: set[Path] = set()
    ending = f"*.{image.digest[:_DIGITS]}*{SUFFIX}"
    for folder in _folders(image):
        with suppress(OSError):
            places.update(one for one in folder.glob(ending) if not is_partial(one))
    with suppress(OSError):
        for note in (data_folder() / "recent").glob(f"{image.digest[:_DIGITS]}-*"):
            places.add(Path(note.read_text(encoding="utf-8")))
    found = [one for path in places if (one := _look(path, image)) is not None]
    return sorted(found, key=lambda one: one.modified, reverse=True)


def recent(most: int) -> list[Path]:
    """The sessions that were begun or resumed last, the newest first; those that are there."""
    found = []
    with suppress(OSError):
        for note in (data_folder() / "recent").iterdir():
            with suppress(OSError, ValueError):
                path = Path(note.read_text(encoding="utf-8"))
                if path.is_file():
                    found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)[:most]]


def claim(image: ImagePart) -> Place:
    """A new file for the session of an image, with its lock.

    Never one that is there already, or that another process has taken.

    Raises
    ------
    OSError
        If neither the image's folder nor the user's data folder can be written to.
    """
    assert image.digest is not None
    name = image.name or "image"
    while len(os.fsencode(name)) > LONGEST_NAME - _ROOM:
        name = name[:-1]
    # Names of layers may hold what names of files must not.
    name = "".join("_" if letter in '<>:"/\\|?*' or letter < " " else letter for letter in name)
    problem: OSError | None = None
    for folder in _folders(image):
        try:
            if folder == data_folder() / "sessions":
                folder.mkdir(parents=True, exist_ok=True)
            place = _claim_in(folder, f"{name}.{image.digest[:_DIGITS]}")
        except OSError as error:
            problem = error
        else:
            remember(place.path, image.digest)
            return place
    assert problem is not None
    raise problem


def claim_again(path: Path) -> Place | None:
    """The place of a session that is there; None if another process has it; OSError if neither."""
    lock = Lock.take(path)
    return None if lock is None else Place(path, lock)


def remember(path: Path, digest: str) -> None:
    """Note where a session lies, for when its image has been moved; failing that, do nothing."""
    folder = data_folder() / "recent"
    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:_DIGITS]
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{digest[:_DIGITS]}-{key}", str(path))


def _folders(image: ImagePart) -> list[Path]:
    beside = [] if image.path is None else [Path(image.path).parent]
    return [*beside, data_folder() / "sessions"]


def _claim_in(folder: Path, stem: str) -> Place:
    for number in count(1):
        path = folder / (f"{stem}{SUFFIX}" if number == 1 else f"{stem}.{number}{SUFFIX}")
        if path.exists():
            continue
        lock = Lock.take(path)
        if lock is None:
            continue
        if not path.exists():
            return Place(path, lock)
        lock.release()
    raise AssertionError("numbers do not end")


def _look(path: Path, image: ImagePart) -> Found | None:
    """A file that is named as a session of an image; None if it is of another."""
    try:
        header, modified = read_header(path), path.stat().st_mtime
        there = ImagePart.model_validate(header.get("image"))
        if header.get("kept") is True:
            return None
    except OSError:
        return None
    except ValidationError:
        return Found(path, modified, None, f"{path} does not say what image it is of")
    except ValueError as error:
        return Found(path, path.stat().st_mtime, None, str(error))
    return Found(path, modified, holder(path)) if _is_of(there, image) else None


def _is_of(there: ImagePart, image: ImagePart) -> bool:
    """Whether what a session says of its image means this one."""
    if (there.digest, there.shape, there.dtype) != (image.digest, image.shape, image.dtype):
        return False
    if there.path is None or image.path is None:
        return there.path is image.path and there.name == image.name
    return there.path == image.path or not os.path.exists(there.path)
