"""Interactive segmentation with the backpropagating refinement scheme (BRS).

Importing the package loads neither torch nor napari: the names below are
fetched when they are first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_brs.brs.prediction import Prediction
    from napari_brs.clicks import Click
    from napari_brs.converted.network import make_interactive
    from napari_brs.models import list_models
    from napari_brs.prompts.box import predict
    from napari_brs.segmenters import Segmenter, open_segmenter
    from napari_brs.session import Session

__version__ = "0.1.0"
__all__ = [
    "Click",
    "Prediction",
    "Segmenter",
    "Session",
    "__version__",
    "list_models",
    "make_interactive",
    "open_segmenter",
    "predict",
]

# torch's threads wait for one another after every layer. OpenMP lets them spin meanwhile,
# which stalls them all where something else runs; it reads this once, when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOME = {
    "Click": "napari_brs.clicks",
    "Prediction": "napari_brs.brs.prediction",
    "Segmenter": "napari_brs.segmenters",
    "Session": "napari_brs.session",
    "open_segmenter": "napari_brs.segmenters",
    "predict": "napari_brs.prompts.box",
    "list_models": "napari_brs.models",
    "make_interactive": "napari_brs.converted.network",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
