"""What a prediction is, and what the next click takes from it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brs import zoom
from napari_brs.clicks import Click, validate_clicks
from napari_brs.geometry import Box, View

if TYPE_CHECKING:
    from napari_brs.refinement import Refinement


@dataclass(frozen=True)
class PackedMask:
    """A mask in an eighth of its memory, for histories."""

    shape: tuple[int, int]
    bits: NDArray[np.uint8]

    @staticmethod
    def of(mask: NDArray[np.bool_]) -> PackedMask:
        """Pack an (H, W) mask."""
        return PackedMask((mask.shape[0], mask.shape[1]), np.packbits(mask))

    def unpack(self) -> NDArray[np.bool_]:
        """The (H, W) bool mask, read-only."""
        size = self.shape[0] * self.shape[1]
        mask = np.unpackbits(self.bits, count=size).view(bool).reshape(self.shape)
        mask.setflags(write=False)
        return mask


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
    packed : PackedMask
        The mask inside the view, (view.box.height, view.box.width).
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
    """

    shape: tuple[int, int]
    view: View
    grid_probability: NDArray[np.float32] = field(repr=False)
    threshold: float
    packed: PackedMask = field(repr=False)
    clicks: tuple[Click, ...]
    clicks_obeyed: tuple[bool, ...]
    bbox: Box
    refinement: Refinement | None
    seconds: float
    map_change: Tensor | None = field(default=None, repr=False)

    @property
    def window_mask(self) -> NDArray[np.bool_]:
        """The mask inside the view, (view.box.height, view.box.width) bool, read-only."""
        return self.packed.unpack()

    @property
    def window_probability(self) -> NDArray[np.float32]:
        """Foreground probability in the view, (view.box.height, view.box.width) float32."""
        return self.view.paste_array(self.grid_probability)

    @property
    def probability(self) -> NDArray[np.float32]:
        """Probability of the whole image, (H, W) float32, made on demand."""
        return self._full(self.window_probability)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Mask of the whole image, (H, W) bool, made on demand."""
        return self._full(self.window_mask)

    def _full(self, window: NDArray[Any]) -> NDArray[Any]:
        full = np.zeros(self.shape, window.dtype)
        full[self.view.box.slices] = window
        return full


@dataclass(frozen=True)
class MaskWindow:
    """An existing mask, given in a window: in a large image nothing as large is made of it.

    It stands for the (H, W) bool array that NumPy makes of it.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the image.
    box : Box
        The window, inside the image; all around it is background.
    mask : (box.height, box.width) bool
    """

    shape: tuple[int, int]
    box: Box
    mask: NDArray[np.bool_]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        full = np.zeros(self.shape, bool if dtype is None else dtype)
        full[self.box.slices] = self.mask
        return full

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self)[key]


Previous: TypeAlias = Prediction | MaskWindow | NDArray[np.bool_] | None
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


@dataclass(frozen=True)
class Earlier:
    """The mask that a click finds, whether predicted, given or none."""

    window: Box
    mask: NDArray[np.bool_]
    """(window.height, window.width); background outside."""
    box: Box | None
    """Around the foreground, in image pixels; None if there is none."""
    prediction: Prediction | None = None

    @staticmethod
    def of(previous: Previous) -> Earlier:
        """From what `Segmenter.predict` takes as `previous`."""
        if previous is None:
            return Earlier(Box(0, 0, 0, 0), np.zeros((0, 0), bool), None)
        if isinstance(previous, Prediction):
            window, mask = previous.view.box, previous.window_mask
            box = Box.around(mask)
            return Earlier(window, mask, box and box.shifted(window.top, window.left), previous)
        corner, given = (0, 0), previous
        if isinstance(previous, MaskWindow):
            corner, given = (previous.box.top, previous.box.left), previous.mask
        mask = np.asarray(given, bool)
        box = Box.around(mask)
        tight = box or Box(0, 0, 0, 0)
        return Earlier(tight.shifted(*corner), mask[tight.slices], box and box.shifted(*corner))

    @property
    def view(self) -> View | None:
        """The view it was predicted in."""
        return None if self.prediction is None else self.prediction.view

    @property
    def map_change(self) -> Tensor | None:
        """What refinement added to the maps so far."""
        return None if self.prediction is None else self.prediction.map_change

    def next_view(
        self, shape: tuple[int, int], clicked: Box, size_hint: float | None = None
    ) -> View:
        """The view for the mask, the box around all clicks, and the object's size if known."""
        if self.view is None and self.box is None:
            return zoom.first_view(shape, clicked, size_hint)
        target = clicked if self.box is None else self.box.union(clicked)
        if self.view is None:
            return zoom.object_view(shape, target)
        # Clicks alone say nothing about the size of the object.
        if self.box is None and target.intersection(self.view.box) == target:
            return self.view
        return zoom.next_view(self.view, shape, target)

    def probability(self, view: View) -> Tensor:
        """On the grid of a view, (1, 1, rows, columns) float32; a given mask is certain."""
        if self.prediction is not None and self.prediction.view == view:
            return torch.tensor(self.prediction.grid_probability)[None, None]
        values = np.asarray(self.mask, np.float32)
        if self.prediction is not None:
            values = self.prediction.window_probability
        return view.crop(self._read(values, view.box)[..., None])

    def difference(self, box: Box, mask: NDArray[np.bool_]) -> Box:
        """Smallest box around the pixels where a mask, given in a box, is another one."""
        both = self.window.union(box) if self.window.height else box
        changed = self._read(self.mask, both)
        changed[box.shifted(-both.top, -both.left).slices] ^= mask
        found = Box.around(changed)
        return (
            found.shifted(both.top, both.left)
            if found
            else Box(box.top, box.left, box.top, box.left)
        )

    def _read(self, window: NDArray[Any], box: Box) -> NDArray[Any]:
        """The values of a window in a box of the image; 0 outside the window."""
        values = np.zeros((box.height, box.width), window.dtype)
        common = box.intersection(self.window)
        values[common.shifted(-box.top, -box.left).slices] = window[
            common.shifted(-self.window.top, -self.window.left).slices
        ]
        return values
