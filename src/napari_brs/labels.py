"""From a foreground to its objects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CORE_DEPTH = 3.0
"""Pixels between an object's boundary and its core; less in thin objects."""
SMALLEST = 16
"""Pixels of foreground that are an object even without a core."""


def split_objects(
    foreground: NDArray[np.floating], core: NDArray[np.floating], threshold: float = 0.5
) -> NDArray[np.int32]:
    """Number the objects of a foreground, those that touch apart.

    Connected cores are the seeds of a watershed on the core probability, within
    the foreground. Foreground without a core is one object for each of its
    connected parts, unless they are specks of fewer than `SMALLEST` pixels; cores
    outside the foreground are none.

    Parameters
    ----------
    foreground, core : (H, W) float
        Probabilities; pixels above ``threshold`` count.
    threshold : float

    Returns
    -------
    (H, W) int32
        0 background, 1..n objects.
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    mask = foreground > threshold
    seeds, count = ndimage.label((core > threshold) & mask)
    labels: NDArray[np.int32] = watershed(-core, seeds, mask=mask)  # type: ignore[no-untyped-call]
    rest, _ = ndimage.label(mask & (labels == 0))
    kept = np.bincount(rest.ravel()) >= SMALLEST
    kept[0] = False
    numbers = np.where(kept, kept.cumsum() + count, 0)
    return np.where(rest > 0, numbers[rest], labels).astype(np.int32)


def object_cores(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """The inside of every object: what is left when its boundary is taken away.

    A pixel belongs to the core if it lies `CORE_DEPTH` pixels from the nearest
    pixel of its object that has another label beside it, or, in thin objects,
    half as deep as the object's deepest pixel. Cores of different objects never touch.

    Parameters
    ----------
    labels : (H, W) int
        0 background, 1..n objects.

    Returns
    -------
    (H, W) bool
    """
    from scipy import ndimage
    from skimage.segmentation import find_boundaries

    edge = find_boundaries(labels, connectivity=2, mode="inner")  # type: ignore[no-untyped-call]
    depth = ndimage.distance_transform_edt(~edge)
    deepest = np.zeros(int(labels.max(initial=0)) + 1)
    np.maximum.at(deepest, labels.ravel(), depth.ravel())
    needed = np.minimum(CORE_DEPTH, deepest / 2)[labels]
    core: NDArray[np.bool_] = (labels > 0) & (depth > 0) & (depth >= needed)
    return core
