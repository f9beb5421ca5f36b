"""The candidates of one tile: where to click, what comes of it, and how it fits the examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max

from napari_brs.brs.zoom import scale_for
from napari_brs.clicks import Click
from napari_brs.completion.candidates import Candidate, decode_clicks
from napari_brs.completion.confidence import confidence, evidence
from napari_brs.completion.examples import CORE, Examples
from napari_brs.completion.features import CELL, SeenTile, from_cells
from napari_brs.completion.head import Head
from napari_brs.completion.looks import look_of, ring_of
from napari_brs.masks import Box, Mask, deepest_pixel

if TYPE_CHECKING:
    from napari_brs.networks.base import InteractiveNetwork

SEED_DISTANCE = 0.2
"""Between two seeds, in lengths of an object."""
SEED_THRESHOLD = 0.1
"""Of the core's probability; many seeds cost little, and an object without one is lost."""
SMOOTHING = 1.0
"""Of the core's probability, in cells."""
NEIGHBOURS = 3
"""Objects beside a click that the network is told of by background clicks."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A candidate beside the examples.

    Attributes
    ----------
    candidate : Candidate
    figures : (len(EVIDENCE),) float64
    confidence : float
    kind : int
        The class whose core it most likely has.
    """

    candidate: Candidate
    figures: NDArray[np.float64]
    confidence: float
    kind: int


def score_tile(
    network: InteractiveNetwork,
    seen: SeenTile,
    head: Head,
    examples: Examples,
    region: Box,
    taken: Sequence[Mask],
) -> list[Scored]:
    """The candidates that a tile answers for, in a region.

    Parameters
    ----------
    network : InteractiveNetwork
    seen : SeenTile
    head : Head
        Tells cores from other places.
    examples : Examples
    region : Box
    taken : sequence of Mask
        Objects that are found already: none is looked for on them, and the network is told
        that they are others.
    """
    cores = head(seen.descriptors)[CORE:].numpy()
    core = cores.sum(0)
    peaks = {
        pixel: peak
        for pixel, peak in find_seeds(seen, core, region, examples.length)
        if not any(mask.holds(*pixel) for mask in taken)
    }
    middles = [deepest_pixel(mask) for mask in taken]
    clicks = [clicks_for(pixel, middles, examples.length) for pixel in peaks]
    found = []
    for candidate in decode_clicks(network, seen, clicks):
        ring = ring_of(candidate.mask)
        inside = [float(seen.mean(layer, candidate.mask)) for layer in cores]
        kind = int(np.argmax(inside))
        figures = evidence(
            candidate,
            look_of(seen, candidate.mask, ring),
            sum(inside),
            seen.mean(core, ring),
            peaks[candidate.clicks[0].pixel],
            [look for look in examples.looks if look.kind == kind] or examples.looks,
        )
        found.append(Scored(candidate, figures, confidence(figures), kind))
    return found


def find_seeds(
    seen: SeenTile, core: NDArray[np.float32], region: Box, length: float
) -> list[tuple[tuple[int, int], float]]:
    """Pixels at the maxima of the core's probability, and its value there.

    Parameters
    ----------
    seen : SeenTile
    core : (rows, columns) float32
        Of its cells.
    region : Box
    length : float
        Of the objects, in pixels of the image.

    Returns
    -------
    list of ((int, int), float)
        Row and column in the image, in the part of the region that the tile owns.
    """
    smooth = ndimage.gaussian_filter(core, SMOOTHING)
    apart = SEED_DISTANCE * length * scale_for(length) / CELL
    peaks = peak_local_max(  # type: ignore[no-untyped-call]
        smooth,
        min_distance=max(1, round(apart)),
        threshold_abs=SEED_THRESHOLD,
        exclude_border=False,
    )
    owned, box = seen.tile.own.intersection(region), seen.view.box
    pixels = from_cells(seen.view, peaks).round().astype(int)
    pixels = pixels.clip([box.top, box.left], [box.bottom - 1, box.right - 1])
    return [
        ((row, column), float(smooth[tuple(peak)]))
        for (row, column), peak in zip(pixels.tolist(), peaks, strict=True)
        if owned.holds(row, column)
    ]


def clicks_for(
    pixel: tuple[int, int], others: Sequence[tuple[int, int]], reach: float
) -> tuple[Click, ...]:
    """A foreground click, and background clicks on the nearest other objects in reach."""
    near = [other for other in others if math.dist(pixel, other) < reach]
    near.sort(key=lambda other: math.dist(pixel, other))
    return Click(*pixel), *(Click(*other, positive=False) for other in near[:NEIGHBOURS])
