"""How likely the mask of an object in a frame is good, and why it may not be."""

from __future__ import annotations

import math

import numpy as np

from napari_brs.masks import Box, Mask
from napari_brs.propagation.frame import Evidence

WEIGHTS = (4.0, 4.0, 4.0, 2.0)
BIAS = -9.0
"""Of a logistic regression on `Evidence` of followed objects: a mask is good at an IoU of 0.7
or more (``docs/propagation.md`` says of which sequences, and how well it tells)."""
MEMORY = 0.9
"""How much of a frame's doubt the next one inherits: errors grow from frame to frame."""
REASONS = ("its outline is unsure", "the network is unsure", "it moved far", "its size changed")
"""What a low value of each kind of evidence means, in the order of `Evidence`."""


def chance(evidence: Evidence, before: float = 1.0) -> float:
    """Chance that a mask is good, 0 to 1.

    Parameters
    ----------
    evidence : Evidence
    before : float
        That of the mask that it was made from; 1 if a person made it.
    """
    if not any(evidence):
        return 0.0
    score = BIAS + float(np.dot(WEIGHTS, evidence))
    inherited = 1 - MEMORY * (1 - before)
    return inherited / (1 + math.exp(-score))


def reason(mask: Mask, evidence: Evidence) -> str:
    """What speaks most against a mask, in a few words."""
    if not mask:
        return "it was lost"
    if mask.box.grown(1, mask.shape) != _grown(mask.box):
        return "it is at the image's border"
    missing = [weight * (1 - value) for weight, value in zip(WEIGHTS, evidence, strict=True)]
    return REASONS[int(np.argmax(missing))]


def _grown(box: Box) -> Box:
    return Box(box.top - 1, box.left - 1, box.bottom + 1, box.right + 1)
