"""The two points layers with the clicks of the current object, one a sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from napari.layers import Layer, Points
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.plugin.layers.placement import placement
from napari_brs.plugin.layers.planes import spatial_shape, to_click, to_point
from napari_brs.session import Position

FOREGROUND = "#19e64b"
BACKGROUND = "#ff3b30"


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


def _same_points(first: NDArray[Any], second: NDArray[Any]) -> bool:
    return first.shape == second.shape and np.allclose(first, second, atol=1e-3)


def _same_click(first: Click, second: Click) -> bool:
    near = abs(first.row - second.row) < 1e-3 and abs(first.column - second.column) < 1e-3
    return near and first.positive == second.positive
