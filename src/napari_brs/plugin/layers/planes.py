"""Which plane of an image is on display, and the way between it and the viewer's world.

A plane is named by a `Position`; its rows run along the first of the two displayed
axes of the image and its columns along the second, however the viewer transposes
them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from mmap import mmap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.masks import Mask
from napari_brs.plugin.text import MESSAGES

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Layer

    from napari_brs.session import Position


READ_WHOLE = 2**21
"""Bytes of a plane that are compared whole to see whether they changed."""
SAMPLED = 512
"""Rows and columns of a larger one that are compared."""


def shown_mask(shown: Any, shape: tuple[int, int]) -> Mask:
    """The mask of what a session shows in an (H, W) plane: a prediction, a mask or nothing."""
    if shown is None:
        return Mask.empty(shape)
    found: Mask = shown if isinstance(shown, Mask) else shown.packed
    return found


def image_pixels(mask: Mask, position: Position) -> tuple[NDArray[np.intp], ...]:
    """Indices of a plane's mask in the whole image, one (N,) array per axis."""
    rows, columns = mask.nonzero()
    inside = iter((rows, columns))
    return tuple(next(inside) if index is None else np.full_like(rows, index) for index in position)


def spatial_shape(layer: Layer) -> tuple[int, ...]:
    """Shape of a layer's pixels without colour channels, at full resolution."""
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return tuple(int(size) for size in data.shape[: layer.ndim])


def displayed_position(layer: Layer, dims: Dims) -> Position:
    """The plane of a layer that is on display.

    Raises
    ------
    ValueError
        If there is none: the view is 3D, or shows other axes or an index beyond
        the layer's.
    """
    if dims.ndisplay != 2:
        raise ValueError(MESSAGES["3d"])
    extra = dims.ndim - layer.ndim
    along = [axis - extra for axis in dims.displayed if axis >= extra]
    if len(along) != 2:
        raise ValueError(MESSAGES["other axes"])
    point = np.round(layer.world_to_data(dims.point))
    shape = spatial_shape(layer)
    position = tuple(None if axis in along else int(point[axis]) for axis in range(layer.ndim))
    for index, size in zip(position, shape, strict=True):
        if index is not None and not 0 <= index < size:
            raise ValueError(MESSAGES["no plane"])
    return position


def plane_shape(shape: tuple[int, ...], position: Position) -> tuple[int, int]:
    """Rows and columns of a plane of an image of some shape."""
    rows, columns = (size for size, index in zip(shape, position, strict=True) if index is None)
    return rows, columns


def plane_index(position: Position) -> tuple[int | slice, ...]:
    """Index of a plane in an array of the image's shape."""
    return tuple(slice(None) if index is None else index for index in position)


def to_point(click: Click, position: Position) -> list[float]:
    """A click as coordinates in the layer."""
    inside = iter((click.row, click.column))
    return [next(inside) if index is None else float(index) for index in position]


def to_click(point: Iterable[float], position: Position, positive: bool) -> Click:
    """Coordinates in the layer as a click in the plane."""
    row, column = (
        float(value) for value, index in zip(point, position, strict=True) if index is None
    )
    return Click(row, column, positive)


class ImagePlane(NamedTuple):
    """The pixels of one plane, to be computed on.

    Attributes
    ----------
    key : tuple
        Equal for equal pixels and contrast limits.
    pixels : (H, W) or (H, W, C) array-like
    contrast_limits : (float, float) or None
    """

    key: tuple[Any, ...]
    pixels: Any
    contrast_limits: tuple[float, float] | None


class LazyPlane:
    """One plane of a dask, zarr or other array, read only where it is looked at.

    Parameters
    ----------
    data : array-like
        With the axes of the image, and perhaps colours last.
    position : Position
    """

    def __init__(self, data: Any, position: Position) -> None:
        self._data = data
        self._position = position
        colours = data.shape[len(position) :]
        sizes = zip(position, data.shape, strict=False)
        self.shape = (*(size for index, size in sizes if index is None), *colours)
        self.dtype = data.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        inside = iter(key if isinstance(key, tuple) else (key,))
        full = [next(inside, slice(None)) if i is None else i for i in self._position]
        return np.asarray(self._data[(*full, *inside)])


def plane_image(layer: Image, position: Position) -> Any:
    """One plane of an image, (H, W) or (H, W, C) array-like, at full resolution, unread."""
    data = layer.data[0] if layer.multiscale else layer.data
    if isinstance(data, np.ndarray):
        return data[plane_index(position)]
    return data if all(index is None for index in position) else LazyPlane(data, position)


def fingerprint(pixels: Any) -> int | None:
    """A number that differs when the pixels of a plane were changed in place.

    Takes about a millisecond. Planes of up to 2 MiB are read whole. Of larger ones a
    grid of 512 x 512 pixels is: what is changed between its lines is not noticed.

    Parameters
    ----------
    pixels : (H, W) or (H, W, C) array-like

    Returns
    -------
    int or None
        None for arrays that are not in memory (dask, zarr, mapped files): a look at them
        could mean reading all of a disk.
    """
    if not isinstance(pixels, np.ndarray) or _is_mapped(pixels):
        return None
    if pixels.nbytes > READ_WHOLE:
        rows, columns = (-(-size // SAMPLED) for size in pixels.shape[:2])
        pixels = pixels[::rows, ::columns]
    return zlib.crc32(np.ascontiguousarray(pixels).tobytes())


def _is_mapped(array: Any) -> bool:
    """Whether an array, or what it is a view of, lies in a file."""
    while array is not None:
        if isinstance(array, np.memmap | mmap):
            return True
        array = getattr(array, "base", None)
    return False
