"""The cheapest cut between foreground and background (Boykov and Jolly, ICCV 2001)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_brs.classical.colour import foreground_likelihood
from napari_brs.classical.grid import edges
from napari_brs.classical.min_cut import UNCUTTABLE, min_cut

SMOOTHNESS = 8.0
"""λ: weight of the boundary against the colours."""


def graph_cut(
    image: NDArray[np.floating], foreground: NDArray[np.bool_], background: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Mask whose colours fit the seeds and whose boundary runs along edges of the image.

    Parts without a foreground seed are dropped, because the clicks mean one object.

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

    mask = cut(image, foreground, background)
    parts, _ = ndimage.label(mask, np.ones((3, 3)))
    return np.isin(parts, np.unique(parts[foreground])).astype(np.float32)


def cut(
    image: NDArray[np.floating],
    foreground: NDArray[np.bool_],
    background: NDArray[np.bool_],
    parent: NDArray[np.int32] | None = None,
) -> NDArray[np.bool_]:
    """Minimise Σ -log P(x_i | c_i) + λ Σ exp(-β |c_i - c_j|²) / |i - j| over unequal neighbours.

    β is half the inverse of the mean |c_i - c_j|², as in GrabCut (Rother et al.,
    SIGGRAPH 2004); P is `foreground_likelihood`, and certain at seeds.

    Parameters
    ----------
    image, foreground, background
        As for `graph_cut`.
    parent : (H * W,) int32, optional
        For each pixel one that is foreground if it is; negative for none.

    Returns
    -------
    (H, W) bool
    """
    first, second, length = pairs = edges(foreground.shape)
    squares = np.square(pairs.difference(image))
    weights = SMOOTHNESS * np.exp(-squares / (2 * squares.mean() + 1e-12)) / length
    starts, ends, capacities = [first, second], [second, first], [weights, weights]
    if parent is not None:
        child = np.flatnonzero(parent >= 0).astype(np.int32)
        starts.append(child)
        ends.append(parent[child])
        capacities.append(np.full(child.size, UNCUTTABLE))
    likelihood = foreground_likelihood(image, foreground, background)
    # On the source's side a pixel is foreground and pays its capacity to the sink.
    source = np.where(foreground, UNCUTTABLE, np.where(background, 0, -np.log(1 - likelihood)))
    sink = np.where(background, UNCUTTABLE, np.where(foreground, 0, -np.log(likelihood)))
    found = min_cut(
        source.ravel(),
        sink.ravel(),
        *(np.concatenate(parts) for parts in (starts, ends, capacities)),
    )
    return found.reshape(foreground.shape)
