"""What can complete a frame: a clickable network with examples, and rivals without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_brs.evaluation.frames import Found, Proposer
from napari_brs.masks import Box, Mask

OTSU = "otsu"
"""Name of the classical rival."""


class _Instance(NamedTuple):
    mask: Mask
    confidence: float = 1.0


def open_proposer(model: str, device: str = "auto", trust: bool = False) -> Proposer:
    """What completes frames by a model; loads torch.

    Parameters
    ----------
    model : str
        A clickable network, which learns from the examples; one that segments whole images,
        whose objects are taken as they are; or ``"otsu"``, see `otsu_objects`.
    device : str
    trust : bool
        See `open_segmenter`.

    Raises
    ------
    ValueError
        If the model cannot complete frames.
    """
    if model == OTSU:
        return lambda image, finished: _instances(otsu_objects(image, finished), finished)
    from napari_brs.brs.segmenter import BRSSegmenter
    from napari_brs.completion.propose import propose
    from napari_brs.converted.segmenter import ConvertedSegmenter
    from napari_brs.segmenters import open_segmenter

    segmenter: Any = open_segmenter(model, device, trust)

    def from_examples(image: NDArray[np.uint8], finished: Sequence[Mask]) -> Iterator[Found]:
        segmenter.set_image(image)
        return propose(segmenter, finished)

    def from_instances(image: NDArray[np.uint8], finished: Sequence[Mask]) -> Iterator[Found]:
        segmenter.set_image(image)
        return _instances(segmenter.instances(), finished)

    if isinstance(segmenter, ConvertedSegmenter):
        return from_instances
    if isinstance(segmenter, BRSSegmenter):
        return from_examples
    raise ValueError(f"{model} cannot complete frames; a network or {OTSU} is allowed")


def otsu_objects(image: NDArray[np.uint8], finished: Sequence[Mask]) -> NDArray[np.int32]:
    """Objects by a threshold (Otsu 1979) and a watershed of the distance to the background.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8
    finished : sequence of Mask
        They tell whether objects are bright or dark, and how far apart seeds lie.

    Returns
    -------
    (H, W) int32
    """
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.filters import gaussian, threshold_otsu
    from skimage.segmentation import watershed

    grey = image if image.ndim == 2 else image.mean(2)
    smooth = gaussian(grey, 1, preserve_range=True)  # type: ignore[no-untyped-call]
    mask = smooth > threshold_otsu(smooth)  # type: ignore[no-untyped-call]
    inside = np.concatenate([mask[finished_mask.nonzero()] for finished_mask in finished])
    if inside.mean() < 0.5:
        mask = ~mask
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1)
    width = np.median([min(m.box.height, m.box.width) for m in finished])
    apart = max(1, round(0.3 * width))
    peaks = peak_local_max(depth, min_distance=apart, labels=mask * 1)  # type: ignore[no-untyped-call]
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    found = watershed(-depth, seeds, mask=mask)  # type: ignore[no-untyped-call]
    return np.asarray(found, np.int32)


def _instances(labels: NDArray[np.int32], finished: Sequence[Mask]) -> Iterator[Found]:
    """The objects of a label image that are not finished yet, what is finished cut out."""
    from scipy.ndimage import find_objects

    labels = labels.copy()
    areas = np.bincount(labels.ravel())
    for mask in finished:
        labels[mask.nonzero()] = 0
    left = np.bincount(labels.ravel(), minlength=len(areas))
    for number, slices in enumerate(find_objects(labels), start=1):
        if slices is not None and 2 * left[number] > areas[number]:
            rows, columns = slices
            box = Box(rows.start, columns.start, rows.stop, columns.stop)
            yield _Instance(Mask.of(labels[slices] == number, box, labels.shape))
