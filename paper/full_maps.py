"""Evaluate a network with the textbook's refinement over the maps of the whole image.

    python -m paper.full_maps PACK --model M --limit 20 --json full.json
    napari-brs evaluate PACK --model M --limit 20 --json window.json
    napari-brs evaluate --compare full.json window.json

The image is seen as a whole at its own resolution, as the authors' code does; the
robot, the objects and the figures are those of ``napari-brs evaluate``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from napari_brs.brs.devices import choose_device
from napari_brs.brs.interaction_maps import interaction_maps
from napari_brs.brs.prediction import Progress
from napari_brs.brs.view import View
from napari_brs.clicks import Click, click_arrays
from napari_brs.evaluation.protocol import RobotSettings
from napari_brs.evaluation.report import short_summary
from napari_brs.evaluation.run import evaluate, to_json
from napari_brs.evaluation.speed import textbook
from napari_brs.image import ImageSource
from napari_brs.io.atomic import write_text
from napari_brs.io.layouts import open_dataset
from napari_brs.masks import Box
from napari_brs.models import load_model
from napari_brs.segmenters import Segmenter


@dataclass(frozen=True)
class Evaluations:
    """How many a refinement took."""

    evaluations: int


@dataclass(frozen=True)
class Outcome:
    """What the robot is shown."""

    mask: NDArray[np.bool_]
    seconds: float
    refinement: Evaluations | None
    change: NDArray[Any] | float
    """What refinement added to the maps so far, for the next click to start from."""


class FullMapsSegmenter:
    """As `napari_brs.Segmenter`, without its views and its refinement."""

    def __init__(self, model: str, device: str = "auto", max_evaluations: int = 100) -> None:
        self.device = choose_device(device)
        self.network = load_model(model).to(self.device)
        self.max_evaluations = max_evaluations

    def set_image(self, image: NDArray[Any]) -> None:
        """Compute the features of an image (H, W[, C])."""
        self.shape = image.shape[:2]
        view = View(Box(0, 0, *self.shape), self.shape)
        pixels = view.crop(ImageSource(image).read(0, 0, *self.shape)).to(self.device)
        with torch.no_grad():
            self._features = self.network.encode(pixels)

    def predict(
        self,
        clicks: Iterable[Click],
        *,
        previous: Outcome | None,
        refine: bool,
        on_progress: Callable[[Progress], None],
        size_hint: float | None,
    ) -> Outcome:
        """One forward pass, and the textbook's refinement where a click is not obeyed."""
        del on_progress  # nothing is told of it before it is done
        del size_hint  # the whole image is looked at
        began = time.perf_counter()
        points, labels = click_arrays(clicks)
        earlier = None
        if previous is not None and self.network.uses_previous:
            earlier = torch.from_numpy(previous.mask).float()[None, None].to(self.device)

        def decode(maps: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network.decode(
                self._features, maps.to(self.device), earlier
            )
            return logits

        clicked = interaction_maps(points, labels, self.shape)
        maps = clicked + (0.0 if previous is None else previous.change)
        count = None
        if refine:
            maps, evaluations = textbook.refine(
                decode, maps, points.astype(np.intp), labels, self.max_evaluations
            )
            count = Evaluations(evaluations) if evaluations > 1 else None
        with torch.no_grad():
            logits = decode(torch.as_tensor(maps[None], dtype=torch.float32))
        mask = (logits[0, 0] > 0).cpu().numpy()
        return Outcome(mask, time.perf_counter() - began, count, maps - clicked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--model", default="brs-densenet")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--max-clicks", type=int, default=20)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    segmenter = FullMapsSegmenter(args.model, args.device)
    result = evaluate(
        open_dataset(args.pack, None),
        # The robot asks it for no more than it has.
        lambda: cast(Segmenter, segmenter),
        RobotSettings(max_clicks=args.max_clicks),
        about={"model": f"{args.model}, full maps", "device": str(segmenter.device)},
        limit=args.limit,
    )
    write_text(args.json, to_json(result))
    print(short_summary(result))


if __name__ == "__main__":
    main()
