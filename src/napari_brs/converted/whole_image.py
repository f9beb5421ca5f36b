"""The segmentation of a whole image by a converted network, and what a correction changes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.masks import Box, joined

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class WholeImage:
    """The segmentation of an image.

    Attributes
    ----------
    probabilities : (K, H, W) float32
        Of each class.
    exclusive : bool
        Whether a pixel has one class; class 0 is the background then.
    clicks_obeyed : tuple of bool
    evaluations : int
        Of the refinement that led to it.
    stable : bool
        As in `ConvertedPrediction`.
    maps : dict
        Tile -> the maps z so far.
    """

    probabilities: NDArray[np.float32]
    exclusive: bool
    clicks_obeyed: tuple[bool, ...] = ()
    evaluations: int = 0
    stable: bool = True
    maps: dict[Box, Tensor] = field(default_factory=dict, repr=False)

    @property
    def classes(self) -> NDArray[np.intp]:
        """(H, W): the likeliest class of each pixel."""
        return np.asarray(self.probabilities.argmax(0))

    def mask(self, target: int, threshold: float = 0.5) -> NDArray[np.bool_]:
        """(H, W) bool: the pixels of one class; the likeliest one where classes exclude."""
        if self.exclusive and self.probabilities.shape[0] > 2:
            return np.asarray(self.classes == target)
        return np.asarray(self.probabilities[target] > threshold)


def accept(
    probabilities: NDArray[np.float32],
    refined: NDArray[np.float32],
    exclusive: bool,
    pixels: Iterable[tuple[int, int]],
) -> None:
    """Take over what refinement changed in the errors that clicks hit, and nothing else.

    Parameters
    ----------
    probabilities : (K, H, W) float32
        Changed in place.
    refined : (K, H, W) float32
    exclusive : bool
        Whether a pixel has one class.
    pixels : iterable of (int, int)
        Clicked pixels. Connected pixels whose class has changed are taken over if one of
        them is among these.
    """
    pixels = list(pixels)
    different = _decided(probabilities, exclusive) != _decided(refined, exclusive)
    for layer, changed in enumerate(different):
        chosen: Any = slice(None) if exclusive else layer
        hit = joined(changed, pixels)
        probabilities[chosen] = np.where(hit, refined[chosen], probabilities[chosen])


def _decided(probabilities: NDArray[np.float32], exclusive: bool) -> NDArray[Any]:
    """(1, H, W) likeliest classes, or (K, H, W) whether a pixel has each class."""
    return np.asarray(probabilities.argmax(0)[None] if exclusive else probabilities > 0.5)
