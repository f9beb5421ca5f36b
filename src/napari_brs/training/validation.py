"""IoU after so many clicks of the robot, through the product's own segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.networks.base import InteractiveNetwork
from napari_brs.robot import click_through

from .items import Item

MIN_AREA = 100


def choose_objects(items: Sequence[Item], count: int, seed: int = 0) -> list[tuple[Item, int]]:
    """One object of at least 100 pixels of each of at most ``count`` items spread evenly."""
    rng = np.random.default_rng(seed)
    usable = [item for item in items if (item.areas >= MIN_AREA).any()]
    places = np.unique(np.linspace(0, len(usable) - 1, min(count, len(usable))).round().astype(int))
    return [
        (usable[i], usable[i].objects[rng.choice(np.flatnonzero(usable[i].areas >= MIN_AREA))][0])
        for i in places
    ]


def click_ious(
    network: InteractiveNetwork,
    chosen: Sequence[tuple[Item, int]],
    clicks: int,
    device: str = "auto",
) -> NDArray[np.float64]:
    """IoU of every object after every click, without refinement.

    Parameters
    ----------
    network : InteractiveNetwork
        Left frozen and in evaluation mode: pass a copy of one in training.
    chosen : list of (Item, int)
        Images and the ids of one object each.
    clicks : int
        Of the robot, for every object.

    Returns
    -------
    (len(chosen), clicks) float64
    """
    segmenter = BRSSegmenter(network, device)
    predict = partial(segmenter.predict, refine=False)
    result = np.zeros((len(chosen), clicks))
    for row, (item, number) in zip(result, chosen, strict=True):
        truth = item.labels == number
        ignore = item.labels == np.iinfo(item.labels.dtype).max
        segmenter.set_image(item.image)
        row[:] = 1.0  # after the last error is gone
        rounds = click_through(predict, truth, ignore, max_clicks=clicks)
        for k, made in enumerate(rounds):
            union = (made.mask | truth) & ~ignore
            row[k] = (made.mask & truth & ~ignore).sum() / max(1, union.sum())
    return result
