"""Colours that tell objects, or their classes, apart."""

from __future__ import annotations

import colorsys

_GOLDEN = (5**0.5 - 1) / 2

Colour = tuple[int, int, int]


def colour(number: int) -> Colour:
    """RGB, 0 to 255, of an id or of a class's place; neighbours differ most in hue."""
    hue = number * _GOLDEN % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def class_colours(names: tuple[str, ...]) -> dict[str, Colour]:
    """The colour of each class."""
    return {name: colour(place) for place, name in enumerate(names, 1)}
