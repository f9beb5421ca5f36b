"""Published data sets, read from the folders they are published in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_brs.io.packs import DatasetPack, Sample, decode_picture, image_pixels, mask_pixels

Labels = tuple[NDArray[np.int32], NDArray[np.bool_]]
"""Object numbers and ignored pixels."""

DAVIS_STEP = 10
"""Of each DAVIS sequence, every tenth frame is taken (Section 4.1: 10 %)."""


class Dataset(Protocol):
    """What can be evaluated; a `DatasetPack` is one."""

    path: Path

    @property
    def name(self) -> str:
        """What results call it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, sorted."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read: the folder or tar, and the files in a folder."""

    def read(self, name: str, /) -> Sample:
        """One image and its objects."""


def open_dataset(path: str | PathLike[str], layout: str | None = None) -> Dataset:
    """A dataset pack, or a published data set in its own layout.

    ============= ==========================================================
    ``grabcut``   ``data_GT/<name>.*``, ``boundary_GT/<name>.*``
    ``berkeley``  ``images/<name>.*``, ``masks/<name>.*`` (0 and 255); looks
                  like a pack, so it has to be named
    ``frames``    ``img/<name>.*``, ``gt/<name>.*``: DAVIS as its 345 frames
    ``davis``     ``JPEGImages/480p/<sequence>/<frame>.jpg``,
                  ``Annotations/480p/<sequence>/<frame>.png``
    ``sbd``       ``img/<name>.jpg``, ``inst/<name>.mat``, ``val.txt``
    ``voc``       ``JPEGImages/<name>.jpg``, ``SegmentationObject/<name>.png``,
                  ``ImageSets/Segmentation/val.txt``
    ``ctc``       Cell Tracking Challenge: ``01/t000.tif``,
                  ``01_GT/SEG/man_seg000.tif``
    ============= ==========================================================

    Parameters
    ----------
    path : path-like
        The folder that holds these, or a pack.
    layout : str, optional
        Default: the one whose folders are there.

    Raises
    ------
    ValueError
        If the layout is unknown, or folders or files of it are missing.
    """
    path = Path(path)
    if layout is None:
        layout = _recognise(path)
    if layout == "pack":
        return DatasetPack(path)
    if layout not in LAYOUTS:
        raise ValueError(f"layout {layout!r}; allowed are pack, {', '.join(LAYOUTS)}")
    return PublishedDataset(path, layout)


class PublishedDataset:
    """A data set in the layout it was published in; see `open_dataset`."""

    def __init__(self, path: Path, layout: str) -> None:
        self.path = path
        self._layout = LAYOUTS[layout]
        for folder in (self._layout.images, self._layout.masks):
            if not any(path.glob(folder)):
                raise ValueError(f"{path} is incomplete as {layout}: {folder} not found")
        self._files = self._layout.pairs(path)
        if not self._files:
            raise ValueError(
                f"{path} is incomplete as {layout}: no images in {self._layout.images} "
                f"that belong to masks in {self._layout.masks}"
            )
        missing = [file for pair in self._files.values() for file in pair if not file.is_file()]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise ValueError(f"{path} is incomplete as {layout}: {missing[0]}{more} not found")

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.resolve().name

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, sorted."""
        return tuple(sorted(self._files))

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read: the folder, and the files in it."""
        return (self.path, *(file for pair in self._files.values() for file in pair))

    def read(self, name: str) -> Sample:
        """Read one image and its objects.

        Raises
        ------
        ValueError
            If there is no such image, a file cannot be decoded, or the two
            differ in size.
        """
        if name not in self._files:
            raise ValueError(f"{self.path} has no image named {name!r}")
        image_file, mask_file = self._files[name]
        labels, ignore = self._layout.read_labels(mask_file)
        image = self._layout.read_image(image_file, mask_file)
        if image.shape[:2] != labels.shape:
            raise ValueError(
                f"{mask_file} has {labels.shape} pixels (rows, columns), "
                f"but its image has {image.shape[:2]}"
            )
        return Sample(name, image, labels, ignore)


Pairs = dict[str, tuple[Path, Path]]


def _read_picture(image: Path, _mask: Path) -> NDArray[np.uint8]:
    return decode_picture(str(image), image.read_bytes(), image_pixels)


@dataclass(frozen=True)
class Layout:
    """Where a data set keeps images and masks (globs below its folder), and how to read them."""

    images: str
    masks: str
    pairs: Callable[[Path], Pairs]
    read_labels: Callable[[Path], Labels]
    read_image: Callable[[Path, Path], NDArray[np.uint8]] = _read_picture

    def folders_there(self, path: Path) -> int:
        """How many of the two are there."""
        return sum(any(path.glob(folder)) for folder in (self.images, self.masks))


def _recognise(path: Path) -> str:
    """The layout whose folders are there; if both of none are, one that is half there."""
    if any((path / folder).is_dir() for folder in ("images", "masks")):
        return "pack"
    there = {
        name: layout.folders_there(path) for name, layout in LAYOUTS.items() if name != "berkeley"
    }
    best = max(there, key=lambda name: there[name])
    return best if there[best] else "pack"


def _same_names(images: str, masks: str) -> Callable[[Path], Pairs]:
    """Pairs of files with the same name but for the suffix."""

    def pairs(path: Path) -> Pairs:
        pictures, labels = (
            {file.stem: file for file in _visible(path / folder)} for folder in (images, masks)
        )
        return {
            name: (
                pictures.get(name, path / images / f"{name}.*"),
                labels.get(name, path / masks / f"{name}.*"),
            )
            for name in sorted(pictures.keys() | labels.keys())
        }

    return pairs


def _listed(images: str, masks: str, names: str) -> Callable[[Path], Pairs]:
    """Pairs of files, given by patterns of the name, for the names in a list."""

    def pairs(path: Path) -> Pairs:
        if not (path / names).is_file():
            raise ValueError(f"{path} is incomplete: {path / names} not found")
        return {
            name: (path / images.format(name), path / masks.format(name))
            for name in (path / names).read_text(encoding="utf-8").split()
        }

    return pairs


def _davis_pairs(path: Path) -> Pairs:
    images, masks = path / "JPEGImages/480p", path / "Annotations/480p"
    return {
        f"{sequence.name}-{mask.stem}": (images / sequence.name / f"{mask.stem}.jpg", mask)
        for sequence in _visible(masks)
        for mask in _visible(sequence)[::DAVIS_STEP]
    }


def _ctc_pairs(path: Path) -> Pairs:
    found = {}
    for mask in sorted(path.glob("[0-9][0-9]_GT/SEG/man_seg*.tif")):
        sequence = mask.parents[1].name.removesuffix("_GT")
        frame, _ = _ctc_place(mask)
        name = f"{sequence}-{mask.stem.removeprefix('man_seg').lstrip('_')}"
        found[name] = (path / sequence / f"t{frame}.tif", mask)
    return found


def _ctc_place(mask: Path) -> tuple[str, tuple[int, ...]]:
    """Frame, and for volumes the plane: ``man_seg012.tif`` or ``man_seg_012_003.tif``."""
    match = re.fullmatch(r"man_seg_?(\d+)(?:_(\d+))?", mask.stem)
    if match is None:
        raise ValueError(f"{mask} is not named man_seg<frame>.tif or man_seg_<frame>_<plane>.tif")
    return match[1], () if match[2] is None else (int(match[2]),)


def _one_object(mask: Path) -> Labels:
    """Grey above 128 is the object, 128 is to be ignored."""
    grey = decode_picture(str(mask), mask.read_bytes(), lambda p: np.array(p.convert("L")))
    return (grey > 128).astype(np.int32), grey == 128


def _any_colour(mask: Path) -> Labels:
    """Whatever is not black is the object."""
    rgb = decode_picture(str(mask), mask.read_bytes(), lambda p: np.array(p.convert("RGB")))
    labels: NDArray[np.int32] = (rgb.max(axis=2) > 0).astype(np.int32)
    return labels, np.zeros(labels.shape, bool)


def _numbered(mask: Path) -> Labels:
    """Object numbers, as palette or grey; 255 is to be ignored."""
    numbers = decode_picture(str(mask), mask.read_bytes(), mask_pixels)
    ignore = numbers == 255
    return np.where(ignore, 0, numbers).astype(np.int32), ignore


def _matlab(mask: Path) -> Labels:
    """Object numbers in the field Segmentation of GTinst."""
    from scipy.io import loadmat

    try:
        values = loadmat(mask)["GTinst"]["Segmentation"][0, 0]
    # loadmat reports a damaged file in many ways, TypeError and zlib.error among them.
    except Exception as error:
        raise ValueError(f"{mask} cannot be read: {error}") from error
    return values.astype(np.int32), np.zeros(values.shape, bool)


def _tiff_labels(mask: Path) -> Labels:
    from napari_brs.io.images import read_plane

    values = np.asarray(read_plane(mask).pixels)
    return values.astype(np.int32), np.zeros(values.shape, bool)


def _tiff_plane(image: Path, mask: Path) -> NDArray[np.uint8]:
    """Microscopy in grey, stretched to 8 bit as `ImageSource` does it."""
    from napari_brs.image import ImageSource
    from napari_brs.io.images import read_plane

    _, indices = _ctc_place(mask)
    source = ImageSource(read_plane(image, indices).pixels)
    grey: NDArray[np.uint8] = np.rint(source.read(0, 0, *source.shape)[..., 0]).astype(np.uint8)
    return grey


def _visible(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if not file.name.startswith("."))


LAYOUTS = {
    "grabcut": Layout("data_GT", "boundary_GT", _same_names("data_GT", "boundary_GT"), _one_object),
    "berkeley": Layout("images", "masks", _same_names("images", "masks"), _one_object),
    "frames": Layout("img", "gt", _same_names("img", "gt"), _any_colour),
    "davis": Layout("JPEGImages/480p", "Annotations/480p", _davis_pairs, _any_colour),
    "sbd": Layout("img", "inst", _listed("img/{}.jpg", "inst/{}.mat", "val.txt"), _matlab),
    "voc": Layout(
        "JPEGImages",
        "SegmentationObject",
        _listed("JPEGImages/{}.jpg", "SegmentationObject/{}.png", "ImageSets/Segmentation/val.txt"),
        _numbered,
    ),
    "ctc": Layout("[0-9][0-9]", "[0-9][0-9]_GT/SEG", _ctc_pairs, _tiff_labels, _tiff_plane),
}
"""By name; where several fit equally, the first."""
