"""Cells that conquer their neighbours (Vezhnevets and Konouchine, GraphiCon 2005)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_brs.classical.grid import edges, shortest_paths

STEP = 1e-6
"""Cost of a step without any change of colour: there the nearer seed comes first."""


def grow_cut(
    image: NDArray[np.floating], foreground: NDArray[np.bool_], background: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """What the foreground holds when the cellular automaton has come to rest.

    A cell q takes its neighbour p if g(|c_p − c_q|) · strength_q > strength_p, with
    g(x) = 1 − x / max |c|, and p then has that strength. As strengths only grow, they end at
    the largest product of g along any path from a seed, so the shortest paths
    with costs −log g give the end without its many steps.

    Parameters
    ----------
    image : (H, W, 3) float in [0, 1]
    foreground, background : (H, W) bool
        Seeds of strength 1, at least one of each.

    Returns
    -------
    (H, W) float32
        0 or 1.
    """
    pairs = edges(foreground.shape)
    largest = np.sqrt(np.square(image).sum(axis=-1)).max() or 1.0
    kept = 1 - pairs.difference(image) / largest
    costs = STEP * pairs.length - np.log(kept.clip(1e-9))
    strengths = (shortest_paths(seeds, costs).distance for seeds in (foreground, background))
    near, far = strengths
    return (near < far).astype(np.float32)
