"""A converted network on an image: the whole segmentation at once, and clicks that repair it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brs.brs.devices import Placement, choose_device
from napari_brs.brs.prediction import Previous, Progress, mask_of, validate_request
from napari_brs.brs.refinement import Start, prepare
from napari_brs.brs.segmenter import MAX_EVALUATIONS
from napari_brs.brs.view import View
from napari_brs.clicks import Click, validate_clicks
from napari_brs.converted.correction import Correction, begin, correct
from napari_brs.converted.frame import Frame
from napari_brs.converted.network import ConvertedNetwork, make_interactive
from napari_brs.converted.repair import (
    ConvertedPrediction,
    as_refined,
    as_segmented,
    clicked_parts,
    held,
)
from napari_brs.converted.tiles import tile_around
from napari_brs.converted.whole_image import WholeImage, accept
from napari_brs.image import Channel, CurrentImage
from napari_brs.masks import Box, Mask
from napari_brs.models import load_model


class ConvertedSegmenter:
    """A converted network, an image, its segmentation, and clicks that repair it: a `Segmenter`.

    `segment` gives the segmentation of the whole image, `instances` its objects. `predict`
    gives one object: the one that the clicks hit, repaired where it contradicts them.
    Images that are larger than `tiles.SIDE` are looked at in overlapping tiles.

    Parameters
    ----------
    network : ConvertedNetwork
        From `make_interactive`.
    device : str
        As for `BRSSegmenter`.
    cores : callable, optional
        Probability (1, 1, H, W) that a pixel lies inside an object, away from others, for
        the network's input: tells touching objects apart. Without it connected pixels are
        one object.
    """

    def __init__(
        self,
        network: ConvertedNetwork,
        device: str = "auto",
        cores: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.network = network
        self._cores = cores
        self._image = CurrentImage()
        self._frame: Frame | None = None
        # What a `Frame` keeps lies on the CPU, wherever the network computes.
        self._placement = Placement(network, choose_device(device), lambda: None)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._placement.device

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self._image.shape

    def set_image(
        self,
        image: Any,
        contrast_limits: tuple[float, float] | None = None,
        channel: Channel | None = None,
    ) -> None:
        """Take an image; see `ImageSource` for the parameters and further errors.

        Raises
        ------
        ValueError
            If the image is too large for its segmentation to be kept.
        """
        self._frame = None
        self._image.take(image, contrast_limits, channel)
        self._frame = Frame(self.network, self._image.source, self._cores)

    def encode(
        self, around: tuple[float, float] | None = None, size_hint: float | None = None
    ) -> None:
        """Segment the whole image, which the first click would wait for."""
        prepare()
        self.instances()

    def segment(
        self,
        clicks: Iterable[Click] = (),
        targets: Sequence[int] | None = None,
        previous: WholeImage | None = None,
    ) -> WholeImage:
        """The segmentation of the whole image, and what clicks make of it.

        Clicks change the connected errors that they hit, not those elsewhere.

        Parameters
        ----------
        clicks : iterable of Click
            All clicks so far. A positive one says that its pixel has a class, a
            negative one that it has not.
        targets : sequence of int, optional
            The class that each click speaks of; default the first that is no background.
        previous : WholeImage, optional
            The segmentation before the last click; default the network's own.

        Raises
        ------
        ValueError
            For clicks that cannot be used, or classes that are none.
        """
        clicks = validate_clicks(clicks, self.shape)
        named = tuple(self.network.objects[:1] * len(clicks) if targets is None else targets)
        self._check_targets(named, len(clicks))
        return self._placement.run(lambda: self._correct_all(clicks, named, previous))

    def instances(self) -> NDArray[np.int32]:
        """The objects of the network's own segmentation, (H, W) int32: 0 background, 1..n.

        Connected pixels of one class, or, with a second head for it, touching objects
        apart. Where classes do not exclude each other, later ones lie on top.
        """
        return self._placement.run(lambda: self._seen_frame.instances(self.device))

    @property
    def _seen_frame(self) -> Frame:
        if self._frame is None:
            raise RuntimeError("no image was set; call set_image first")
        return self._frame

    def predict(
        self,
        clicks: Iterable[Click],
        previous: Previous = None,
        refine: bool = True,
        threshold: float = 0.5,
        on_progress: Callable[[Progress], bool | None] | None = None,
        size_hint: float | None = None,
        target: int | None = None,
    ) -> ConvertedPrediction:
        """The object that the clicks hit; parameters and errors as for `BRSSegmenter.predict`.

        A positive click adds to the mask what the network takes for the same object there,
        a negative one takes away what it takes for something else. Where the network
        contradicts a click, its output is refined around the click first. Parts without
        a positive click are dropped, if there are any positive ones.

        Parameters
        ----------
        target : int, optional
            Class of the object; default the one that the first positive click hits or,
            where there is none, the likeliest one.
        """
        clicks = validate_request(clicks, previous, threshold, self.shape, size_hint)
        if target is not None:
            self._check_targets((target,), 1)
        return self._placement.run(
            lambda: self._repair(clicks, previous, refine, threshold, on_progress, target)
        )

    def _check_targets(self, targets: Sequence[int], clicks: int) -> None:
        if len(targets) != clicks:
            raise ValueError(f"{len(targets)} classes were given for {clicks} clicks")
        for target in targets:
            if not 0 <= target < len(self.network.classes):
                raise ValueError(
                    f"class {target} is not one of 0 to {len(self.network.classes) - 1}"
                )

    # corrections

    def _begin(self, tile: Box, maps: Tensor | None) -> tuple[Tensor, Start]:
        """The network's input in a tile, and what it gives with the maps so far."""
        x = self._seen_frame.cropped(tile, self.device)
        return x, begin(self.network, x, None if maps is None else maps.to(self.device))

    def _refined(
        self,
        tile: Box,
        begun: tuple[Tensor, Start],
        clicks: Sequence[Click],
        targets: Sequence[int],
        threshold: float,
        on_evaluation: Callable[[int, float], bool | None] | None = None,
    ) -> Correction:
        pixels = [_in(tile, click) for click in clicks]
        return correct(
            self.network,
            *begun,
            torch.tensor(pixels, device=self.device),
            torch.tensor([click.positive for click in clicks], device=self.device),
            targets,
            threshold=threshold,
            max_evaluations=MAX_EVALUATIONS,
            on_evaluation=on_evaluation,
        )

    def _probabilities(self, tile: Box, output: Tensor) -> NDArray[np.float32]:
        size = (tile.height, tile.width)
        return self.network.probabilities(output, size)[0].float().cpu().numpy()

    def _correct_all(
        self, clicks: tuple[Click, ...], targets: tuple[int, ...], previous: WholeImage | None
    ) -> WholeImage:
        now = previous or self._seen_frame.segmentation(self.device)

        def obeyed(whole: WholeImage) -> list[bool]:
            masks = {target: whole.mask(target) for target in set(targets)}
            return [
                bool(masks[target][click.pixel]) == click.positive
                for click, target in zip(clicks, targets, strict=True)
            ]

        right = obeyed(now)
        wrong = [click for click, well in zip(clicks, right, strict=True) if not well]
        if not wrong:
            return replace(now, clicks_obeyed=tuple(right), evaluations=0)
        tile = tile_around([c.pixel for c in wrong[-1:]], self.shape, self.network.form.size)
        inside = [i for i, click in enumerate(clicks) if tile.holds(*click.pixel)]
        done = self._refined(
            tile,
            self._begin(tile, now.maps.get(tile)),
            [clicks[i] for i in inside],
            [targets[i] for i in inside],
            0.5,
        )
        probabilities = now.probabilities.copy()
        accept(
            probabilities[(slice(None), *tile.slices)],
            self._probabilities(tile, done.output),
            now.exclusive,
            [_in(tile, click) for click in wrong if tile.holds(*click.pixel)],
        )
        found = WholeImage(
            probabilities,
            now.exclusive,
            (),
            done.refinement.evaluations,
            done.stable,
            {**now.maps, tile: done.maps.cpu()},
        )
        return replace(found, clicks_obeyed=tuple(obeyed(found)))

    def _repair(
        self,
        clicks: tuple[Click, ...],
        previous: Previous,
        refine_clicks: bool,
        threshold: float,
        on_progress: Callable[[Progress], bool | None] | None,
        target: int | None,
    ) -> ConvertedPrediction:
        began = time.perf_counter()
        before = mask_of(previous, self.shape)
        earlier = previous if isinstance(previous, ConvertedPrediction) else None
        instances, whole = self.instances(), self._seen_frame.segmentation(self.device)
        if target is None:
            target = earlier.target if earlier else self._target(clicks, before)
        own = whole.probabilities[target]
        region = as_segmented(before, clicks, whole.mask(target, threshold), instances)
        wrong = [click for click in clicks if region.holds(*click.pixel) != click.positive]
        last = list(wrong or clicks)[-1].pixel
        tile, maps = tile_around([last], self.shape, self.network.form.size), None
        if earlier and earlier.tile and all(earlier.tile.holds(*click.pixel) for click in wrong):
            tile, maps = earlier.tile, earlier.map_change

        def prediction(
            region: Mask, values: NDArray[np.float32], done: Correction | None
        ) -> ConvertedPrediction:
            box = region.box.union(tile) if region else tile
            probability = own[box.slices].copy()
            probability[tile.within(box).slices] = values
            return ConvertedPrediction(
                self.shape,
                View(box, (box.height, box.width)),
                held(probability, region.read(box), threshold),
                threshold,
                region,
                clicks,
                tuple(region.holds(*click.pixel) == click.positive for click in clicks),
                before.changed(region),
                None if done is None else done.refinement,
                time.perf_counter() - began,
                maps if done is None else done.maps.cpu(),
                done is None or done.stable,
                target,
                0.0 if done is None else done.far_change,
                tile,
            )

        now = prediction(region, own[tile.slices], None)
        if on_progress and on_progress(Progress(0, MAX_EVALUATIONS, None, now)) is False:
            return now
        if not wrong or not refine_clicks:
            return now
        begun = self._begin(tile, maps)
        first = self._probabilities(tile, begun[1].output.detach())[target]
        used = [
            click
            for click in clicks
            if tile.holds(*click.pixel)
            # The pixels of other objects are no mistake of the network's.
            and (click.positive or click in wrong or first[_in(tile, click)] <= threshold)
        ]

        def report(evaluation: int, energy: float) -> bool | None:
            return on_progress and on_progress(Progress(evaluation, MAX_EVALUATIONS, energy))

        done = self._refined(tile, begun, used, [target] * len(used), threshold, report)
        refined = self._probabilities(tile, done.output)[target]
        inside = [click for click in wrong if tile.holds(*click.pixel)]
        region, shown = as_refined(region, inside, tile, first, refined, threshold)
        return prediction(clicked_parts(region, clicks), shown, done)

    def _target(self, clicks: Sequence[Click], before: Mask) -> int:
        objects = self.network.objects
        if len(objects) == 1:
            return objects[0]
        likely = self._seen_frame.segmentation(self.device).probabilities[list(objects)]
        pixels = [click.pixel for click in clicks if click.positive]
        if pixels:
            return objects[int(likely[(slice(None), *pixels[0])].argmax())]
        if not before:
            return objects[0]
        inside = likely[(slice(None), *before.box.slices)][:, before.pixels]
        return objects[int(inside.sum(1).argmax())]


def open_converted(model: str | os.PathLike[str], device: str = "auto") -> ConvertedSegmenter:
    """The segmenter of a shipped network that segments whole images, or of weights for one."""
    network: Any = load_model(model)
    converted = make_interactive(network, normalise=network.normalise)
    return ConvertedSegmenter(converted, device, getattr(network, "cores", None))


def _in(tile: Box, click: Click) -> tuple[int, int]:
    """The pixel of a click in a tile."""
    return click.pixel[0] - tile.top, click.pixel[1] - tile.left
