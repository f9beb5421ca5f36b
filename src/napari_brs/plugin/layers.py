"""Layers that belong to one image: two for clicks, and one for finished objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer, Points
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.plugin.planes import (
    spatial_shape,
    to_click,
    to_point,
)
from napari_brs.session import Position

PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Properties of a layer that say where in the world it lies."""

FOREGROUND = "#19e64b"
BACKGROUND = "#ff3b30"


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


def _same_points(first: NDArray[Any], second: NDArray[Any]) -> bool:
    return first.shape == second.shape and np.allclose(first, second, atol=1e-3)


def _same_click(first: Click, second: Click) -> bool:
    near = abs(first.row - second.row) < 1e-3 and abs(first.column - second.column) < 1e-3
    return near and first.positive == second.positive
