"""Labels of known shape, for the tests of exporters."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_brs.io.exporters.labelled_image import LabelledImage

ROWS, COLUMNS = 60, 80


def plane(**known: Any) -> LabelledImage:
    """A ring with a core (3), two pieces that touch at a corner (7), a high id at the border."""
    labels = np.zeros((ROWS, COLUMNS), np.uint32)
    labels[10:30, 10:30] = 3
    labels[14:26, 14:26] = 0
    labels[18:22, 18:22] = 3
    labels[40:45, 40:50] = 7
    labels[45:50, 50:55] = 7
    labels[0:60, 76:80] = 70_000
    return LabelledImage(labels, **known)


def series(**known: Any) -> LabelledImage:
    """Four frames: 3 moves right; 8 divides after frame 1 into 5 and 6."""
    labels = np.zeros((4, ROWS, COLUMNS), np.uint16)
    for frame in range(4):
        labels[frame, 10:20, 10 + frame : 20 + frame] = 3
        if frame < 2:
            labels[frame, 40:50, 40:60] = 8
        else:
            labels[frame, 40:50, 40:48] = 5
            labels[frame, 40:50, 52:60] = 6
    return LabelledImage(labels, "TYX", **({"parents": {5: 8, 6: 8}} | known))


def noise(seed: int, shape: tuple[int, ...] = (24, 31), objects: int = 5) -> np.ndarray:
    """Labels without any order: holes, pieces, touching corners."""
    return np.random.default_rng(seed).integers(0, objects, shape).astype(np.uint16)
