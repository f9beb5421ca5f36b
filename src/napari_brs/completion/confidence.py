"""How likely a candidate is what the user wants: evidence, weighed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_brs.completion.candidates import Candidate
from napari_brs.completion.looks import Look

EVIDENCE = (
    "stability", "certainty", "size", "smallness", "shape", "intensity", "contrast", "texture",
    "nearest", "kinship", "core", "ring", "peak", "fidelity",
)  # fmt: skip
"""Names of what `evidence` tells, in its order."""


def evidence(
    candidate: Candidate,
    look: Look,
    core: float,
    ring: float,
    peak: float,
    examples: Sequence[Look],
) -> NDArray[np.float64]:
    """Figures of a candidate beside those of the examples, (len(EVIDENCE),) float64.

    Parameters
    ----------
    candidate : Candidate
    look : Look
    core, ring, peak : float
        Probability that a place is core: mean in the candidate, mean around it, at its click.
    examples : sequence of Look
        At least one.
    """
    areas = np.log([example.area for example in examples])
    size = (math.log(look.area) - areas.mean()) / max(areas.std(), 0.35)
    forms = np.log([example.compactness for example in examples])
    shape = (math.log(look.compactness) - forms.mean()) / max(forms.std(), 0.15)
    tones = np.array([example.intensity for example in examples])
    tone = tones.mean(0)
    spread = max(np.linalg.norm(tones - tone, axis=1).std(), 0.1)
    contrast = np.mean([example.contrast for example in examples], axis=0)
    texture = np.mean([example.texture for example in examples])
    kinship = np.array([example.kinship for example in examples]) @ look.kinship
    return np.array(
        [
            candidate.stability,
            candidate.certainty,
            min(abs(size), 4),
            min(max(-size, 0), 4),
            min(abs(shape), 4),
            min(np.linalg.norm(look.intensity - tone) / spread, 4),
            min(np.linalg.norm(look.contrast - contrast) / (np.linalg.norm(contrast) + 0.03), 2),
            min(abs(math.log((look.texture + 0.01) / (texture + 0.01))), 2),
            kinship.max(),
            kinship.mean(),
            core,
            ring,
            peak,
            np.mean([example.fidelity for example in examples]),
        ]
    )


WEIGHTS = np.array(
    [5.07, 8.43, -0.57, 0.08, 0.38, -0.43, -0.33, -0.34, 5.39, -0.74, 1.65, -1.68, 0.19, 0.33]
)
BIAS = -12.29
"""Logistic regression of the evidence. It was fitted on 19 validation images (12 of micro_val,
7 of micro2_val, K = 3): figures on those packs are in part in-sample; see docs/completion.md."""


def confidence(figures: NDArray[np.float64]) -> float:
    """Of `evidence`: how likely the candidate is an object, well outlined; in [0, 1]."""
    return float(1 / (1 + np.exp(-(WEIGHTS @ figures + BIAS))))
