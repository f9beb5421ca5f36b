"""The pixel grid as a graph: each pixel is joined to its eight neighbours."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_FORWARD = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps to half of the neighbours; the others are reached the other way round."""


class Edges(NamedTuple):
    """Pairs of neighbouring pixels, each pair once.

    Attributes
    ----------
    first, second : (E,) int32
        Indices into the flattened image.
    length : (E,) float64
        1, or √2 across a corner.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    length: NDArray[np.float64]

    def difference(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Euclidean distance (E,) between the values (H, W) or (H, W, C) of each pair."""
        flat = values.reshape(values.shape[0] * values.shape[1], -1)
        squares = np.square(flat[self.first] - flat[self.second], dtype=np.float64)
        found: NDArray[np.float64] = np.sqrt(squares.sum(axis=1))
        return found


@lru_cache(maxsize=4)
def edges(shape: tuple[int, int]) -> Edges:
    """All pairs of neighbours in a grid of rows and columns."""
    rows, columns = shape
    index = np.arange(rows * columns, dtype=np.int32).reshape(shape)
    first, second, length = [], [], []
    for down, right in _FORWARD:
        start = index[: rows - down, max(0, -right) : columns - max(0, right)].ravel()
        first.append(start)
        second.append(start + down * columns + right)
        length.append(np.full(start.size, np.hypot(down, right)))
    return Edges(np.concatenate(first), np.concatenate(second), np.concatenate(length))


class Paths(NamedTuple):
    """Shortest paths to every pixel.

    Attributes
    ----------
    distance : (H, W) float64
        Cost of the path from the nearest seed.
    parent : (H * W,) int32
        The pixel before the last one on that path; negative at seeds.
    """

    distance: NDArray[np.float64]
    parent: NDArray[np.int32]


def shortest_paths(seeds: NDArray[np.bool_], costs: NDArray[np.float64]) -> Paths:
    """Dijkstra's shortest paths from a set of pixels.

    Parameters
    ----------
    seeds : (H, W) bool
        At least one.
    costs : (E,) float64
        Of the `edges`, above 0, in either direction.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    first, second, _ = edges(seeds.shape)
    graph = coo_array((costs, (first, second)), shape=(seeds.size, seeds.size)).tocsr()
    distance, parent, _ = dijkstra(
        graph,
        directed=False,
        indices=np.flatnonzero(seeds),
        return_predecessors=True,
        min_only=True,
    )
    return Paths(distance.reshape(seeds.shape), parent)
