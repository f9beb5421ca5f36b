"""Windows of an image, and the mask of one object, kept in its bounding box.

All positions are (row, column), whole pixels; nothing here loads torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels from (top, left) up to, not including, (bottom, right)."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an (H, W, ...) array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def holds(self, row: int, column: int) -> bool:
        """Whether a pixel lies in the box."""
        return self.top <= row < self.bottom and self.left <= column < self.right

    def union(self, other: Box) -> Box:
        """Smallest box around both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def intersection(self, other: Box) -> Box:
        """Common pixels; height or width is 0 if there are none."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        return Box(
            top,
            left,
            max(top, min(self.bottom, other.bottom)),
            max(left, min(self.right, other.right)),
        )

    def grown(self, margin: int, shape: tuple[int, int]) -> Box:
        """The box with a margin in pixels, cut off at the borders of an (H, W) image."""
        return Box(
            max(0, self.top - margin),
            max(0, self.left - margin),
            min(shape[0], self.bottom + margin),
            min(shape[1], self.right + margin),
        )

    def shifted(self, rows: int, columns: int) -> Box:
        """The box moved by whole pixels."""
        return Box(self.top + rows, self.left + columns, self.bottom + rows, self.right + columns)

    def within(self, other: Box) -> Box:
        """The box as positions of another box, whose first pixel is (0, 0)."""
        return self.shifted(-other.top, -other.left)

    @staticmethod
    def around(mask: NDArray[np.bool_]) -> Box | None:
        """Bounding box of the True pixels of an (H, W) mask; None if there are none."""
        mask = np.asarray(mask)
        rows = np.flatnonzero(mask.any(axis=1))
        if rows.size == 0:
            return None
        columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
        return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


@dataclass(frozen=True)
class Mask:
    """A set of pixels of an image, in the smallest box around them, a bit a pixel.

    Immutable and small, so that histories can keep many, and equal if the pixels are.
    It stands for the (H, W) bool array that NumPy makes of it. Make one with `Mask.of`
    or `Mask.empty`.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    box : Box
        Around the pixels; of height and width 0 if there are none.
    packed : bytes
        (box.height, box.width) of them as `numpy.packbits` orders them.

    Examples
    --------
    >>> mask = Mask.of(np.eye(3, dtype=bool), Box(10, 20, 13, 23), shape=(50, 40))
    >>> mask.box, mask.area, mask.holds(11, 21)
    (Box(top=10, left=20, bottom=13, right=23), 3, True)
    >>> mask.read(Box(12, 20, 14, 23)).astype(int)
    array([[0, 0, 1],
           [0, 0, 0]])
    >>> mask.difference(mask).box
    Box(top=0, left=0, bottom=0, right=0)
    """

    shape: tuple[int, int]
    box: Box
    packed: bytes = field(repr=False)

    @staticmethod
    def of(
        pixels: NDArray[Any], box: Box | None = None, shape: tuple[int, int] | None = None
    ) -> Mask:
        """The True pixels of an array.

        Parameters
        ----------
        pixels : (height, width) array
            Taken as bool, and copied.
        box : Box, optional
            Where in the image they lie; all around is background. Default: all of it.
        shape : (int, int), optional
            Rows and columns of the image; default those of ``pixels``.

        Raises
        ------
        ValueError
            If the pixels have another size than the box, or the box leaves the image.
        """
        pixels = np.asarray(pixels, bool)
        if pixels.ndim != 2:
            raise ValueError(f"a mask has two axes; {pixels.ndim} were given")
        size = (int(pixels.shape[0]), int(pixels.shape[1]))
        box = box or Box(0, 0, *size)
        shape = shape or size
        if (box.height, box.width) != size:
            raise ValueError(f"pixels of shape {size} do not fit {box}")
        if box.top < 0 or box.left < 0 or box.bottom > shape[0] or box.right > shape[1]:
            raise ValueError(f"{box} leaves the image, which has shape {shape}")
        tight = Box.around(pixels)
        if tight is None:
            return Mask.empty(shape)
        packed = np.packbits(pixels[tight.slices]).tobytes()
        return Mask(shape, tight.shifted(box.top, box.left), packed)

    @staticmethod
    def empty(shape: tuple[int, int]) -> Mask:
        """No pixel of an image."""
        return Mask(shape, Box(0, 0, 0, 0), b"")

    def __bool__(self) -> bool:
        """Whether there is any pixel."""
        return self.box.height > 0

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.pixels))

    @property
    def pixels(self) -> NDArray[np.bool_]:
        """The mask in its box, (box.height, box.width) bool, read-only."""
        size = (self.box.height, self.box.width)
        bits = np.frombuffer(self.packed, np.uint8)
        pixels = np.unpackbits(bits, count=size[0] * size[1]).view(bool).reshape(size)
        pixels.setflags(write=False)
        return pixels

    def holds(self, row: int, column: int) -> bool:
        """Whether a pixel is one of them."""
        if not self.box.holds(row, column):
            return False
        bit = (row - self.box.top) * self.box.width + column - self.box.left
        # packbits puts the first pixel of a byte into its highest bit.
        return bool(self.packed[bit >> 3] >> (7 - (bit & 7)) & 1)

    def read(self, box: Box) -> NDArray[np.bool_]:
        """The mask in a box, which may leave the image, (box.height, box.width) bool."""
        return read(self.pixels, self.box, box)

    def paste(self, box: Box, pixels: NDArray[np.bool_]) -> Mask:
        """The mask with other (box.height, box.width) pixels in a box of the image."""
        both = self.box.union(box) if self else box
        values = self.read(both)
        values[box.within(both).slices] = pixels
        return Mask.of(values, both, self.shape)

    def union(self, other: Mask) -> Mask:
        """The pixels of either."""
        box = self._around_both(other)
        return Mask.of(self.read(box) | other.read(box), box, self.shape)

    def difference(self, other: Mask) -> Mask:
        """The pixels that are not the other's."""
        return Mask.of(self.pixels & ~other.read(self.box), self.box, self.shape)

    def symmetric_difference(self, other: Mask) -> Mask:
        """The pixels that only one of both has; with either of them, it gives the other."""
        box = self._around_both(other)
        return Mask.of(self.read(box) ^ other.read(box), box, self.shape)

    def changed(self, other: Mask) -> Box:
        """Smallest box around the pixels that only one of them has; of height 0 if none."""
        box = self._around_both(other)
        found = Box.around(self.read(box) ^ other.read(box))
        if found is None:
            return Box(box.top, box.left, box.top, box.left)
        return found.shifted(box.top, box.left)

    def nonzero(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of the pixels in the image, (N,) each."""
        rows, columns = np.nonzero(self.pixels)
        return rows + self.box.top, columns + self.box.left

    def full(self) -> NDArray[np.bool_]:
        """The mask of the whole image, (H, W) bool."""
        return self.read(Box(0, 0, *self.shape))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.full().astype(bool if dtype is None else dtype, copy=False)

    def _around_both(self, other: Mask) -> Box:
        if not self or not other:
            return self.box if self else other.box
        return self.box.union(other.box)


def read(values: NDArray[Any], window: Box, box: Box) -> NDArray[Any]:
    """The values of a window of an image in a box of it; 0 outside the window.

    Parameters
    ----------
    values : (window.height, window.width) array
    window, box : Box

    Returns
    -------
    (box.height, box.width) array of the same type
    """
    found = np.zeros((box.height, box.width), values.dtype)
    common = box.intersection(window)
    if common.height and common.width:
        found[common.within(box).slices] = values[common.within(window).slices]
    return found


def joined(mask: NDArray[np.bool_], pixels: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """The connected parts of a mask that hold one of the pixels, (H, W) bool.

    Pixels that touch at an edge are connected.
    """
    from scipy import ndimage

    parts, _ = ndimage.label(mask)
    numbers = {int(parts[pixel]) for pixel in pixels} - {0}
    return np.isin(parts, list(numbers))


def deepest_pixel(mask: Mask) -> tuple[int, int]:
    """The (row, column) that lies deepest in a mask of at least one pixel, the first of several."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(mask.pixels, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return mask.box.top + int(row), mask.box.left + int(column)


def overlap(first: Mask, second: Mask) -> float:
    """Intersection over union of two masks, in [0, 1]; of two empty ones 0."""
    box = first.box.intersection(second.box)
    both = int(np.count_nonzero(first.read(box) & second.read(box)))
    return both / max(1, first.area + second.area - both)


def check_box(box: Box, shape: tuple[int, int]) -> None:
    """Raise ValueError if a box holds no pixel, or not only pixels of an (H, W) image."""
    rows, columns = shape
    if not (0 <= box.top < box.bottom <= rows and 0 <= box.left < box.right <= columns):
        raise ValueError(
            f"box {box.top},{box.left},{box.bottom},{box.right} is not allowed: top < bottom and "
            f"left < right are needed, inside 0,0,{rows},{columns}"
        )


def label_masks(
    labels: NDArray[np.integer], corner: tuple[int, int] = (0, 0), shape: Any = None
) -> dict[int, Mask]:
    """The objects of a label image, by their ids.

    Parameters
    ----------
    labels : (height, width) int
        0 background.
    corner : (int, int)
        Row and column of its first pixel in the image.
    shape : (int, int), optional
        Rows and columns of the image; default those of the labels.

    Examples
    --------
    >>> {label: mask.area for label, mask in label_masks(np.array([[0, 7], [9, 7]])).items()}
    {7: 2, 9: 1}
    """
    from scipy import ndimage

    ids, numbers = np.unique(labels, return_inverse=True)
    ids = ids[ids != 0]
    numbers = numbers.reshape(labels.shape) + (1 if ids.size == numbers.max(initial=-1) + 1 else 0)
    found: dict[int, Mask] = {}
    for label, (rows, columns) in zip(ids.tolist(), ndimage.find_objects(numbers), strict=True):
        box = Box(rows.start, columns.start, rows.stop, columns.stop)
        pixels = numbers[rows, columns] == len(found) + 1
        found[label] = Mask.of(pixels, box.shifted(*corner), shape or labels.shape)
    return found
