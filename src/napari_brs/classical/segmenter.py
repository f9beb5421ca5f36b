"""Classical methods as a `Segmenter`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.brs.prediction import (
    Earlier,
    Prediction,
    Previous,
    Progress,
    validate_request,
)
from napari_brs.brs.view import View
from napari_brs.classical.seeds import seeds
from napari_brs.clicks import Click, click_arrays
from napari_brs.image import Channel, CurrentImage
from napari_brs.masks import Box, Mask
from napari_brs.models import model_info

LONGEST = 256
"""Longest side of the grid that is segmented: a few tenths of a second at most."""

Method = Callable[[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.float32]]
"""(image (H, W, 3) in [0, 1], foreground seeds, background seeds) -> probability (H, W)."""


class ClassicalSegmenter:
    """A method that knows only the image and the clicks; see `Segmenter` for the interface.

    It sees the same part of the image as a network would. The mask is made anew from all
    clicks; `previous` only says where to look, unless it is a mask to correct.
    Without a foreground click nothing is foreground but what such a mask holds.
    Every click is obeyed, because clicked pixels are seeds; there is nothing to refine.

    Parameters
    ----------
    model : str
        A name of kind ``"classical"`` from `list_models`.

    Raises
    ------
    ValueError
        If it is the name of something else.
    """

    device = "cpu"

    def __init__(self, model: str) -> None:
        info = model_info(model)
        if info.kind != "classical":
            raise ValueError(f"{model!r} is of kind {info.kind!r}; 'classical' is allowed")
        self._method: Method = info.locate()
        self._image = CurrentImage()

    def set_image(
        self,
        image: Any,
        contrast_limits: tuple[float, float] | None = None,
        channel: Channel | None = None,
    ) -> None:
        """Take an image; see `ImageSource` for the parameters and errors."""
        self._image.take(image, contrast_limits, channel)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self._image.shape

    def encode(
        self, around: tuple[float, float] | None = None, size_hint: float | None = None
    ) -> None:
        """Nothing can be done before there is a click."""

    def instances(self) -> None:
        """Nothing: such a method finds no objects without clicks."""

    def predict(
        self,
        clicks: Iterable[Click],
        previous: Previous = None,
        refine: bool = True,
        threshold: float = 0.5,
        on_progress: Callable[[Progress], bool | None] | None = None,
        size_hint: float | None = None,
    ) -> Prediction:
        """Mask of the object that the clicks mean; parameters and errors as for `Segmenter`.

        ``refine`` changes nothing. ``on_progress`` is called once, with the result.
        """
        began = time.perf_counter()
        clicks = validate_request(clicks, previous, threshold, self.shape, size_hint)
        before = Earlier.of(previous, self.shape)
        if isinstance(previous, Prediction):
            given = previous.given if isinstance(previous, _Correction) else None
        else:
            given = before if before.mask else None
        pixels = np.array([click.pixel for click in clicks])
        (top, left), (bottom, right) = pixels.min(axis=0), pixels.max(axis=0) + 1
        clicked = Box(int(top), int(left), int(bottom), int(right))
        view = before.next_view(clicked, size_hint)
        probability = self._probability(view.box, clicks, given)
        mask = probability > threshold
        rows, columns = (pixels - (view.box.top, view.box.left)).T
        # Where the grid is coarser than the image, several clicks may share one of its pixels.
        mask[rows, columns] = [click.positive for click in clicks]
        found = Mask.of(mask, view.box, self.shape)
        on_grid = view.crop(probability[..., None])[0, 0].numpy()
        on_grid.setflags(write=False)
        prediction = _Correction(
            self.shape,
            view,
            on_grid,
            threshold,
            found,
            clicks,
            (True,) * len(clicks),
            before.mask.changed(found),
            None,
            time.perf_counter() - began,
            given=given,
        )
        if on_progress:
            on_progress(Progress(0, 0, None, prediction))
        return prediction

    def _probability(
        self, box: Box, clicks: tuple[Click, ...], given: Earlier | None
    ) -> NDArray[np.float32]:
        """Of the pixels of a box of the image, by the clicks and a mask to correct."""
        scale = min(1.0, LONGEST / max(box.height, box.width))
        grid = (max(1, round(box.height * scale)), max(1, round(box.width * scale)))
        view = View(box, grid)
        image = self._image.source.read(box.top, box.left, box.height, box.width)
        mask = None
        if given is not None:
            mask = given.probability(view)[0, 0].numpy() > 0.5
        points, labels = click_arrays(clicks)
        foreground, background = seeds(view.to_grid(points), labels, grid, mask)
        if foreground.any() and background.any():
            colours = view.crop(image)[0].permute(1, 2, 0).numpy() / 255
            found = self._method(colours, foreground, background)
        else:
            found = np.full(grid, foreground.any(), np.float32)
        return view.paste_array(found)


@dataclass(frozen=True)
class _Correction(Prediction):
    """A prediction that remembers the mask it corrects."""

    given: Earlier | None = field(default=None, repr=False, kw_only=True)
