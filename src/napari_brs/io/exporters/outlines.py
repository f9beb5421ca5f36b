"""The outline of a mask along the edges of its pixels: exact, with its holes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.int64]
"""(N, 2) corners as (row, column), not closed; pixel (r, c) covers r..r+1 and c..c+1."""


class Polygon(NamedTuple):
    """A piece of a mask: pixels that share edges.

    Attributes
    ----------
    exterior : (N, 2) int
        `Ring` around it; (column, row) as (x, y), its signed area is positive.
    holes : tuple of (N, 2) int
        Those inside it, whose signed area is negative.
    """

    exterior: Ring
    holes: tuple[Ring, ...]


def polygons(mask: NDArray[np.bool_], top: int = 0, left: int = 0) -> list[Polygon]:
    """The outlines of a mask.

    Rings go through no point twice: pixels that touch at a corner only belong to two
    polygons, or lie on two sides of a hole that touches the exterior there. So polygons
    are valid in the sense of the OGC's Simple Features.

    Parameters
    ----------
    mask : (H, W) bool
    top, left : int
        Where ``mask[0, 0]`` lies in the image.
    """
    from scipy.ndimage import find_objects, label

    numbers, _ = label(mask)  # pixels that share an edge
    pieces = []
    for number, (rows, columns) in enumerate(find_objects(numbers), 1):
        rings = _rings(numbers[rows, columns] == number)
        offset = np.array([top + rows.start, left + columns.start])
        rings = [ring + offset for ring in rings]
        # The first ring begins at the first corner of all, which no hole has.
        pieces.append(Polygon(rings[0], tuple(rings[1:])))
    return pieces


def _rings(piece: NDArray[np.bool_]) -> list[Ring]:
    """All rings of a mask whose pixels hang together by edges; the exterior first.

    Along a row of corners each odd one begins an edge that the next one ends, and so
    along a column: a ring goes from corner to corner by rows and columns in turn.
    """
    padded = np.pad(piece, 1)
    above, below = padded[:-1], padded[1:]
    nw, ne, sw, se = above[:, :-1], above[:, 1:], below[:, :-1], below[:, 1:]
    falling, rising = nw & se & ~ne & ~sw, ne & sw & ~nw & ~se
    single = (nw ^ ne ^ sw ^ se).astype(bool)
    # Where two pixels touch at a corner, two rings meet; each goes around a pixel outside:
    # one has the edge above, one that below.
    upper = np.argwhere(single | falling | rising)
    lower = np.argwhere(falling | rising)
    points = np.concatenate([upper, lower])
    is_lower = np.arange(len(points)) >= len(upper)
    # At a falling diagonal the upper edge belongs to the right one, at a rising to the left.
    at_falling = falling[points[:, 0], points[:, 1]]
    is_right = is_lower ^ at_falling
    along_row = _partners(np.lexsort((is_right, points[:, 1], points[:, 0])))
    along_column = _partners(np.lexsort((is_lower, points[:, 0], points[:, 1])))
    rings: list[Ring] = []
    left_over = np.ones(len(points), bool)
    for start in np.lexsort((is_right, points[:, 1], points[:, 0])):
        if not left_over[start]:
            continue
        path, here = [], int(start)
        while left_over[here]:
            there = along_row[here]
            path += [here, there]
            left_over[[here, there]] = False
            here = along_column[there]
        ring = points[path]
        if (signed_area(ring) > 0) != (not rings):
            ring = ring[::-1]
        rings.append(ring)
    return rings


def _partners(order: NDArray[np.intp]) -> list[int]:
    """Entries 0 and 1 of an order are each other's partners, 2 and 3, and so on."""
    partner = np.empty_like(order)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return [int(place) for place in partner]


def signed_area(ring: Ring) -> float:
    """Pixels that a ring encloses; negative if it goes from y to x."""
    y, x = ring.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
