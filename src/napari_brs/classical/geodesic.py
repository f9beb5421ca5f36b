"""Geodesic distances in the likelihood of the foreground (Bai and Sapiro, ICCV 2007)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_brs.classical.colour import foreground_likelihood
from napari_brs.classical.grid import edges, shortest_paths

STEP = 0.002
"""Cost of a step where the likelihood does not change, so that near seeds win there."""


def geodesic(
    image: NDArray[np.floating], foreground: NDArray[np.bool_], background: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Which seeds are nearer along paths on which the likelihood of the foreground changes least.

    The likelihood's part in the matte, which Bai and Sapiro confine to a band along
    the boundary, is left out: masks are asked for.

    Parameters
    ----------
    image : (H, W, 3) float in [0, 1]
    foreground, background : (H, W) bool
        Seeds, at least one of each.

    Returns
    -------
    (H, W) float32 in [0, 1]
        Distance to the background as a share of both distances.
    """
    likelihood = foreground_likelihood(image, foreground, background)
    pairs = edges(foreground.shape)
    costs = pairs.difference(likelihood) + STEP * pairs.length
    near = shortest_paths(foreground, costs).distance
    far = shortest_paths(background, costs).distance
    return (far / (near + far)).astype(np.float32)
