"""How likely the mask of an object in a frame is good, and why it may not be."""

from __future__ import annotations

import math

import numpy as np

from napari_brs.masks import Box, Mask
from napari_brs.propagation.frame import Evidence

WEIGHTS = (10.3, 6.8, 1.2, 3.1)
BIAS = -15.0
"""Of a logistic regression on `Evidence` of followed objects: a mask is good at an IoU of 0.7
or more (``docs/propagation.md`` says of which sequences, and how well it tells)."""
DOUBTFUL = 0.7
"""Below it a mask ought to be looked at."""
REASONS = ("its outline is unsure", "the network is unsure", "it moved far", "its size changed")
"""What a low value of each kind of evidence means, in the order of `Evidence`."""


def chance(evidence: Evidence) -> float:
    """Chance that a mask is good, 0 to 1; 0 of an object that was lost."""
    if not any(evidence):
        return 0.0
    return 1 / (1 + math.exp(-BIAS - float(np.dot(WEIGHTS, evidence))))


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
