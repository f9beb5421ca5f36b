"""The layer that shows the mask of the current object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_brs.masks import Box, Mask
from napari_brs.plugin.layers.placement import placement
from napari_brs.plugin.layers.planes import (
    image_pixels,
    plane_shape,
    shown_mask,
    spatial_shape,
)
from napari_brs.session import Position

COLOUR = "#ffd60a"
LONG = 4096
"""An axis of the image that is longer is not shown as a whole."""
WINDOW = 2048
"""Pixels of it that are, at least: napari draws all of a layer whenever some of it changes."""


class Preview:
    """Shows the mask of the current object in a labels layer, touching only what changes.

    Where the image is large, the layer covers a window of it, which goes where the
    object is: a click costs the same on any image.

    Parameters
    ----------
    image : Image
        Only looked at.

    Attributes
    ----------
    layer : Labels
        People may paint in it.
    origin : tuple of int
        The pixel of the image that is the first of the layer.
    """

    def __init__(self, image: Layer) -> None:
        self._shape = spatial_shape(image)
        self._long = max(self._shape) > LONG
        self._shown: dict[Position, tuple[Any, Mask]] = {}
        size = [_window(length) for length in self._shape]
        self._size = tuple(size)
        self.origin = tuple(
            (length - part) // 2 for length, part in zip(self._shape, size, strict=True)
        )
        self.layer = Labels(
            np.zeros(size, np.uint8),
            name=f"preview · {image.name}",
            colormap=DirectLabelColormap(color_dict={None: COLOUR, 0: "transparent"}),
            opacity=0.45,
        )
        self.follow(image)

    @property
    def intact(self) -> bool:
        """Whether the layer still has the shape that was given to it."""
        return spatial_shape(self.layer) == self._size

    def follow(self, image: Layer) -> None:
        """Put the layer where the image is now."""
        self._corner, self._steps = np.asarray(image.translate), steps(image)
        for name, value in placement(image).items():
            setattr(self.layer, name, value)
        self._translate()

    def show(self, masks: Mapping[Position, Any]) -> None:
        """Show what a session shows in each plane, and nothing in the others."""
        changed = [
            position
            for position in {*self._shown, *masks}
            if masks.get(position) is not self._shown.get(position, (None,))[0]
        ]
        if not changed:
            return
        # What one plane leaves, another may still hold where they cross.
        crossed = len({_along(position) for position in {*self._shown, *masks}}) > 1
        for position in changed:
            if position in self._shown:
                self._pixels(position, self._shown.pop(position)[1])[:] = 0
        for position in changed:
            if masks.get(position) is not None:
                mask = shown_mask(masks[position], plane_shape(self._shape, position))
                self._shown[position] = masks[position], mask
        moved = self._move()
        for position, (_, mask) in self._shown.items():
            if moved or crossed or position in changed:
                self._pixels(position, mask)[:] |= mask.pixels
        self.layer.refresh(extent=False, thumbnail=False, highlight=False)

    def painted(self, position: Position) -> Mask | None:
        """The mask in a plane, if somebody changed it by hand; else None."""
        if not self._covers(position):
            return None
        window = self._window(position)
        mask = np.asarray(self.layer.data[self._index(position)]) != 0
        blank = Mask.empty(plane_shape(self._shape, position))
        known = self._shown.get(position, (None, blank))[1]
        for other in self.crossing(position):
            # Pixels of planes along other axes are not of this plane's making.
            rows, columns = _within(image_pixels(self._shown[other][1], other), position)
            shared = rows - window.top, columns - window.left
            mask[shared] &= known.read(window)[shared]
        found = Mask.of(mask, window, known.shape)
        return None if found == known else found

    def crossing(self, position: Position) -> list[Position]:
        """Planes with a mask that lie along other axes than this one."""
        return [other for other in self._shown if _along(other) != _along(position)]

    def take(self, position: Position, mask: Mask) -> None:
        """Know that the layer shows a mask, because it was painted there."""
        self._shown[position] = (mask, mask)

    def _move(self) -> bool:
        """Have the layer cover all masks; whether it had to be moved for that."""
        corners = [
            corner
            for position, (_, mask) in self._shown.items()
            if mask
            for corner in _corners(position, mask.box)
        ]
        if not corners:
            return False
        first, last = np.min(corners, axis=0), np.max(corners, axis=0)
        size = np.array(self.layer.data.shape)
        if (first >= self.origin).all() and (last < self.origin + size).all():
            return False
        wide = np.minimum(self._shape, np.maximum(_windows(self._shape), 2 * (last - first)))
        origin = np.clip((first + last - wide) // 2, 0, self._shape - wide)
        self.origin = tuple(int(at) for at in origin)
        self._size = tuple(int(length) for length in wide)
        self.layer.data = np.zeros(self._size, np.uint8)
        self._translate()
        return True

    def _translate(self) -> None:
        if self._long:
            self.layer.translate = self._corner + self._steps @ self.origin

    def _covers(self, position: Position) -> bool:
        return all(
            index is None or 0 <= index - at < size
            for index, at, size in zip(position, self.origin, self.layer.data.shape, strict=True)
        )

    def _index(self, position: Position) -> tuple[int | slice, ...]:
        """Index of a plane in the layer."""
        return tuple(
            slice(None) if index is None else index - at
            for index, at in zip(position, self.origin, strict=True)
        )

    def _window(self, position: Position) -> Box:
        """What the layer covers of a plane."""
        top, left = (at for at, index in zip(self.origin, position, strict=True) if index is None)
        height, width = plane_shape(self.layer.data.shape, position)
        return Box(top, left, top + height, left + width)

    def _pixels(self, position: Position, mask: Mask) -> NDArray[np.uint8]:
        """The pixels of the layer in the box of a mask, to be changed."""
        if not mask:
            return np.zeros((0, 0), np.uint8)
        inside = mask.box.within(self._window(position))
        plane: NDArray[np.uint8] = self.layer.data[self._index(position)]
        return plane[inside.slices]


def steps(image: Layer) -> NDArray[np.float64]:
    """What a pixel along each axis, one a column, adds to a layer's `translate`."""
    zero = np.asarray(image.data_to_world([0] * image.ndim))
    columns = [np.asarray(image.data_to_world(unit)) - zero for unit in np.eye(image.ndim)]
    # The affine transform is applied behind it.
    return np.linalg.solve(image.affine.linear_matrix, np.transpose(columns))


def _window(length: int) -> int:
    return length if length <= LONG else WINDOW


def _windows(shape: tuple[int, ...]) -> NDArray[np.intp]:
    return np.array([_window(length) for length in shape])


def _corners(position: Position, box: Box) -> list[list[int]]:
    """First and last pixel of a box of a plane in the image."""
    corners = []
    for corner in ((box.top, box.left), (box.bottom - 1, box.right - 1)):
        inside = iter(corner)
        corners.append([next(inside) if index is None else index for index in position])
    return corners


def _along(position: Position) -> tuple[bool, ...]:
    """Along which axes a plane lies."""
    return tuple(index is None for index in position)


def _within(
    pixels: tuple[NDArray[np.intp], ...], position: Position
) -> tuple[NDArray[np.intp], ...]:
    """Of pixels of the image, those in a plane, as indices of the plane."""
    keep = np.ones(pixels[0].shape, bool)
    for axis, index in zip(pixels, position, strict=True):
        if index is not None:
            keep &= axis == index
    return tuple(axis[keep] for axis, index in zip(pixels, position, strict=True) if index is None)
