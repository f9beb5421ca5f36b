"""Sequences of frames with the masks of tracked objects: a folder or plain tar of them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_brs.io.packs import image_pixels, mask_pixels


class Sequence:
    """One sequence; frames are read when they are asked for.

    Parameters
    ----------
    name : str
    files : mapping
        ``frames/…`` and ``masks/…`` -> path, or bytes of the file.

    Attributes
    ----------
    name : str
    """

    def __init__(self, name: str, files: Mapping[str, Path | bytes]) -> None:
        self.name = name
        self._files = files
        self._frames = sorted(file for file in files if file.startswith("frames/"))
        masks = {Path(file).stem: file for file in files if file.startswith("masks/")}
        missing = [file for file in self._frames if Path(file).stem not in masks]
        if missing:
            raise ValueError(f"{name}: {missing[0]} has no mask")
        self._masks = [masks[Path(file).stem] for file in self._frames]

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, frame: int) -> NDArray[np.uint8]:
        """A frame, (H, W) or (H, W, 3) uint8."""
        with self._open(self._frames[frame]) as picture:
            return image_pixels(picture)

    def labels(self, frame: int) -> NDArray[np.int32]:
        """Ids of the objects of a frame, (H, W) int32; 0 background, -1 to be ignored."""
        with self._open(self._masks[frame]) as picture:
            values = mask_pixels(picture)
        ignored = values == np.iinfo(values.dtype).max
        labels = values.astype(np.int32)
        labels[ignored] = -1
        return labels

    def _open(self, file: str) -> Image.Image:
        content = self._files[file]
        return Image.open(io.BytesIO(content) if isinstance(content, bytes) else content)


def read_sequences(path: str | PathLike[str]) -> Iterator[Sequence]:
    """The sequences of a folder or a plain tar, ``<name>/frames/*`` and ``<name>/masks/*``.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    ValueError
        If there is none, or a frame has no mask.
    FileNotFoundError
        If there is no such file or folder.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    files = _of_folder(path) if path.is_dir() else _of_tar(path)
    names = sorted({name for name, file in files if file.startswith("frames/")})
    if not names:
        raise ValueError(f"{path} holds no sequences; <name>/frames and <name>/masks are allowed")
    for name in names:
        yield Sequence(name, {file: content for (of, file), content in files.items() if of == name})


def _of_folder(path: Path) -> dict[tuple[str, str], Path | bytes]:
    return {
        (file.parts[-3], f"{file.parts[-2]}/{file.name}"): file
        for file in sorted(path.glob("*/*/*"))
        if file.is_file()
    }


def _of_tar(path: Path) -> dict[tuple[str, str], Path | bytes]:
    found: dict[tuple[str, str], Path | bytes] = {}
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            parts = Path(member.name).parts
            content = tar.extractfile(member) if len(parts) >= 3 else None
            if content is not None:
                found[parts[-3], f"{parts[-2]}/{parts[-1]}"] = content.read()
    return found
