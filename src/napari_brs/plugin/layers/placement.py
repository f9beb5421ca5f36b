"""Where a layer lies in the world, taken over from the image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from napari.layers import Layer

PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Properties of a layer that say where in the world it lies."""


def placement(image: Layer) -> dict[str, Any]:
    """Where an image lies in the world, as keyword arguments of another layer."""
    return {name: getattr(image, name) for name in PLACEMENT}


def follow(image: Layer, layers: Iterable[Layer]) -> None:
    """Put layers where the image is now."""
    for layer in layers:
        for name, value in placement(image).items():
            setattr(layer, name, value)
