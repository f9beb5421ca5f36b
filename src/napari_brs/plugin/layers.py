"""The layers that belong to one image: two for clicks, a preview, and the objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer, Points
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.plugin.planes import (
    NOTHING,
    Patch,
    patch_around,
    patch_of,
    plane_index,
    spatial_shape,
    to_click,
    to_point,
)
from napari_brs.session import Position

PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Properties of a layer that say where in the world it lies."""

FOREGROUND = "#19e64b"
BACKGROUND = "#ff3b30"
PREVIEW = "#ffd60a"


def placement(image: Layer) -> dict[str, Any]:
    """Where an image lies in the world, as keyword arguments of another layer."""
    return {name: getattr(image, name) for name in PLACEMENT}


def follow(image: Layer, layers: Iterable[Layer]) -> None:
    """Put layers where the image is now."""
    for layer in layers:
        for name, value in placement(image).items():
            setattr(layer, name, value)


def make_points(image: Layer, positive: bool) -> Points:
    """An empty layer for clicks of one sign."""
    return Points(
        np.empty((0, image.ndim)),
        ndim=image.ndim,
        name=f"{'foreground' if positive else 'background'} · {image.name}",
        face_color=FOREGROUND if positive else BACKGROUND,
        border_color="white",
        border_width=0.15,
        size=max(4.0, max(spatial_shape(image)[-2:]) / 60),
        # Points that stay visible, and do not hide a cell, at every zoom.
        canvas_size_limits=(8, 14),
        **placement(image),
    )


def make_preview(image: Layer) -> Labels:
    """An empty layer for the mask of the current object."""
    colours = {None: PREVIEW, 0: "transparent"}
    return Labels(
        np.zeros(spatial_shape(image), np.uint8),
        name=f"preview · {image.name}",
        colormap=DirectLabelColormap(color_dict=colours),
        opacity=0.45,
        **placement(image),
    )


def make_objects(image: Layer) -> Labels:
    """An empty layer for finished objects.

    16 bits hold 65,535 objects, and unlike wider types napari shows them without
    converting every pixel.
    """
    return Labels(
        np.zeros(spatial_shape(image), np.uint16),
        name=f"objects · {image.name}",
        opacity=0.5,
        **placement(image),
    )


def show_clicks(layer: Points, clicks: Mapping[Position, Iterable[Click]], positive: bool) -> None:
    """Make a points layer hold the clicks of one sign; leave it alone if it does already."""
    points = [
        to_point(click, position)
        for position, made in clicks.items()
        for click in made
        if click.positive == positive
    ]
    wanted = np.array(points, dtype=float).reshape(-1, layer.ndim)
    if not _same_points(np.asarray(layer.data), wanted):
        layer.data = wanted


def read_clicks(layer: Points, position: Position, positive: bool) -> list[Click]:
    """The points of a layer that lie in a plane, as clicks."""
    fixed = [axis for axis, index in enumerate(position) if index is not None]
    indices = [index for index in position if index is not None]
    return [
        to_click(point, position, positive)
        for point in np.asarray(layer.data, dtype=float)
        if np.array_equal(np.round(point[fixed]), indices)
    ]


def merge_clicks(before: Iterable[Click], now: Iterable[Click]) -> tuple[Click, ...]:
    """Clicks after somebody changed the points: those that stayed in their order, then new ones."""
    left = list(now)
    kept = []
    for click in before:
        match = next((other for other in left if _same_click(click, other)), None)
        if match is not None:
            left.remove(match)
            kept.append(click)
    return (*kept, *left)


_BLANK: tuple[Any, Patch] = (None, NOTHING)


class Preview:
    """Shows the mask of the current object in a labels layer, touching only what changes.

    Parameters
    ----------
    layer : Labels
        Ours; people may paint in it.
    """

    def __init__(self, layer: Labels) -> None:
        self.layer = layer
        self._shown: dict[Position, tuple[Any, Patch]] = {}

    def show(self, masks: Mapping[Position, Any]) -> None:
        """Show what a session shows in each plane, and nothing in the others."""
        changed = [
            position
            for position in {*self._shown, *masks}
            if masks.get(position) is not self._shown.get(position, _BLANK)[0]
        ]
        if not changed:
            return
        for position in changed:
            _, old = self._shown.pop(position, _BLANK)
            self._plane(position)[old.slices] = 0
            if masks.get(position) is not None:
                self._shown[position] = masks[position], patch_of(masks[position])
        crossed = len({_along(position) for position in self._shown}) > 1
        for position, (_, patch) in self._shown.items():
            if crossed or position in changed:
                self._plane(position)[patch.slices] |= patch.mask
        self.layer.refresh(extent=False, thumbnail=False, highlight=False)

    def painted(self, position: Position) -> Patch | None:
        """The mask in a plane, if somebody changed it by hand; else None."""
        mask = np.asarray(self._plane(position)) != 0
        known = self._shown.get(position, _BLANK)[1]
        for other in self.crossing(position):
            # Pixels of planes along other axes are not of this plane's making.
            shared = _within(self._shown[other][1].pixels(other), position)
            mask[shared] &= known.full(mask.shape)[shared]
        found = patch_around(mask)
        return None if same_mask(found, known) else found

    def crossing(self, position: Position) -> list[Position]:
        """Planes with a mask that lie along other axes than this one."""
        return [other for other in self._shown if _along(other) != _along(position)]

    def take(self, position: Position, patch: Patch) -> None:
        """Know that the layer shows a patch, because it was painted there."""
        self._shown[position] = (patch, patch)

    def _plane(self, position: Position) -> NDArray[np.uint8]:
        return self.layer.data[plane_index(position)]


def is_writable(layer: Labels) -> bool:
    """Whether objects can be written to a labels layer."""
    data = layer.data
    if not layer.editable or layer.multiscale or not hasattr(data, "__setitem__"):
        return False
    # dask assigns slices only; arrays mapped from a file may be read-only.
    return not hasattr(data, "dask") and getattr(getattr(data, "flags", None), "writeable", True)


def fits(layer: Layer, image: Image) -> bool:
    """Whether a labels layer can hold the objects of an image."""
    return isinstance(layer, Labels) and spatial_shape(layer) == spatial_shape(image)


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


def _same_points(first: NDArray[Any], second: NDArray[Any]) -> bool:
    return first.shape == second.shape and np.allclose(first, second, atol=1e-3)


def _same_click(first: Click, second: Click) -> bool:
    near = abs(first.row - second.row) < 1e-3 and abs(first.column - second.column) < 1e-3
    return near and first.positive == second.positive


def same_mask(first: Patch, second: Patch) -> bool:
    """Whether a tight patch and any other mean the same mask."""
    tight = patch_around(second.mask)
    if first.mask.shape != tight.mask.shape or not np.array_equal(first.mask, tight.mask):
        return False
    place = second.top + tight.top, second.left + tight.left
    return not first.mask.size or (first.top, first.left) == place
