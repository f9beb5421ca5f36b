"""Figures of whole-image segmentations (Section 4.4: Table 3, Table 4, Figure 11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_brs.metrics import iou

LEVELS = 256
"""Thresholds of a precision-recall curve: the values of an 8-bit saliency map."""
BETA_SQUARED = 0.3
"""Weight of recall in the F-measure of saliency (Achanta et al., CVPR 2009)."""


def cell_zones(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """To which cell the pixels around it belong.

    A pixel belongs to the nearest cell, if it is no farther from it than the
    radius of a disk of the cell's area.

    Parameters
    ----------
    labels : (H, W) int
        0 background, 1..n cells.

    Returns
    -------
    (H, W) int32
        0 where no cell is near.
    """
    from scipy import ndimage

    if not labels.any():
        return np.zeros(labels.shape, np.int32)
    distance, (rows, columns) = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    nearest = labels[rows, columns].astype(np.int32)
    radius = np.sqrt(np.bincount(labels.ravel()) / np.pi)
    return np.where(distance <= radius[nearest], nearest, 0).astype(np.int32)


def cell_iou(
    mask: NDArray[np.bool_],
    labels: NDArray[np.integer],
    zones: NDArray[np.integer],
    number: int,
    ignore: NDArray[np.bool_] | None = None,
) -> float:
    """IoU of one cell with the foreground in its zone (`cell_zones`), in [0, 1]."""
    zone = zones == number
    return iou(mask & zone, labels == number, ignore)


def segmentation_measure(predicted: NDArray[np.integer], labels: NDArray[np.integer]) -> float:
    """SEG of the Cell Tracking Challenge (Maška et al., Bioinformatics 2014), in [0, 1].

    Mean over the true objects of the IoU with the predicted object that covers
    more than half of it; 0 for an object that none covers so far.

    Parameters
    ----------
    predicted, labels : (H, W) int
        0 background, 1..n objects; ``labels`` has at least one.
    """
    pairs, counts = np.unique(
        np.stack([labels.ravel(), predicted.ravel()]), axis=1, return_counts=True
    )
    true_area, area = np.bincount(labels.ravel()), np.bincount(predicted.ravel())
    found = {}
    for (true, other), both in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        if true and other and both > true_area[true] / 2:
            found[true] = both / (true_area[true] + area[other] - both)
    return float(sum(found.values()) / np.count_nonzero(true_area[1:]))


class Curve(NamedTuple):
    """Precision and recall at the thresholds 0, 1/255, …, 1; each (LEVELS,) float64."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def precision_recall(
    probability: NDArray[np.floating],
    truth: NDArray[np.bool_],
    ignore: NDArray[np.bool_] | None = None,
) -> Curve:
    """Precision and recall of the pixels whose probability reaches a threshold.

    Parameters
    ----------
    probability : (H, W) float
        In [0, 1]; rounded to the nearest of the thresholds.
    truth : (H, W) bool
        At least one pixel.
    ignore : (H, W) bool, optional

    Returns
    -------
    Curve
        Precision is 1 where no pixel reaches the threshold.
    """
    counted = np.ones(truth.shape, bool) if ignore is None else ~ignore
    level = np.rint(probability[counted] * (LEVELS - 1)).astype(int)
    right = truth[counted]
    hits = np.bincount(level[right], minlength=LEVELS)[::-1].cumsum()[::-1]
    chosen = np.bincount(level, minlength=LEVELS)[::-1].cumsum()[::-1]
    precision = np.where(chosen > 0, hits / np.maximum(chosen, 1), 1.0)
    return Curve(precision, hits / right.sum())


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Mean over images at each threshold."""
    return Curve(
        np.mean([curve.precision for curve in curves], axis=0),
        np.mean([curve.recall for curve in curves], axis=0),
    )


def max_f(curve: Curve) -> float:
    """Largest F = (1 + β²) P R / (β² P + R) of a curve, β² = 0.3 (Fig. 11)."""
    precision, recall = curve
    below = BETA_SQUARED * precision + recall
    f = (1 + BETA_SQUARED) * precision * recall / np.where(below > 0, below, 1)
    return float(f.max())


class ClassCounts(NamedTuple):
    """Pixels of one image with respect to one class (Table 3)."""

    right: int
    """Given or denied the class rightly."""
    total: int
    both: int
    """Of the class, and given it."""
    either: int


def class_counts(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], ignore: NDArray[np.bool_] | None = None
) -> ClassCounts:
    """Count the pixels that were given a class, ``mask``, against those that have it."""
    counted = np.ones(truth.shape, bool) if ignore is None else ~ignore
    mask, truth = mask[counted], truth[counted]
    return ClassCounts(
        int((mask == truth).sum()), truth.size, int((mask & truth).sum()), int((mask | truth).sum())
    )


def pixel_accuracy(counts: Sequence[ClassCounts]) -> float:
    """Share of right pixels, of all images together."""
    return sum(c.right for c in counts) / sum(c.total for c in counts)


def mean_class_iou(counts: Sequence[ClassCounts], classes: Sequence[str]) -> float:
    """Mean over the classes of intersection over union, of all images of a class together.

    Parameters
    ----------
    counts : sequence of ClassCounts
        Of each image.
    classes : sequence of str
        The class that was counted in it.
    """
    ious = []
    for name in sorted(set(classes)):
        mine = [c for c, other in zip(counts, classes, strict=True) if other == name]
        ious.append(sum(c.both for c in mine) / max(1, sum(c.either for c in mine)))
    return float(np.mean(ious))
