"""Masks of one object in a large image, kept in their bounding box."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.geometry import Box
from napari_brs.prediction import MaskWindow, Prediction, Previous

_NOTHING = Box(0, 0, 0, 0)


@dataclass(frozen=True)
class Region:
    """A set of pixels.

    Parameters
    ----------
    box : Box
        Around all of them.
    mask : (box.height, box.width) bool
    """

    box: Box
    mask: NDArray[np.bool_]

    @staticmethod
    def of(mask: Previous) -> Region:
        """The True pixels of an (H, W) mask, of one in a window or of a prediction."""
        if mask is None:
            return Region(_NOTHING, np.zeros((0, 0), bool))
        if isinstance(mask, Prediction):
            box = mask.view.box
            return Region.of(mask.window_mask).shifted(box.top, box.left)
        if isinstance(mask, MaskWindow):
            return Region.of(mask.mask).shifted(mask.box.top, mask.box.left)
        found = Box.around(mask)
        if found is None:
            return Region.of(None)
        return Region(found, np.array(mask[found.slices], bool))

    def shifted(self, rows: int, columns: int) -> Region:
        """The region moved by whole pixels."""
        return Region(self.box.shifted(rows, columns), self.mask)

    def holds(self, row: int, column: int) -> bool:
        """Whether a pixel is one of them."""
        row, column = row - self.box.top, column - self.box.left
        inside = 0 <= row < self.box.height and 0 <= column < self.box.width
        return inside and bool(self.mask[row, column])

    def read(self, box: Box) -> NDArray[np.bool_]:
        """The mask in a box."""
        values = np.zeros((box.height, box.width), bool)
        common = box.intersection(self.box)
        values[common.shifted(-box.top, -box.left).slices] = self.mask[
            common.shifted(-self.box.top, -self.box.left).slices
        ]
        return values

    def full(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The (H, W) mask."""
        return self.read(Box(0, 0, *shape))

    def plus(self, other: Region) -> Region:
        """The pixels of either."""
        box = self._common(other)
        return Region(box, self.read(box) | other.read(box))

    def minus(self, other: Region) -> Region:
        """The pixels that are not the other's."""
        return Region(self.box, self.mask & ~other.read(self.box))

    def difference(self, other: Region) -> Box:
        """Smallest box around the pixels that only one of them has; of height 0 if none."""
        box = self._common(other)
        found = Box.around(self.read(box) ^ other.read(box))
        if found is None:
            return Box(box.top, box.left, box.top, box.left)
        return found.shifted(box.top, box.left)

    def with_clicks_only(self, clicks: Iterable[Click]) -> Region:
        """The connected parts that hold a positive click; all, if none does."""
        here = [
            (row - self.box.top, column - self.box.left)
            for row, column in (click.pixel for click in clicks if click.positive)
            if self.holds(row, column)
        ]
        return Region(self.box, joined(self.mask, here)) if here else self

    def _common(self, other: Region) -> Box:
        if not self.box.height or not other.box.height:
            return self.box if self.box.height else other.box
        return self.box.union(other.box)


def joined(mask: NDArray[np.bool_], pixels: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """The connected parts of a mask that hold one of the pixels, (H, W) bool.

    Pixels that touch at an edge are connected.
    """
    from scipy import ndimage

    parts, _ = ndimage.label(mask)
    numbers = {int(parts[pixel]) for pixel in pixels} - {0}
    return np.isin(parts, list(numbers))


def hit(mask: NDArray[np.bool_], pixel: tuple[int, int]) -> Region:
    """The connected part of an (H, W) mask that holds a pixel; nothing if it lies outside."""
    return Region.of(joined(mask, [pixel]))
