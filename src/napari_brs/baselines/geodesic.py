"""Geodesic distances in the likelihood of the foreground (Bai and Sapiro, ICCV 2007)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_brs.baselines.colour import foreground_likelihood
from napari_brs.baselines.grid import edges, shortest_paths

STEP = 0.01
"""Cost of a step where the likelihood does not change, so that near seeds win there."""


def geodesic(
    image: NDArray[np.floating], foreground: NDArray[np.bool_], background: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Matte of the paths along which the likelihood of the foreground changes least.

    With the distances D to the seeds and the likelihoods P of the colour, the
    foreground's share is w_F / (w_F + w_B), w = P / D.

    Parameters
    ----------
    image : (H, W, 3) float in [0, 1]
    foreground, background : (H, W) bool
        Seeds, at least one of each.

    Returns
    -------
    (H, W) float32 in [0, 1]
    """
    likelihood = foreground_likelihood(image, foreground, background)
    pairs = edges(foreground.shape)
    costs = pairs.difference(likelihood) + STEP * pairs.length
    near = shortest_paths(foreground, costs).distance
    far = shortest_paths(background, costs).distance
    figure, ground = likelihood * far, (1 - likelihood) * near
    return (figure / (figure + ground)).astype(np.float32)
