"""Networks without their fine decoder, for the ablations of Table 2."""

from __future__ import annotations

import os
from typing import NamedTuple

from torch import Tensor

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.models import load_model
from napari_brs.networks.base import InteractiveNetwork
from napari_brs.networks.folding import fold_batch_norms


class CoarseOnly(InteractiveNetwork):
    """A network whose coarse decoder decides, and is what refinement differentiates.

    Parameters
    ----------
    whole : InteractiveNetwork
        Its fine decoder is still computed, so times say nothing.
    """

    def __init__(self, whole: InteractiveNetwork) -> None:
        super().__init__()
        self.whole = whole
        self.uses_previous = whole.uses_previous

    def encode(self, image: Tensor) -> NamedTuple:
        return self.whole.encode(image)

    def decode_both(
        self, features: NamedTuple, maps: Tensor, previous: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The coarse logits, twice."""
        coarse, _ = self.whole.decode_both(features, maps, previous)
        return coarse, coarse


def open_coarse(model: str | os.PathLike[str], device: str = "auto") -> BRSSegmenter:
    """The segmenter for a network without its fine decoder.

    Raises
    ------
    ValueError, FileNotFoundError
        As `open_segmenter` and `load_model` do, and if the model has no two decoders.
    """
    network = load_model(model)
    if not isinstance(network, InteractiveNetwork):
        raise ValueError(f"{model} has no coarse decoder; networks of the BRS kind are allowed")
    return BRSSegmenter(CoarseOnly(fold_batch_norms(network)), device)
