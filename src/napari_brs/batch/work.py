"""One image of a batch, from its file to its labels; runs in the workers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.batch.inputs import BatchImage
from napari_brs.batch.records import Record, finished, labels_path, write_record
from napari_brs.image import Channel
from napari_brs.io.images import read_plane
from napari_brs.io.labels import write_labels
from napari_brs.masks import Mask, label_masks
from napari_brs.segmenters import Segmenter, open_segmenter

if TYPE_CHECKING:
    from napari_brs.completion.examples import Examples


_IN_USE = threading.Lock()
"""Workers of other people's clusters may have several threads; a segmenter may not."""


@dataclass(frozen=True, eq=False)
class Taught:
    """What finished objects of one image teach about all.

    Attributes
    ----------
    image : str
        Name of the image that the objects are of; they are kept in its result.
    finished : mapping
        Id -> `Mask`.
    examples : Examples
    """

    image: str
    finished: dict[int, Mask]
    examples: Examples


@dataclass(frozen=True, eq=False)
class Plan:
    """What is done with each image.

    Attributes
    ----------
    folder : Path
        Where results go.
    settings : dict
        What they depend on beside the image; kept in the records.
    model, device, trust
        As for `open_segmenter`.
    channel, contrast_limits
        As for `Segmenter.set_image`.
    taught : Taught, optional
        Objects like these are found; without, those that the model finds by itself.
    confidence : float
        Of proposals, from here on they are objects.
    """

    folder: Path
    settings: dict[str, Any]
    model: str
    device: str = "auto"
    trust: bool = False
    channel: Channel | None = None
    contrast_limits: tuple[float, float] | None = None
    taught: Taught | None = None
    confidence: float = 0.5


def segment_image(image: BatchImage, plan: Plan) -> Record:
    """Segment an image and write its labels, and then its record; not if it was done before.

    Whatever goes wrong is told in the record, so that the next image has its turn.
    """
    done = finished(plan.folder, image, plan.settings) if image.path.exists() else None
    if done is not None:
        return done
    began = time.perf_counter()
    try:
        plane = read_plane(image.path, image.indices)
        segmenter = _segmenter(plan.model, plan.device, plan.trust)
        with _IN_USE:
            segmenter.set_image(plane.pixels, plan.contrast_limits, plan.channel)
            labels = find_objects(segmenter, image.name, plan)
        write_labels(labels_path(plan.folder, image), labels)
        areas = np.bincount(labels.ravel())[1:]
        areas = areas[areas > 0]
        mean = float(areas.mean()) if areas.size else 0.0
        record = Record(image.name, int(areas.size), mean, time.perf_counter() - began)
        write_record(plan.folder, image, record, plan.settings)
    except Exception as error:  # whatever libraries raise on one image, the others go on
        reason = " ".join(str(error).split()) or type(error).__name__
        return Record(image.name, seconds=time.perf_counter() - began, error=reason)
    return record


def find_objects(segmenter: Segmenter, name: str, plan: Plan) -> NDArray[np.integer]:
    """Labels of the segmenter's image, (H, W): what the model finds, or what is like the examples.

    Raises
    ------
    ValueError
        If the model finds nothing without clicks, or `completion.propose.propose` refuses.
    """
    if plan.taught is None:
        found = segmenter.instances()
        if found is None:
            raise ValueError(f"{plan.model} segments nothing without clicks")
        return found
    from napari_brs.completion.propose import propose

    own = plan.taught.finished if plan.taught.image == name else {}
    examples = None if own else plan.taught.examples
    labels = np.zeros(segmenter.shape, np.uint32)
    for label, mask in own.items():
        labels[mask.box.slices][mask.pixels] = label
    label = max(own, default=0)
    for proposal in propose(segmenter, list(own.values()), examples=examples):  # type: ignore[arg-type]
        if proposal.confidence >= plan.confidence:
            label += 1
            labels[proposal.mask.box.slices][proposal.mask.pixels] = label
    return labels


def teach(segmenter: Segmenter, image: BatchImage, labels: NDArray[Any], plan: Plan) -> Taught:
    """Learn from the objects of one image.

    Parameters
    ----------
    segmenter : Segmenter
        Of an interactive network.
    image : BatchImage
    labels : (H, W) int
        Its finished objects.
    plan : Plan

    Raises
    ------
    ValueError
        If the labels are not of the image's shape or hold no object, or the segmenter is
        of another kind.
    """
    from napari_brs.completion.examples import Examples
    from napari_brs.completion.propose import check_network

    check_network(segmenter)
    plane = read_plane(image.path, image.indices)
    if labels.shape != plane.pixels.shape[:2]:
        raise ValueError(
            f"the examples have shape {labels.shape}; that of {image.path}, "
            f"{plane.pixels.shape[:2]}, is allowed"
        )
    segmenter.set_image(plane.pixels, plan.contrast_limits, plan.channel)
    finished = label_masks(labels)
    examples = Examples.of(segmenter, list(finished.values()))  # type: ignore[arg-type]
    return Taught(image.name, finished, examples)


@lru_cache(maxsize=1)
def _segmenter(model: str, device: str, trust: bool) -> Segmenter:
    """Opened once a worker."""
    return open_segmenter(model, device, trust)
