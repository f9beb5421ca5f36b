"""Does refining more than a click's pixel spread its correction, or do harm?

    python -m paper.spread PACK ... [--every 10] [--model brs-live]

The robot clicks without refinement. In the states that it comes to with its second,
fourth, sixth and ninth click, each variant refines the same clicks, and the IoU after it
is compared with that before: the difference is the variant's alone. A variant refines
where a pixel within ``radius`` grid pixels of a click (that of its nearest click) has its
label with a probability below ``certainty``, until none has, at most eight evaluations.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_brs.brs.refinement import refine
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.brs.view import sample
from napari_brs.evaluation.protocol import RobotSettings, choose_objects
from napari_brs.io.layouts import open_dataset
from napari_brs.metrics import iou
from napari_brs.robot import click_through

STATES = (2, 4, 6, 9)
"""Clicks after which the variants are tried."""
EVALUATIONS = 8


@dataclass(frozen=True)
class Variant:
    """What is refined, and for what."""

    name: str
    radius: float
    certainty: float
    levels: tuple[str, ...] = ()
    """Features whose scale and bias are refined; empty: the maps."""
    local: bool = False
    """Only changes that are connected with a click are taken over."""
    last: bool = False
    """The neighbourhood of the last click alone; of the others their pixel."""


VARIANTS = (
    Variant("maps, click pixels (as shipped)", 0, 0.5),
    Variant("maps, radius 3", 3, 0.7),
    Variant("maps, radius 3, connected changes", 3, 0.7, local=True),
    Variant("maps, radius 5", 5, 0.8),
    Variant("maps, radius 5, connected changes", 5, 0.8, local=True),
    Variant("maps, radius 5 of the last click, connected changes", 5, 0.8, local=True, last=True),
    Variant("scale and bias of s16, radius 5", 5, 0.8, ("s16",)),
    Variant("scale and bias of s8, s16, s32, radius 5", 5, 0.8, ("s8", "s16", "s32")),
)


class State(NamedTuple):
    """What a variant starts from."""

    pack: str
    look: Any
    points: NDArray[np.float64]
    labels: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    ignore: NDArray[np.bool_]


class Watched(BRSSegmenter):
    """Remembers what it looked at."""

    def _look(self, *arguments: Any) -> Any:
        self.looked = super()._look(*arguments), arguments[1], arguments[2]
        return self.looked[0]


def collect(segmenter: Watched, path: Path, every: int) -> list[State]:
    """States of one object of each ``every``-th image of a pack."""
    pack, states = open_dataset(path, None), []
    for name in pack.names[::every]:
        found = pack.read(name)
        for number in choose_objects(found.labels, name, RobotSettings()):
            segmenter.set_image(found.image)
            truth, ignore = found.labels == number, found.ignore
            predict = partial(segmenter.predict, refine=False)
            for made in click_through(predict, truth, ignore, max_clicks=max(STATES)):
                if len(made.clicks) in STATES:
                    states.append(State(pack.name, *segmenter.looked, truth, ignore))
                if iou(made.mask, truth, ignore) >= 0.93:
                    break
    return states


def neighbourhood(
    clicks: NDArray[np.float64], radius: float, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Grid pixels within a radius of the clicks, and the nearest click of each."""
    if radius == 0:
        return clicks, np.arange(len(clicks))
    reach = np.mgrid[-int(radius) : radius + 1, -int(radius) : radius + 1].reshape(2, -1).T
    reach = reach[(reach**2).sum(1) <= radius**2]
    pixels = np.unique((np.rint(clicks)[:, None] + reach).reshape(-1, 2), axis=0)
    pixels = pixels[((pixels >= 0) & (pixels < shape)).all(1)]
    return pixels, ((pixels[:, None] - clicks) ** 2).sum(2).argmin(1)


def parametrise(look: Any, levels: tuple[str, ...]) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Logits as a function of what is refined, and where it starts."""
    if not levels:
        return look.decode, look.maps
    parts = [getattr(look.features, name) for name in levels]
    sizes = [2 * part.shape[1] for part in parts]

    def decode(variable: Tensor) -> Tensor:
        changed = {}
        for name, part, value in zip(levels, parts, torch.split(variable, sizes), strict=True):
            scale, bias = value.view(2, 1, -1, 1, 1)
            changed[name] = part * (1 + scale) + bias * part.std((0, 2, 3), keepdim=True)
        logits: Tensor = look.network.decode(
            look.features._replace(**changed), look.maps, look.previous
        )
        return logits

    return decode, torch.zeros(sum(sizes))


def gain(state: State, variant: Variant) -> tuple[float, bool] | None:
    """IoU gained, and whether the neighbourhoods came out right; None if they were before."""
    look = state.look
    clicks = look.view.to_grid(state.points)
    pixels, nearest = neighbourhood(clicks, variant.radius, look.view.grid)
    labels = state.labels[nearest]
    if variant.last:
        chosen = nearest == len(clicks) - 1
        pixels, labels = (
            np.concatenate([pixels[chosen], clicks]),
            np.concatenate([labels[chosen], state.labels]),
        )
    points, wanted = torch.tensor(pixels).float(), torch.tensor(labels).float()

    def is_right(logits: Tensor) -> bool:
        probability = sample(logits.sigmoid(), points)
        sure = torch.where(wanted > 0.5, probability, 1 - probability)
        return bool((sure > variant.certainty).all())

    def full(logits: Tensor) -> NDArray[np.bool_]:
        mask = np.zeros_like(state.truth)
        mask[look.view.box.slices] = look.view.paste(logits.sigmoid()).numpy() > 0.5
        return mask

    with torch.no_grad():
        logits = look.decode(look.maps)
    if is_right(logits):
        return None
    decode, start = parametrise(look, variant.levels)
    done = refine(decode, start, points, wanted, max_evaluations=EVALUATIONS, is_obeyed=is_right)
    before, after = full(logits), full(done.output)
    if variant.local:
        regions, _ = ndimage.label(before ^ after, np.ones((3, 3)))
        rows, columns = np.rint(look.view.to_image(pixels)).astype(int).T
        rows, columns = rows.clip(0, regions.shape[0] - 1), columns.clip(0, regions.shape[1] - 1)
        hit = np.unique(regions[rows, columns])
        after = before ^ np.isin(regions, hit[hit > 0])
    change = iou(after, state.truth, state.ignore) - iou(before, state.truth, state.ignore)
    return change, is_right(done.output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("packs", type=Path, nargs="+")
    parser.add_argument("--model", default="brs-live")
    parser.add_argument("--every", type=int, default=10, help="each N-th image (%(default)s)")
    args = parser.parse_args()
    segmenter = Watched(args.model, "cpu")
    states = [state for path in args.packs for state in collect(segmenter, path, args.every)]
    print("| refined | pack | states refined | points of IoU | worse by 1, better by 1 | right |")
    print("|---|---|---|---|---|---|")
    for variant in VARIANTS:
        for pack in dict.fromkeys(state.pack for state in states):
            mine = [state for state in states if state.pack == pack]
            found = [item for item in (gain(state, variant) for state in mine) if item]
            change = 100 * np.array([item[0] for item in found])
            print(
                f"| {variant.name} | {pack} | {len(found)} of {len(mine)} "
                f"| {change.mean() if found else 0:+.2f} "
                f"| {np.sum(change < -1)}, {np.sum(change > 1)} "
                f"| {sum(item[1] for item in found)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
