"""A segmenter that needs no network: discs around clicks. Fast, and its mask is known."""

from __future__ import annotations

import re
import threading
import time
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from napari_brs.brs.prediction import Prediction, Progress
from napari_brs.brs.segmenter import MAX_EVALUATIONS
from napari_brs.brs.view import View
from napari_brs.masks import Box, Mask
from napari_brs.networks.base import InteractiveNetwork

RADIUS = 6


def discs(shape: tuple[int, int], clicks: Any, radius: float | None = None) -> np.ndarray:
    """Pixels near a foreground click, less those near a background click."""
    rows, columns = np.indices(shape)
    mask = np.zeros(shape, bool)
    for positive in (True, False):
        for click in clicks:
            if click.positive == positive:
                near = (rows - click.row) ** 2 + (columns - click.column) ** 2 <= (
                    radius or RADIUS
                ) ** 2
                mask[near] = positive
    return mask


def untimed(status: str) -> str:
    """The status line without the time, which is another at each run."""
    return re.sub(r"\d+ ms|\d+\.\d s", "TIME", status)


class FakeSegmenter:
    """Same contract as `napari_brs.Segmenter`; counts what it is asked.

    While `held` is set it goes on refining. Class attributes are reset by the fixture.
    """

    made: ClassVar[list[FakeSegmenter]] = []
    images: ClassVar[list[Any]] = []
    encoded = 0
    predicted: ClassVar[list[tuple[Any, ...]]] = []
    starts: ClassVar[list[Any]] = []
    arounds: ClassVar[list[Any]] = []
    sizes: ClassVar[list[Any]] = []
    threads: ClassVar[set[int]] = set()
    running = 0
    held = threading.Event()
    error: Exception | None = None

    @classmethod
    def reset(cls) -> None:
        cls.made, cls.images, cls.predicted = [], [], []
        cls.starts, cls.arounds, cls.sizes = [], [], []
        cls.encoded, cls.running = 0, 0
        cls.threads, cls.error = set(), None
        cls.held.clear()

    def __init__(self, model: str = "brs-live", device: str = "auto") -> None:
        if device == "cuda":
            raise ValueError("no device 'cuda' here; allowed are auto, cpu")
        self.model = model
        self.shape = (0, 0)
        self.made.append(self)

    def set_image(self, image: Any, contrast_limits: Any = None, channel: Any = None) -> None:
        self.shape = tuple(image.shape[:2])
        self.pixels = image
        self.images.append((image, contrast_limits))

    def encode(self, around: Any = None, size_hint: float | None = None) -> None:
        type(self).encoded += 1
        self.arounds.append(around)
        self.sizes.append(size_hint)
        np.asarray(self.pixels[0:1, 0:1])

    def instances(self) -> None:
        """It needs clicks."""

    def predict(
        self,
        clicks: Any,
        previous: Any = None,
        refine: bool = True,
        threshold: float = 0.5,
        on_progress: Any = None,
        size_hint: float | None = None,
    ) -> Prediction:
        cls = type(self)
        assert cls.running == 0, "two threads at once"
        cls.running += 1
        cls.threads.add(threading.get_ident())
        try:
            if self.error is not None:
                raise self.error
            self.predicted.append(tuple(clicks))
            self.sizes.append(size_hint)
            if previous is not None and not isinstance(previous, Prediction):
                previous = np.asarray(previous)
            self.starts.append(previous)
            return self._predict(tuple(clicks), previous, refine, threshold, on_progress)
        finally:
            cls.running -= 1

    def _predict(
        self, clicks: Any, previous: Any, refine: bool, threshold: float, on_progress: Any
    ) -> Prediction:
        mask = discs(self.shape, clicks)
        if isinstance(previous, np.ndarray):
            mask |= previous
        probability = np.where(mask, np.float32(0.9), np.float32(0.1))
        box = Box(0, 0, *self.shape)

        def prediction(refinement: Any) -> Prediction:
            obeyed = tuple(bool(mask[click.pixel] == click.positive) for click in clicks)
            view = View(box, self.shape)
            packed, seconds = Mask.of(probability > threshold), 0.0125
            return Prediction(
                self.shape, view, probability, threshold, packed, clicks, obeyed, box, refinement,
                seconds,
            )  # fmt: skip

        now = prediction(None)
        if on_progress and on_progress(Progress(0, MAX_EVALUATIONS, None, now)) is False:
            return now
        evaluation = 0
        while refine and self.held.is_set():
            time.sleep(0.02)
            evaluation += 1
            now = prediction(SimpleNamespace(evaluations=evaluation))
            if on_progress and on_progress(Progress(evaluation, 20, 1.0)) is False:
                break
        return now


class BrightFeatures(NamedTuple):
    """Mean colours of blocks of 4 by 4, and of 8 by 8 pixels, the latter of unit length."""

    s4: torch.Tensor
    s8: torch.Tensor


class BrightNetwork(InteractiveNetwork):
    """Takes what is bright and within `REACH` grid pixels of the foreground click, and not
    nearer to a background click, for the object."""

    REACH = 60
    encoded = 0

    def encode(self, image: torch.Tensor) -> BrightFeatures:
        self.encoded += 1
        rows, columns = image.shape[-2:]
        padded = F.pad(image / 255, (0, -columns % 32, 0, -rows % 32))
        s8 = F.avg_pool2d(padded, 8)
        # Places are compared by brightness: grey of unit length would be grey everywhere.
        s8 = F.normalize(torch.cat([s8, 1 - s8], 1), dim=1)
        return BrightFeatures(F.avg_pool2d(padded, 4), s8)

    def decode_both(
        self, features: Any, maps: torch.Tensor, previous: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        bright = F.interpolate(features.s4.mean(1, keepdim=True), scale_factor=4, mode="bilinear")
        bright = bright[..., : maps.shape[-2], : maps.shape[-1]]
        near = (maps[:, :1] > 1 - self.REACH / 255) & (maps[:, :1] >= maps[:, 1:])
        logits = torch.where(near, 40 * (bright - 0.2), torch.full_like(bright, -8.0))
        return logits, logits


def frame_of_discs(
    shape: tuple[int, int], radius: float = 9, step: int = 40, dim: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Bright discs on a dark image, (H, W) uint8, and their numbers, (H, W) int32.

    With `dim`, every second one is only half as bright.
    """
    image, labels = np.full(shape, 10, np.uint8), np.zeros(shape, np.int32)
    rows, columns = np.indices(shape)
    for row in range(step // 2, shape[0], step):
        for column in range(step // 2, shape[1], step):
            inside = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
            labels[inside] = labels.max() + 1
            image[inside] = 110 if dim and labels.max() % 2 else 220
    return image, labels
