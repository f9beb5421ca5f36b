"""Graph cuts of star-convex shapes (Gulshan et al., CVPR 2010)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_brs.classical.graph_cut import cut
from napari_brs.classical.grid import edges, shortest_paths

GRADIENT = 0.7
"""Share of the image's gradient in the length of a path; the rest is its Euclidean length."""


def euclidean_star(
    image: NDArray[np.floating], foreground: NDArray[np.bool_], background: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The cheapest cut that holds, with each pixel, the line to its nearest foreground seed.

    Parameters
    ----------
    image : (H, W, 3) float in [0, 1]
    foreground, background : (H, W) bool
        Seeds, at least one of the foreground.

    Returns
    -------
    (H, W) float32
        0 or 1.
    """
    from scipy import ndimage

    to_nearest = ndimage.distance_transform_edt(
        ~foreground, return_distances=False, return_indices=True
    )
    there = np.indices(foreground.shape)
    step = to_nearest - there
    # The neighbour that lies closest to the line.
    longest = np.abs(step).max(axis=0).clip(1)
    nearer = there + np.rint(step / longest).astype(int)
    parent = np.ravel_multi_index(tuple(nearer), foreground.shape).astype(np.int32)
    parent[foreground] = -1
    return cut(image, foreground, background, parent.ravel()).astype(np.float32)


def geodesic_star(
    image: NDArray[np.floating], foreground: NDArray[np.bool_], background: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The cheapest cut that holds, with each pixel, the geodesic to a foreground seed.

    A step costs √((1 − γ) length² + γ |change of colour|²), with colours in
    units of the image's root mean square change, so that contrast does not matter.

    Parameters
    ----------
    image : (H, W, 3) float in [0, 1]
    foreground, background : (H, W) bool
        Seeds, at least one of the foreground.

    Returns
    -------
    (H, W) float32
        0 or 1.
    """
    pairs = edges(foreground.shape)
    squares = np.square(pairs.difference(image))
    squares /= squares.mean() + 1e-12
    costs = np.sqrt((1 - GRADIENT) * np.square(pairs.length) + GRADIENT * squares)
    parent = shortest_paths(foreground, costs).parent
    return cut(image, foreground, background, parent).astype(np.float32)
