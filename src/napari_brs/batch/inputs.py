"""Which images a batch consists of: files, folders, globs, stacks, Zarr groups and plates."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_brs.io.images import SUFFIXES, planes_of

ZARR_FILES = ("zarr.json", ".zarray", ".zgroup")
"""One of them lies in every Zarr folder."""


@dataclass(frozen=True)
class BatchImage:
    """One plane of an image file.

    Attributes
    ----------
    name : str
        Unique within the batch; its result goes by it.
    path : Path
        As `io.images.read_plane` takes it; absolute.
    indices : tuple of int
        Which plane of a stack, likewise.
    """

    name: str
    path: Path
    indices: tuple[int, ...] = ()


def find_images(inputs: Iterable[str]) -> list[BatchImage]:
    """The images that some inputs mean, in their order; the pixels are not read.

    Files that turn out not to be images are among them: reading them says what is wrong.

    Parameters
    ----------
    inputs : iterable of str
        Each an image file, a folder of them, a pattern such as ``day1/*.tif``, a Zarr array,
        an OME-Zarr image or plate, or a Zarr group with several of them. Each plane of a
        stack is an image of its own.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no file fits the pattern.
    ValueError
        If a folder holds no image, or two images have one name.
    """
    found: dict[str, BatchImage] = {}
    seen: set[tuple[Path, tuple[int, ...]]] = set()
    for path, name in (file for text in inputs for file in _files(text)):
        for image in _planes(path.absolute(), name):
            place = (image.path.resolve(), image.indices)
            if place in seen:  # two patterns may mean one file
                continue
            seen.add(place)
            # Some file systems take A.tif for a.tif.
            other = found.setdefault(image.name.casefold(), image)
            if other is not image:
                raise ValueError(
                    f"{other.path} and {image.path} are both named {image.name}; give them in "
                    "two batches with different outputs"
                )
    return list(found.values())


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((path / name).is_file() for name in ZARR_FILES)


def _files(text: str) -> Iterator[tuple[Path, str]]:
    """The image files, arrays and OME-Zarr images of an input, each with its name."""
    path = Path(text)
    if path.exists():
        paths = [path]
    else:
        paths = [Path(match) for match in _sorted(glob.glob(text, recursive=True))]
        if not paths:
            raise FileNotFoundError(f"no such file, and none fits the pattern: {text}")
    for one in paths:
        if not one.is_dir():
            yield one, one.stem
        elif is_zarr(one):
            yield from _in_zarr(one)
        elif one is path or len(paths) == 1:
            yield from _in_folder(one)


def _in_folder(folder: Path) -> Iterator[tuple[Path, str]]:
    count = 0
    for name in _sorted(entry.name for entry in folder.iterdir()):
        path = folder / name
        if name.startswith("."):
            continue
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            count += 1
            yield path, path.stem
        elif path.is_dir() and is_zarr(path):
            count += 1
            yield from _in_zarr(path)
    if not count:
        raise ValueError(f"the folder {folder} holds no image; {', '.join(SUFFIXES)} are allowed")


def _in_zarr(path: Path) -> Iterator[tuple[Path, str]]:
    """The images of a Zarr folder: one, the fields of a plate, or all that lie in a group."""
    try:
        import zarr

        node = zarr.open(path, mode="r")
        inner = [] if isinstance(node, zarr.Array) else list(_images_in(node))
    except Exception:  # what cannot be read is told when it is
        inner = []
    name = re.sub(r"(\.ome)?\.zarr$", "", path.absolute().name)
    for steps in inner or [()]:
        yield path.joinpath(*steps), "-".join((name, *steps))


def _images_in(group: Any, steps: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The way to each image in a group: to arrays, and to groups of one image's levels."""
    attributes = group.attrs.get("ome", group.attrs)  # OME-Zarr 0.5, and before
    if "multiscales" in attributes:
        yield steps
        return
    for part, entries in (("plate", "wells"), ("well", "images")):
        if part in attributes:
            for entry in attributes[part][entries]:
                way = tuple(entry["path"].split("/"))
                if entry["path"] in group:
                    yield from _images_in(group[entry["path"]], (*steps, *way))
                else:  # reading it says that it is not there
                    yield (*steps, *way)
            return
    arrays = _sorted(name for name, _ in group.arrays())
    for name in arrays:
        yield (*steps, name)
    for name in _sorted(name for name, _ in group.groups()):
        yield from _images_in(group[name], (*steps, name))


def _planes(path: Path, name: str) -> Iterator[BatchImage]:
    try:
        axes, sizes, planes = planes_of(path)
    except (ValueError, OSError):  # told when it is read
        yield BatchImage(name, path)
        return
    digits = [len(str(size - 1)) for size in sizes]
    for indices in planes:
        parts = zip(axes.lower(), indices, digits, strict=True)
        numbers = (f"{axis}{index:0{width}}" for axis, index, width in parts)
        yield BatchImage("-".join((name, *numbers)), path, indices)


def _sorted(names: Iterable[str]) -> list[str]:
    """Names in the order in which people count: 9 before 10."""
    return sorted(
        names,
        key=lambda name: [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", name)],
    )
