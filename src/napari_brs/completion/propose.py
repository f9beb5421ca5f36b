"""The rest of a frame, from a few finished objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max

from napari_brs.clicks import Click
from napari_brs.completion.candidates import SMALLEST, Candidate, decode_clicks
from napari_brs.completion.confidence import confidence, evidence
from napari_brs.completion.examples import CORE, Examples, check_examples, median_length, overlap
from napari_brs.completion.features import CELL, SeenTile, from_cells, see
from napari_brs.completion.head import Head
from napari_brs.completion.looks import look_of, ring_of
from napari_brs.completion.tiles import OBJECT_SIDE, Tile, tiles_of
from napari_brs.masks import Box, Mask, joined

if TYPE_CHECKING:
    from napari_brs.segmenter import Segmenter

LONGEST_REGION = 4096
"""Longest side of a region, in pixels."""
SEED_DISTANCE = 0.2
"""Between two seeds, in lengths of an object."""
SEED_THRESHOLD = 0.1
"""Of the core's probability; many seeds cost little, and an object without one is lost."""
SMOOTHING = 1.0
"""Of the core's probability, in cells."""
SURE = 0.6
"""Confidence from which a proposal teaches where to look for others."""
BLOCK = 16
"""Tiles that are kept at a time, to be looked at twice."""
CLAIMED = 0.5
"""Share of a candidate that belongs to others already, above which it is none of its own."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """An object that the examples suggest.

    Attributes
    ----------
    mask : Mask
        Disjoint from the finished objects and from proposals before it.
    click : Click
        The foreground click that gave it.
    confidence : float
        In [0, 1].
    kind : int
        The class, one of the examples'.
    """

    mask: Mask
    click: Click
    confidence: float
    kind: int


@dataclass(frozen=True, eq=False)
class _Scored:
    candidate: Candidate
    figures: NDArray[np.float64]
    confidence: float
    kind: int


def propose(
    segmenter: Segmenter,
    finished: Sequence[Mask] = (),
    rejected: Sequence[Mask] = (),
    kinds: Sequence[int] | None = None,
    examples: Examples | None = None,
    region: Box | None = None,
) -> Iterator[Proposal]:
    """Propose the objects of a frame that are like the finished ones.

    Proposals come tile by tile, those around the finished objects first, the best of each
    tile first. Closing the iterator ends the work.

    Parameters
    ----------
    segmenter : Segmenter
        Has the image set; its network looks at features of the image and clicks apart.
    finished : sequence of Mask
        Objects of the image. Nothing is proposed on them.
    rejected : sequence of Mask
        Proposals that were refused: nothing like them, and nothing there.
    kinds : sequence of int, optional
        Class of each finished object, from 0; default all the same.
    examples : Examples, optional
        Of other images, to learn from as well.
    region : Box, optional
        Where to look; default the image.

    Raises
    ------
    ValueError
        If there is no example, one cannot be used (see `Examples.of`), or the region is
        empty, leaves the image or is longer than `LONGEST_REGION`.
    """
    shape = segmenter.shape
    region = _checked(region or Box(0, 0, *shape), shape)
    if finished:
        kinds = check_examples(shape, finished, rejected, kinds)
    elif examples is None:
        raise ValueError("there is no finished object; at least one is needed")
    return _proposals(segmenter, finished, rejected, kinds, examples, region)


def _proposals(
    segmenter: Segmenter,
    finished: Sequence[Mask],
    rejected: Sequence[Mask],
    kinds: Sequence[int] | None,
    examples: Examples | None,
    region: Box,
) -> Iterator[Proposal]:
    seen: dict[Tile, SeenTile] = {}

    def see_once(tile: Tile) -> SeenTile:
        if tile not in seen:
            seen[tile] = see(segmenter, tile)
        return seen[tile]

    if finished:
        length = median_length(finished)
        own = Examples.of(segmenter, finished, rejected, kinds, length, see_once)
        examples = own if examples is None else own.joined(examples)
    assert examples is not None
    head = examples.head()
    tiles = _nearest_first(segmenter.shape, region, examples.length, list(seen))
    taken = list(finished)
    for first in range(0, len(tiles), BLOCK):
        block = []
        sure: list[tuple[SeenTile, Proposal]] = []
        for tile in tiles[first : first + BLOCK]:
            current = seen.pop(tile, None) or see(segmenter, tile)
            block.append(current)
            scored = _scored(segmenter, current, head, examples, region)
            for proposal in _chosen(scored, taken, rejected, SURE):
                sure.append((current, proposal))
                yield proposal
        learnt = examples.taught_by(
            [(current, proposal.mask, proposal.kind) for current, proposal in sure], taken
        )
        head = learnt.head()
        again = [
            scored
            for current in block
            for scored in _scored(segmenter, current, head, examples, region, taken)
        ]
        yield from _chosen(again, taken, rejected, 0.0)


def _chosen(
    scored: list[_Scored], taken: list[Mask], rejected: Sequence[Mask], least: float
) -> Iterator[Proposal]:
    """The best candidates, without what others claim; they are added to those taken."""
    for one in sorted(scored, key=lambda one: -one.confidence):
        mask = _unclaimed(one.candidate, taken, rejected) if one.confidence >= least else None
        if mask is not None:
            taken.append(mask)
            yield Proposal(mask, Click(*one.candidate.pixel), one.confidence, one.kind)


def _checked(region: Box, shape: tuple[int, int]) -> Box:
    inside = region.intersection(Box(0, 0, *shape))
    if inside != region or not region.height or not region.width:
        raise ValueError(f"{region} is empty or leaves the image, which has shape {shape}")
    if max(region.height, region.width) > LONGEST_REGION:
        raise ValueError(
            f"the region has {region.height} by {region.width} pixels; at most "
            f"{LONGEST_REGION} a side are allowed"
        )
    return region


def _nearest_first(
    shape: tuple[int, int], region: Box, length: float, first: Sequence[Tile]
) -> list[Tile]:
    """The tiles that answer for a region: those that were seen, then those next to them."""
    tiles = [
        tile
        for tile in tiles_of(shape, Box(0, 0, *shape), length)
        if min(_size(tile.own.intersection(region))) > 0
    ]
    starts = np.array([_centre(tile) for tile in first or tiles[:1]])
    return sorted(tiles, key=lambda tile: np.abs(starts - _centre(tile)).sum(1).min())


def _size(box: Box) -> tuple[int, int]:
    return box.height, box.width


def _centre(tile: Tile) -> tuple[float, float]:
    return (tile.own.top + tile.own.bottom) / 2, (tile.own.left + tile.own.right) / 2


def _scored(
    segmenter: Segmenter,
    seen: SeenTile,
    head: Head,
    examples: Examples,
    region: Box,
    taken: Sequence[Mask] = (),
) -> list[_Scored]:
    """The candidates of a tile, but for clicks on what is taken."""
    cores = head(seen.descriptors)[CORE:].numpy()
    core = cores.sum(0)
    peaks = {
        pixel: peak
        for pixel, peak in _seeds(seen, core, region)
        if not any(mask.holds(*pixel) for mask in taken)
    }
    found = []
    for candidate in decode_clicks(segmenter.network, seen, list(peaks), segmenter.shape):
        ring = ring_of(candidate.mask)
        at = _inside(seen, candidate.mask)
        kind = int(np.argmax([layer[at].mean() for layer in cores]))
        figures = evidence(
            candidate,
            look_of(seen, candidate.mask, ring),
            float(core[at].mean()),
            float(core[_inside(seen, ring)].mean()),
            peaks[candidate.pixel],
            [look for look in examples.looks if look.kind == kind] or examples.looks,
        )
        found.append(_Scored(candidate, figures, confidence(figures), kind))
    return found


def _inside(seen: SeenTile, mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The cell of each pixel of a mask."""
    box = mask.box.intersection(seen.view.box)
    rows, columns = np.rint(seen.cells_of(box)[:, mask.read(box)]).astype(int)
    _, height, width = seen.descriptors.shape
    return rows.clip(0, height - 1), columns.clip(0, width - 1)


def _seeds(
    seen: SeenTile, core: NDArray[np.float32], region: Box
) -> list[tuple[tuple[int, int], float]]:
    """Pixels at the maxima of the core's probability, with it, in what the tile owns."""
    smooth = ndimage.gaussian_filter(core, SMOOTHING)
    peaks = peak_local_max(  # type: ignore[no-untyped-call]
        smooth,
        min_distance=max(1, round(SEED_DISTANCE * OBJECT_SIDE / CELL)),
        threshold_abs=SEED_THRESHOLD,
        exclude_border=False,
    )
    owned = seen.tile.own.intersection(region)
    pixels = from_cells(seen.view, peaks).round().astype(int)
    box = seen.view.box
    pixels = pixels.clip([box.top, box.left], [box.bottom - 1, box.right - 1])
    return [
        ((row, column), float(smooth[tuple(peak)]))
        for (row, column), peak in zip(pixels.tolist(), peaks, strict=True)
        if owned.holds(row, column)
    ]


def _unclaimed(
    candidate: Candidate, taken: Sequence[Mask], rejected: Sequence[Mask]
) -> Mask | None:
    """What a candidate adds to the objects so far; None if it is theirs, or was rejected."""
    mask = candidate.mask
    if any(overlap(mask, other) > CLAIMED for other in rejected if _touch(mask, other)):
        return None
    near = [other for other in taken if _touch(mask, other)]
    pixels = mask.pixels.copy()
    for other in near:
        common = other.read(mask.box)
        both = np.count_nonzero(common & mask.pixels)
        if both > CLAIMED * min(mask.area, other.area):
            return None
        pixels &= ~common
    pixels = joined(pixels, [_within(candidate.pixel, mask.box)])
    if np.count_nonzero(pixels) < max(SMALLEST, CLAIMED * mask.area):
        return None
    return Mask.of(pixels, mask.box, mask.shape)


def _within(pixel: tuple[int, int], box: Box) -> tuple[int, int]:
    return pixel[0] - box.top, pixel[1] - box.left


def _touch(first: Mask, second: Mask) -> bool:
    return min(_size(first.box.intersection(second.box))) > 0
