"""From clicks to a mask with an interactive network: one encoding, a decoding per click."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brs.brs import zoom
from napari_brs.brs.devices import Placement, choose_device, has_bfloat16
from napari_brs.brs.interaction_maps import interaction_maps
from napari_brs.brs.prediction import (
    Earlier,
    Prediction,
    Previous,
    Progress,
    validate_request,
)
from napari_brs.brs.refinement import Refinement, Start, prepare, refine
from napari_brs.brs.view import View, sample
from napari_brs.clicks import Click, click_arrays
from napari_brs.image import Channel, CurrentImage
from napari_brs.masks import Box, Mask
from napari_brs.models import load_model
from napari_brs.networks.base import InteractiveNetwork
from napari_brs.networks.folding import fold_batch_norms

MAX_EVALUATIONS = 20
"""Refinement stops after so many passes; more rarely change the mask."""
CACHED_VIEWS = 8
"""Views whose features are kept."""
LOOKS = 2
"""How often one click may change the view: once to find the object, once to see it well."""


class BRSSegmenter:
    """An interactive network, an image, and the way from clicks to masks: a `Segmenter`.

    Use it from one thread at a time.

    Parameters
    ----------
    model : str, path or InteractiveNetwork
        A name from `list_models`, a weights file, or a network.
    device : str
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``. If a GPU runs out of
        memory, the work goes on on the CPU with a warning.

    Examples
    --------
    >>> segmenter = BRSSegmenter("brs-live")                  # doctest: +SKIP
    >>> segmenter.set_image(image)                            # doctest: +SKIP
    >>> first = segmenter.predict([Click(40, 52)])            # doctest: +SKIP
    >>> better = segmenter.predict(                           # doctest: +SKIP
    ...     [Click(40, 52), Click(60, 52, positive=False)], previous=first
    ... )
    """

    def __init__(
        self, model: str | os.PathLike[str] | InteractiveNetwork = "brs-live", device: str = "auto"
    ) -> None:
        placed = choose_device(device)
        if isinstance(model, InteractiveNetwork):
            self.network = model.eval().requires_grad_(False)
        else:
            # Nobody else trains or saves this one.
            self.network = fold_batch_norms(load_model(model).eval().requires_grad_(False))
        self._image = CurrentImage()
        self._seen: OrderedDict[View, NamedTuple] = OrderedDict()
        self._placement = Placement(self.network, placed, self._seen.clear)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._placement.device

    def set_image(
        self,
        image: Any,
        contrast_limits: tuple[float, float] | None = None,
        channel: Channel | None = None,
    ) -> None:
        """Take an image; see `ImageSource` for the parameters and errors.

        Nothing is read or computed yet: `encode` and `predict` do that for the
        windows they look at.
        """
        self._image.take(image, contrast_limits, channel)
        self._seen.clear()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self._image.shape

    def encode(
        self, around: tuple[float, float] | None = None, size_hint: float | None = None
    ) -> None:
        """Do beforehand what the first click would wait for: the features of the first view.

        Parameters
        ----------
        around : (float, float), optional
            (row, column) where a click is likely; default the centre. It matters
            only where the first click does not see the image as a whole.
        size_hint : float, optional
            As for `predict`.
        """
        rows, columns = self.shape
        centre = around or ((rows - 1) / 2, (columns - 1) / 2)
        view = zoom.first_view(self.shape, _clicked_box((Click(*centre),)), size_hint)
        prepare()
        self._placement.run(lambda: self._features(view))

    def instances(self) -> None:
        """Nothing: such a network finds no objects without clicks."""

    def predict(
        self,
        clicks: Iterable[Click],
        previous: Previous = None,
        refine: bool = True,
        threshold: float = 0.5,
        on_progress: Callable[[Progress], bool | None] | None = None,
        size_hint: float | None = None,
    ) -> Prediction:
        """Mask of the object that the clicks mean.

        Parameters
        ----------
        clicks : iterable of Click
            All clicks of the object, at least one, in order.
        previous : Prediction, (H, W) bool array, Mask or None
            The prediction before the last click (its mask is shown to the
            network, its refined maps are the warm start), or an existing mask
            to correct, which in a large image is best given as a `Mask`.
        refine : bool
            Whether to minimise E (Section 3.2) when a click is not obeyed.
        threshold : float
            Probabilities above it are foreground; in (0, 1).
        on_progress : callable, optional
            Gets a `Progress` after the forward pass and after each
            evaluation; returning False cancels, and the best so far is returned.
        size_hint : float, optional
            About how long the object is, in pixels: of the first click, which else
            looks at the whole image or a large tile. Other objects of the image tell.

        Raises
        ------
        ValueError
            For no click, a click outside the image, a pixel clicked with both
            signs, a threshold out of range, a previous mask of another shape, or a size
            that is not positive.
        RuntimeError
            If no image was set.
        """
        clicks = validate_request(clicks, previous, threshold, self.shape, size_hint)
        return self._placement.run(
            lambda: self._predict(
                clicks, Earlier.of(previous, self.shape), refine, threshold, on_progress, size_hint
            )
        )

    def features(self, view: View) -> NamedTuple:
        """What the network's encoder gives for a view, on the device; the last few are kept."""
        return self._placement.run(lambda: self._features(view))

    def pixels(self, box: Box) -> NDArray[np.float32]:
        """The image in a box, (box.height, box.width, 3) float32 RGB in [0, 255]."""
        return self._image.source.read(box.top, box.left, box.height, box.width)

    def _predict(
        self,
        clicks: tuple[Click, ...],
        before: Earlier,
        refine_clicks: bool,
        threshold: float,
        on_progress: Callable[[Progress], bool | None] | None,
        size_hint: float | None,
    ) -> Prediction:
        began = time.perf_counter()
        pixels = tuple(Click(*click.pixel, click.positive) for click in clicks)
        points, labels = click_arrays(pixels)
        clicked = _clicked_box(clicks)
        found = before.mask

        def prediction(look: _Look, logits: Tensor, done: Refinement | None) -> Prediction:
            probability = logits.sigmoid()
            pasted = (look.view.paste(probability) > threshold).cpu().numpy()
            mask = Mask.of(pasted, look.view.box, self.shape)
            on_grid = probability[0, 0].cpu().numpy()
            on_grid.setflags(write=False)
            obeyed = tuple(mask.holds(*click.pixel) == click.positive for click in clicks)
            change = look.change if done is None else done.maps - look.click_maps
            return Prediction(
                self.shape,
                look.view,
                on_grid,
                threshold,
                mask,
                clicks,
                obeyed,
                found.changed(mask),
                done,
                time.perf_counter() - began,
                change,
            )

        view = before.next_view(clicked, size_hint)
        for remaining in reversed(range(LOOKS)):
            look = self._look(view, points, labels, before)
            start = self._start(look, refine_clicks)
            now = prediction(look, start.output.detach(), None)
            if on_progress and on_progress(Progress(0, MAX_EVALUATIONS, None, now)) is False:
                return now
            before = Earlier.of(now, self.shape)
            view = before.next_view(clicked)
            if not remaining or view == now.view:
                break
        if not refine_clicks or all(now.clicks_obeyed):
            return now

        grid_points = self._tensor(look.view.to_grid(points))
        wanted = self._tensor(labels)

        def is_obeyed(logits: Tensor) -> bool:
            probability = sample(logits.sigmoid(), grid_points)
            return bool(((probability > threshold) == (wanted > 0.5)).all())

        def report(evaluation: int, energy: float) -> bool | None:
            return on_progress and on_progress(Progress(evaluation, MAX_EVALUATIONS, energy))

        refined = refine(
            look.decode,
            look.maps,
            grid_points,
            wanted,
            max_evaluations=MAX_EVALUATIONS,
            is_obeyed=is_obeyed,
            on_evaluation=report,
            known=start,
        )
        return prediction(look, refined.output, refined)

    def _start(self, look: _Look, refine_clicks: bool) -> Start:
        """The network's answer in a view, which refinement goes on from if it is wanted."""
        if refine_clicks:
            return Start.of(look.decode, look.maps)
        with torch.no_grad():
            return Start(look.maps, look.decode(look.maps))

    def _look(
        self,
        view: View,
        points: NDArray[np.float64],
        labels: NDArray[np.bool_],
        before: Earlier,
    ) -> _Look:
        """Everything that the network needs for the clicks in a view."""
        features = self._features(view)
        previous = None
        if self.network.uses_previous and before.mask:
            previous = self._tensor(before.probability(view))
        click_maps = self._tensor(interaction_maps(view.to_grid(points), labels, view.grid)[None])
        change = None
        if before.map_change is not None and before.view == view:
            change = before.map_change.to(self.device)
        return _Look(view, self.network, features, previous, click_maps, change)

    def _features(self, view: View) -> NamedTuple:
        if view in self._seen:
            self._seen.move_to_end(view)
            return self._seen[view]
        box = view.box
        pixels = self.pixels(box)
        with torch.no_grad(), _half_precision(self.device):
            image = self._tensor(view.crop(pixels))
            features = self.network.encode(image.contiguous(memory_format=torch.channels_last))
            features = type(features)(*(part.float() for part in features))
        self._seen[view] = features
        while len(self._seen) > CACHED_VIEWS:
            self._seen.popitem(last=False)
        return features

    def _tensor(self, values: NDArray[Any] | Tensor) -> Tensor:
        return torch.as_tensor(values).to(self.device, torch.float32)


def _half_precision(device: torch.device) -> torch.autocast:
    """Convolutions in bfloat16 where a CPU multiplies it in hardware: half the time.

    Refinement stays in float32: its small steps of the maps would be rounded away.
    """
    wanted = device.type == "cpu" and has_bfloat16("cpu")
    return torch.autocast("cpu", torch.bfloat16, enabled=wanted)


@dataclass(frozen=True)
class _Look:
    """A network, a view, and the clicks on it."""

    view: View
    network: InteractiveNetwork
    features: NamedTuple
    previous: Tensor | None
    click_maps: Tensor
    change: Tensor | None
    """What earlier refinements added to the maps."""

    @property
    def maps(self) -> Tensor:
        return self.click_maps if self.change is None else self.click_maps + self.change

    def decode(self, maps: Tensor) -> Tensor:
        return self.network.decode(self.features, maps, self.previous)


def _clicked_box(clicks: Iterable[Click]) -> Box:
    pixels = np.array([click.pixel for click in clicks])
    (top, left), (bottom, right) = pixels.min(axis=0), pixels.max(axis=0)
    return Box(int(top), int(left), int(bottom) + 1, int(right) + 1)
