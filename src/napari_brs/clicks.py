"""Foreground and background clicks, in (row, column) order."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Click:
    """One annotated location.

    Parameters
    ----------
    row, column : float
        Position in image pixels. Pixel centres lie at integers, as in napari,
        so pixel (0, 0) covers [-0.5, 0.5) in both directions.
    positive : bool
        True for foreground (the object), False for background.

    Examples
    --------
    >>> Click(40.2, 51.6).pixel
    (40, 52)
    """

    row: float
    column: float
    positive: bool = True

    @property
    def pixel(self) -> tuple[int, int]:
        """(row, column) index of the pixel that the click lies in."""
        return math.floor(self.row + 0.5), math.floor(self.column + 0.5)


def validate_clicks(clicks: Iterable[Click], shape: tuple[int, int]) -> tuple[Click, ...]:
    """Return the clicks as a tuple, or say which one cannot be used.

    Parameters
    ----------
    clicks : iterable of Click
        In the order they were made.
    shape : (int, int)
        Rows and columns of the image.

    Raises
    ------
    ValueError
        If a coordinate is not finite, a click lies outside the image, or one
        pixel is clicked with both signs. Repeating a click is allowed.

    Examples
    --------
    >>> validate_clicks([Click(2, 9)], (10, 10))
    (Click(row=2, column=9, positive=True),)
    >>> validate_clicks([Click(2, 10)], (10, 10))
    Traceback (most recent call last):
    ValueError: click (2, 10) lies outside the image: rows 0 to 9, columns 0 to 9 are allowed
    """
    clicks = tuple(clicks)
    signs: dict[tuple[int, int], bool] = {}
    for click in clicks:
        if not (math.isfinite(click.row) and math.isfinite(click.column)):
            raise ValueError(f"click ({click.row}, {click.column}) is not finite")
        row, column = click.pixel
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            raise ValueError(
                f"click ({click.row:g}, {click.column:g}) lies outside the image: "
                f"rows 0 to {shape[0] - 1}, columns 0 to {shape[1] - 1} are allowed"
            )
        if signs.setdefault((row, column), click.positive) != click.positive:
            raise ValueError(
                f"pixel ({row}, {column}) is clicked as foreground and as background; "
                "only one of them is allowed"
            )
    return clicks


def click_arrays(clicks: Iterable[Click]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Split clicks into points (N, 2) float64, (row, column), and signs (N,) bool.

    Examples
    --------
    >>> points, signs = click_arrays([Click(1, 2), Click(3, 4, positive=False)])
    >>> points.tolist(), signs.tolist()
    ([[1.0, 2.0], [3.0, 4.0]], [True, False])
    """
    clicks = tuple(clicks)
    points = np.array([(c.row, c.column) for c in clicks], dtype=np.float64).reshape(-1, 2)
    return points, np.array([c.positive for c in clicks], dtype=bool)
