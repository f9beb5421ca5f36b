"""Dataset packs: images and instance masks in a folder or an uncompressed tar."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
MASK_SUFFIXES = frozenset({".png"})


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its objects.

    Attributes
    ----------
    name : str
        File name without suffix.
    image : (H, W) or (H, W, 3) uint8
    labels : (H, W) int32
        0 background, 1..n objects; 0 where pixels are ignored.
    ignore : (H, W) bool
        Pixels that count neither for nor against a segmentation.
    """

    name: str
    image: NDArray[np.uint8]
    labels: NDArray[np.int32]
    ignore: NDArray[np.bool_]


class DatasetPack:
    """A folder or a plain tar with ``images/<name>.*`` and ``masks/<name>.png``.

    A mask holds 0 for the background, 1..n for objects, and the highest value
    of its type (255 or 65535) for pixels to ignore. A tar is read in place,
    member by member; nothing stays open, so a pack can be shared by threads
    and sent to other processes.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    ValueError
        If the path is neither a folder nor an uncompressed tar, if it holds no
        images, or if an image and its mask are not both there exactly once.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        files = _list_folder(self.path) if self.path.is_dir() else _list_tar(self.path)
        self._spans = files
        self._images = self._by_name(files, "images", IMAGE_SUFFIXES)
        self._masks = self._by_name(files, "masks", MASK_SUFFIXES)
        if not self._images:
            raise ValueError(
                f"{self.path} is not a dataset pack: expected images/<name>.<suffix> with a "
                f"suffix out of {', '.join(sorted(IMAGE_SUFFIXES))}, and masks/<name>.png"
            )
        for have, others, what in (
            (self._images, self._masks, "masks/{}.png"),
            (self._masks, self._images, "images/{}.*"),
        ):
            missing = sorted(have.keys() - others.keys())
            if missing:
                first = what.format(missing[0])
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                raise ValueError(f"{self.path} is incomplete: {first}{more} not found")

    @property
    def name(self) -> str:
        """Name of the folder, or of the tar without its suffix."""
        return self.path.resolve().name if self.path.is_dir() else self.path.stem

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, sorted."""
        return tuple(sorted(self._images))

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read: the pack itself, and the files in a folder."""
        inside = sorted(self._spans) if self.path.is_dir() else []
        return (self.path, *(self.path / name for name in inside))

    def read(self, name: str) -> Sample:
        """Read one image and its mask.

        Raises
        ------
        ValueError
            If the pack has no such image, a file cannot be decoded, the mask
            has colours, or the two differ in size. The message names the file.
        """
        if name not in self._images:
            raise ValueError(f"{self.path} has no image named {name!r}")
        image = self._decode(self._images[name], image_pixels)
        mask = self._decode(self._masks[name], mask_pixels)
        if image.shape[:2] != mask.shape:
            raise ValueError(
                f"{self._where(self._masks[name])} has {mask.shape} pixels (rows, columns), "
                f"but its image has {image.shape[:2]}"
            )
        # A one-bit mask has no value to spare for ignored pixels.
        ignore = np.zeros(mask.shape, bool)
        if mask.dtype != np.bool_:
            ignore = mask == np.iinfo(mask.dtype).max
        labels = np.where(ignore, 0, mask).astype(np.int32)
        return Sample(name, image, labels, ignore)

    def _by_name(
        self, files: dict[str, tuple[int, int]], folder: str, suffixes: frozenset[str]
    ) -> dict[str, str]:
        found: dict[str, str] = {}
        for file in map(PurePosixPath, files):
            if str(file.parent) != folder or file.name.startswith("."):
                continue
            if file.suffix.lower() not in suffixes:
                continue
            if file.stem in found:
                raise ValueError(
                    f"{self.path} holds {found[file.stem]} and {file}; only one is allowed"
                )
            found[file.stem] = str(file)
        return found

    def _where(self, file: str) -> str:
        return str(self.path / file)

    def _decode(self, file: str, pixels: Callable[[Image.Image], NDArray[Any]]) -> NDArray[Any]:
        return decode_picture(self._where(file), self._bytes(file), pixels)

    def _bytes(self, file: str) -> bytes:
        if self.path.is_dir():
            return (self.path / file).read_bytes()
        offset, size = self._spans[file]
        with self.path.open("rb") as archive:
            archive.seek(offset)
            return archive.read(size)


def _list_folder(path: Path) -> dict[str, tuple[int, int]]:
    return {
        file.relative_to(path).as_posix(): (0, 0)
        for folder in ("images", "masks")
        for file in sorted((path / folder).glob("*"))
        if file.is_file()
    }


def _list_tar(path: Path) -> dict[str, tuple[int, int]]:
    """Byte offset and size of every regular file in the tar."""
    if not path.exists():
        raise ValueError(f"{path} does not exist")
    try:
        with tarfile.open(path, mode="r:") as archive:
            return {
                str(PurePosixPath(member.name)): (member.offset_data, member.size)
                for member in archive
                if member.isreg()
            }
    except tarfile.TarError as error:
        raise ValueError(f"{path} is neither a folder nor an uncompressed tar: {error}") from error


def decode_picture(
    where: str, data: bytes, pixels: Callable[[Image.Image], NDArray[Any]]
) -> NDArray[Any]:
    """The pixels of a picture file; `where` names it in errors.

    Raises
    ------
    ValueError
        If it is damaged, of an unknown format, or of a type that `pixels` refuses.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return pixels(picture)
    # Pillow reports a damaged file as OSError, SyntaxError or ValueError, by format, and one
    # that holds more pixels than memory may in a way of its own.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{where} cannot be read: {error}") from error


def image_pixels(picture: Image.Image) -> NDArray[np.uint8]:
    """Grey (H, W) or RGB (H, W, 3)."""
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"pixel type {picture.mode!r}; 8-bit grey or RGB is allowed")
    grey = picture.mode in ("1", "L", "LA")
    return np.array(picture.convert("L" if grey else "RGB"))


def mask_pixels(picture: Image.Image) -> NDArray[Any]:
    """Object numbers (H, W), bool, uint8 or uint16."""
    if picture.mode.startswith("I"):  # 16-bit PNG
        return np.array(picture).astype(np.uint16)
    if picture.mode not in ("1", "L", "P"):  # a palette image holds the ids as indices
        raise ValueError(f"pixel type {picture.mode!r}; a mask is 8-bit or 16-bit grey")
    return np.array(picture)
