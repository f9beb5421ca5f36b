"""Image files, read as `ImageSource` takes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = "TIFF, PNG, JPEG, WebP, NPY and Zarr"

# The largest picture that is read without the decoder suspecting a decompression bomb.
_LARGEST_PICTURE = 20_000 * 20_000
# Without names the last axis holds channels if it is no longer than this.
_MOST_CHANNELS = 8


@dataclass(frozen=True)
class Plane:
    """Rows and columns of an image file, and where they lie in it.

    Attributes
    ----------
    pixels : (H, W) or (H, W, C) array-like
        A numpy array, or a lazy array with shape, dtype, chunks and slicing.
    shape : tuple of int
        Of the whole file, without its channels.
    position : tuple of int or None
        One entry per axis of ``shape``: the plane's index, None for rows and columns.
    """

    pixels: Any
    shape: tuple[int, ...]
    position: tuple[int | None, ...]


def read_plane(path: str | os.PathLike[str], indices: Sequence[int] = ()) -> Plane:
    """One plane of an image file.

    Rows and columns are those stored in the file (a rotation noted in a JPEG is not
    applied), as napari shows them. Zarr, NPY and uncompressed TIFF are read lazily.

    Parameters
    ----------
    path : str or path
        ``.tif``, ``.tiff``, ``.png``, ``.jpg``, ``.jpeg``, ``.webp``, ``.npy``, or a
        Zarr folder: an array, a group with one array, or an OME-Zarr image, of which
        the finest level is taken.
    indices : sequence of int
        Which plane of a stack: one index per stack axis, in the file's order; axes of
        length 1 may be left out. TIFF and OME-Zarr name their axes. In other files the
        last two axes are rows and columns, or the last three rows, columns and
        channels if the last one has at most 8 entries.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not an image of these kinds, or the indices do not fit.
    """
    path = Path(path)
    array, axes = read_stack(path)
    return _choose(path, array, axes, indices)


def read_image(path: str | os.PathLike[str], indices: Sequence[int] = ()) -> Any:
    """The pixels of `read_plane`: (H, W) or (H, W, C), an array or a lazy one."""
    return read_plane(path, indices).pixels


def read_stack(path: str | os.PathLike[str]) -> tuple[Any, str]:
    """All of an image file, and a letter for each of its axes.

    Kinds of files and errors are those of `read_plane`.

    Returns
    -------
    array-like, str
        A numpy array, or a lazy one. Letters are those of TIFF: T, Z, Y, X, C or S for
        channels, and others, such as Q, for what the file does not say.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    reader = _read_zarr if path.is_dir() else _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} is not an image that can be read; {KINDS} are allowed")
    try:
        array, axes = reader(path)
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise ValueError(
            f"{path} is not an image that can be read ({error}); {KINDS} are allowed"
        ) from error
    return array, axes or _guess_axes(path, array.shape)


def planes_of(
    path: str | os.PathLike[str],
) -> tuple[str, tuple[int, ...], Iterator[tuple[int, ...]]]:
    """Which planes an image file has; its pixels are not read.

    Kinds of files and errors are those of `read_plane`.

    Returns
    -------
    str, tuple of int
        Letter and length of each axis of the stack that is longer than 1.
    iterator of tuple of int
        The indices of each plane, as `read_plane` takes them; of a single plane ``()``.
    """
    path = Path(path)
    if path.suffix.lower() in _TIFF:
        shape, axes = _tiff_shape(path)
    elif path.suffix.lower() in _PICTURES and path.is_file():
        return "", (), iter([()])
    else:
        array, axes = read_stack(path)
        shape = array.shape
    if not {"Y", "X"} <= set(axes):
        return "", (), iter([()])  # reading it says what is wrong
    long = [axis for axis in _order(axes)[1] if shape[axis] > 1]
    sizes = tuple(int(shape[axis]) for axis in long)
    return "".join(axes[axis] for axis in long), sizes, product(*map(range, sizes))


class LazyPlane:
    """A plane of an array on disk, as (row, column[, channel]); slicing reads that part alone."""

    def __init__(
        self, path: Path, array: Any, key: Sequence[int | None], order: Sequence[int]
    ) -> None:
        self._path, self._array, self._key, self._order = path, array, key, order
        self.dtype: np.dtype[Any] = array.dtype
        self.shape: tuple[int, ...] = tuple(array.shape[axis] for axis in order)
        self.chunks: tuple[int, ...] = tuple(array.chunks[axis] for axis in order)

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        full: list[Any] = list(self._key)
        for axis, part in zip(self._order, key, strict=True):
            full[axis] = part
        try:
            values = np.asarray(self._array[tuple(full)])
        except Exception as error:  # decoders raise whatever they like on damaged files
            raise ValueError(f"{self._path} is damaged ({error})") from error
        kept = [axis for axis in self._order if isinstance(full[axis], slice)]
        return values.transpose([sorted(kept).index(axis) for axis in kept])


def _choose(path: Path, array: Any, axes: str, indices: Sequence[int]) -> Plane:
    """Move rows, columns and channels to the front, in this order; index the rest."""
    if 0 in array.shape:
        raise ValueError(
            f"{path} has shape {tuple(array.shape)}; an image without pixels is not allowed"
        )
    if not {"Y", "X"} <= set(axes):
        raise ValueError(f"{path} has axes {axes}; Y and X are needed among them")
    order, stack = _order(axes)
    long = [axis for axis in stack if array.shape[axis] > 1]
    asked = stack if len(indices) == len(stack) else long
    chosen = dict.fromkeys(stack, 0) | dict(zip(asked, indices, strict=False))
    inside = all(0 <= index < array.shape[axis] for axis, index in chosen.items())
    if len(indices) != len(asked) or not inside:
        wanted = ", ".join(f"0 to {array.shape[axis] - 1} along {axes[axis]}" for axis in long)
        raise ValueError(
            f"{path} has shape {tuple(array.shape)} and axes {axes}; slice indices allowed: "
            f"{wanted or 'none'}; given: {', '.join(map(str, indices)) or 'none'}"
        )
    key = [chosen.get(axis) for axis in range(len(axes))]
    if isinstance(array, np.ndarray):
        part = array[tuple(slice(None) if index is None else index for index in key)]
        pixels: Any = part.transpose([sorted(order).index(axis) for axis in order])
    else:
        pixels = LazyPlane(path, array, key, order)
    spatial = [axis for axis in range(len(axes)) if axis not in order[2:]]
    return Plane(
        pixels, tuple(array.shape[axis] for axis in spatial), tuple(key[axis] for axis in spatial)
    )


def _order(axes: str) -> tuple[list[int], list[int]]:
    """Rows, columns and perhaps channels; and the axes of the stack."""
    order = [axes.index("Y"), axes.index("X")]
    order += [axes.index(name) for name in "SC" if name in axes][:1]
    return order, [axis for axis in range(len(axes)) if axis not in order]


def _guess_axes(path: Path, shape: tuple[int, ...]) -> str:
    if len(shape) < 2:
        raise ValueError(
            f"{path} holds an array of shape {tuple(shape)}; images have two axes or more"
        )
    if len(shape) > 2 and shape[-1] <= _MOST_CHANNELS:
        return "Q" * (len(shape) - 3) + "YXC"
    return "Q" * (len(shape) - 2) + "YX"


def _read_tiff(path: Path) -> tuple[Any, str | None]:
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        # Data in one uncompressed piece need not be loaded.
        if series.dataoffset is not None and series.keyframe.is_memmappable:
            return tifffile.memmap(path, series=0, mode="r"), series.axes
        return series.asarray(), series.axes


def _tiff_shape(path: Path) -> tuple[tuple[int, ...], str]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return file.series[0].shape, file.series[0].axes
    except OSError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise ValueError(f"{path} is not an image that can be read ({error})") from error


def _read_picture(path: Path) -> tuple[Any, str | None]:
    from PIL import Image

    usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, _LARGEST_PICTURE
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as file:
            return np.asarray(_plain_mode(file)), None
    finally:
        Image.MAX_IMAGE_PIXELS = usual


def _plain_mode(picture: Any) -> Any:
    """Grey, RGB or RGBA: palettes looked up, print colours converted, grey without alpha."""
    if picture.mode in ("1", "L", "I", "F", "RGB", "RGBA") or picture.mode.startswith("I;16"):
        return picture
    return picture.convert("L" if picture.mode in ("LA", "La") else "RGB")


def _read_npy(path: Path) -> tuple[Any, str | None]:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError("it holds several arrays")
    return array, None


def _read_zarr(path: Path) -> tuple[Any, str | None]:
    try:
        import zarr
    except ImportError:
        raise ValueError('Zarr needs: pip install "napari-brs[zarr]"') from None

    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return node, None
    attributes: Any = node.attrs.get("ome", node.attrs)  # OME-Zarr 0.5, and before
    if "multiscales" in attributes:
        image = attributes["multiscales"][0]
        names = [axis["name"] if isinstance(axis, dict) else axis for axis in image["axes"]]
        return node[image["datasets"][0]["path"]], "".join(name[0].upper() for name in names)
    arrays = dict(node.arrays())
    if len(arrays) != 1:
        found = ", ".join(sorted(arrays)) or "none"
        raise ValueError(f"it is a Zarr group; give the path of one of its arrays: {found}")
    return arrays.popitem()[1], None


_TIFF = (".tif", ".tiff")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_READERS: dict[str, Callable[[Path], tuple[Any, str | None]]] = {
    **dict.fromkeys(_TIFF, _read_tiff),
    **dict.fromkeys(_PICTURES, _read_picture),
    ".npy": _read_npy,
}
SUFFIXES = tuple(_READERS)
"""Of files that can be read; Zarr is a folder."""
