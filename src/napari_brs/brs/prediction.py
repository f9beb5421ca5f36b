"""What a prediction is, and what the next click takes from it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brs.brs import zoom
from napari_brs.brs.view import View
from napari_brs.clicks import Click, validate_clicks
from napari_brs.masks import Box, Mask, read

if TYPE_CHECKING:
    from napari_brs.brs.refinement import Refinement


@dataclass(frozen=True)
class Prediction:
    """The mask of one object, and what the next click starts from.

    Sessions keep one for every step of undo, so it holds little: the probability
    as the network's grid has it, and the mask packed; the rest is made on demand.
    Outside the view the probability is 0.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the image.
    view : View
        The part of the image that was looked at.
    grid_probability : (view.grid) float32
        Foreground probability on the view's grid; read-only.
    threshold : float
        Pixels above it are foreground.
    packed : Mask
        The pixels of the object, all inside the view.
    clicks : tuple of Click
    clicks_obeyed : tuple of bool
        Whether each click has its label in the full-resolution mask.
    bbox : Box
        Smallest box around the pixels that differ from the previous mask; of
        height 0 if none does.
    refinement : Refinement or None
        None if every click was obeyed without it, or it was not wanted.
    seconds : float
        What the whole call took.
    map_change : (1, 2, rows, columns) tensor or None
        What refinement added to the maps so far; the warm start.
    stable : bool
        False if the clicks could not be obeyed without changing much far away from them;
        networks that were trained with clicks are always stable.
    """

    shape: tuple[int, int]
    view: View
    grid_probability: NDArray[np.float32] = field(repr=False)
    threshold: float
    packed: Mask = field(repr=False)
    clicks: tuple[Click, ...]
    clicks_obeyed: tuple[bool, ...]
    bbox: Box
    refinement: Refinement | None
    seconds: float
    map_change: Tensor | None = field(default=None, repr=False)
    stable: bool = True

    @property
    def window_mask(self) -> NDArray[np.bool_]:
        """The mask inside the view, (view.box.height, view.box.width) bool, read-only."""
        mask = self.packed.read(self.view.box)
        mask.setflags(write=False)
        return mask

    @property
    def window_probability(self) -> NDArray[np.float32]:
        """Foreground probability in the view, (view.box.height, view.box.width) float32."""
        return self.view.paste_array(self.grid_probability)

    @property
    def probability(self) -> NDArray[np.float32]:
        """Probability of the whole image, (H, W) float32, made on demand."""
        return read(self.window_probability, self.view.box, Box(0, 0, *self.shape))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Mask of the whole image, (H, W) bool, made on demand."""
        return self.packed.full()


Previous: TypeAlias = Prediction | Mask | NDArray[np.bool_] | None
"""The mask that a click finds."""


@dataclass(frozen=True, slots=True)
class Progress:
    """News from a running prediction.

    Attributes
    ----------
    evaluation, limit : int
        Refinement evaluations made and allowed; (0, limit) after the forward pass.
    energy : float or None
        E of the last evaluation.
    prediction : Prediction or None
        The mask so far, after the forward pass.
    """

    evaluation: int
    limit: int
    energy: float | None = None
    prediction: Prediction | None = None


def validate_request(
    clicks: Iterable[Click],
    previous: Previous,
    threshold: float,
    shape: tuple[int, int],
    size_hint: float | None = None,
) -> tuple[Click, ...]:
    """The clicks that a segmenter is to obey, as a tuple, or what is wrong with the request.

    Raises
    ------
    ValueError
        For no click, clicks that `validate_clicks` refuses, a threshold outside
        (0, 1), a previous mask of another shape than the image's (H, W), or a size
        that is no positive number.
    """
    clicks = validate_clicks(clicks, shape)
    if not clicks:
        raise ValueError("there is no click; at least one is needed")
    if not 0 < threshold < 1:
        raise ValueError(f"threshold is {threshold}; it must lie between 0 and 1")
    if previous is not None and previous.shape != shape:
        raise ValueError(f"the previous mask has shape {previous.shape}, the image {shape}")
    if size_hint is not None and not 0 < size_hint < math.inf:
        raise ValueError(f"size_hint is {size_hint}; a positive number of pixels is allowed")
    return clicks


def mask_of(previous: Previous, shape: tuple[int, int]) -> Mask:
    """The mask that a click finds on an (H, W) image, whether predicted, given or none."""
    if previous is None:
        return Mask.empty(shape)
    if isinstance(previous, Prediction):
        return previous.packed
    return previous if isinstance(previous, Mask) else Mask.of(previous)


@dataclass(frozen=True)
class Earlier:
    """What a click finds: a mask, and the prediction that it comes from, if from any."""

    mask: Mask
    prediction: Prediction | None = None

    @staticmethod
    def of(previous: Previous, shape: tuple[int, int]) -> Earlier:
        """From what `Segmenter.predict` takes as `previous`, on an (H, W) image."""
        prediction = previous if isinstance(previous, Prediction) else None
        return Earlier(mask_of(previous, shape), prediction)

    @property
    def view(self) -> View | None:
        """The view it was predicted in."""
        return None if self.prediction is None else self.prediction.view

    @property
    def map_change(self) -> Tensor | None:
        """What refinement added to the maps so far."""
        return None if self.prediction is None else self.prediction.map_change

    def next_view(self, clicked: Box, size_hint: float | None = None) -> View:
        """The view for the mask, the box around all clicks, and the object's size if known."""
        shape = self.mask.shape
        if self.view is None and not self.mask:
            return zoom.first_view(shape, clicked, size_hint)
        target = self.mask.box.union(clicked) if self.mask else clicked
        if self.view is None:
            return zoom.object_view(shape, target)
        # Clicks alone say nothing about the size of the object.
        if not self.mask and target.intersection(self.view.box) == target:
            return self.view
        return zoom.next_view(self.view, shape, target)

    def probability(self, view: View) -> Tensor:
        """On the grid of a view, (1, 1, rows, columns) float32; a given mask is certain."""
        if self.prediction is None:
            values = self.mask.read(view.box).astype(np.float32)
        elif self.prediction.view == view:
            return torch.tensor(self.prediction.grid_probability)[None, None]
        else:
            seen = self.prediction.view.box
            values = read(self.prediction.window_probability, seen, view.box)
        return view.crop(values[..., None])
