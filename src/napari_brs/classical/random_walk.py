"""Random walks from each pixel to the seeds (Grady, PAMI 2006)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BETA = 90.0
"""How much harder it is to step over an edge; Grady's choice for intensities in [0, 1]."""


def random_walk(
    image: NDArray[np.floating], foreground: NDArray[np.bool_], background: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Probability that a random walk reaches a foreground seed first.

    Parameters
    ----------
    image : (H, W, 3) float in [0, 1]
    foreground, background : (H, W) bool
        Seeds, at least one of each.

    Returns
    -------
    (H, W) float32 in [0, 1]
    """
    from skimage.segmentation import random_walker

    labels = np.where(foreground, 1, np.where(background, 2, 0))
    if labels.all():
        return foreground.astype(np.float32)
    if np.ptp(image) == 0:
        # Contrast is measured in standard deviations, and here there is none.
        image = image.copy()
        image[0, 0] += 1e-6
    # Solved directly: without noise the weights range so widely that iterations crawl.
    probability = random_walker(
        image, labels, beta=BETA, mode="bf", return_full_prob=True, channel_axis=-1
    )
    found: NDArray[np.float32] = probability[0].clip(0, 1).astype(np.float32)
    return found
