"""The rest of a frame, from a few finished objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_brs.clicks import Click
from napari_brs.completion.candidates import SMALLEST, Candidate
from napari_brs.completion.examples import Examples, check_examples, median_length
from napari_brs.completion.features import SeenTile, see
from napari_brs.completion.scoring import Scored, score_tile
from napari_brs.completion.tiles import Tile, tiles_of
from napari_brs.masks import Box, Mask, joined, overlap
from napari_brs.networks.base import InteractiveNetwork

if TYPE_CHECKING:
    from napari_brs.brs.segmenter import BRSSegmenter

LONGEST_REGION = 4096
"""Longest side of a region, in pixels."""
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
    clicks : tuple of Click
        That gave it: one on it, and background clicks on objects beside it.
    confidence : float
        In [0, 1].
    kind : int
        The class, one of the examples'.
    """

    mask: Mask
    clicks: tuple[Click, ...]
    confidence: float
    kind: int


def propose(
    segmenter: BRSSegmenter,
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
    segmenter : BRSSegmenter
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
    check_network(segmenter)
    shape = segmenter.shape
    region = _checked(region or Box(0, 0, *shape), shape)
    if finished:
        kinds = check_examples(shape, finished, rejected, kinds)
    elif examples is None:
        raise ValueError("there is no finished object; at least one is needed")
    return _proposals(segmenter, finished, rejected, kinds, examples, region)


def check_network(segmenter: object) -> None:
    """Raise ValueError unless a segmenter's network looks at image and clicks apart."""
    if not isinstance(getattr(segmenter, "network", None), InteractiveNetwork):
        raise ValueError("only a network for clicks, such as brs-live, can complete frames")


def _proposals(
    segmenter: BRSSegmenter,
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

    parts = [] if examples is None else [examples]
    if finished:
        length = median_length(finished)
        parts.insert(0, Examples.of(segmenter, finished, rejected, kinds, length, see_once))
    known = parts[0] if len(parts) == 1 else parts[0].joined(parts[1])
    head, network, taken = known.head(), segmenter.network, list(finished)
    tiles = _nearest_first(segmenter.shape, region, known.length, list(seen))
    for first in range(0, len(tiles), BLOCK):
        block: list[SeenTile] = []
        sure: list[tuple[SeenTile, Mask, int]] = []
        for tile in tiles[first : first + BLOCK]:
            block.append(seen.pop(tile) if tile in seen else see(segmenter, tile))
            scored = score_tile(network, block[-1], head, known, region, taken)
            for proposal in _chosen(scored, taken, rejected, SURE):
                sure.append((block[-1], proposal.mask, proposal.kind))
                yield proposal
        # The second round knows more objects to learn from, and what is left of the frame.
        learnt = known.taught_by(sure, taken)
        head = learnt.head()
        scored = [
            one
            for current in block
            for one in score_tile(network, current, head, learnt, region, taken)
        ]
        yield from _chosen(scored, taken, rejected, 0.0)


def _chosen(
    scored: Sequence[Scored], taken: list[Mask], rejected: Sequence[Mask], least: float
) -> Iterator[Proposal]:
    """The best candidates, without what others claim; they are added to those taken."""
    for one in sorted(scored, key=lambda one: -one.confidence):
        if one.confidence < least:
            break
        mask = _unclaimed(one.candidate, taken, rejected)
        if mask is not None:
            taken.append(mask)
            yield Proposal(mask, one.candidate.clicks, one.confidence, one.kind)


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
    row, column = candidate.clicks[0].pixel
    pixels = joined(pixels, [(row - mask.box.top, column - mask.box.left)])
    if np.count_nonzero(pixels) < max(SMALLEST, CLAIMED * mask.area):
        return None
    return Mask.of(pixels, mask.box, mask.shape)


def _touch(first: Mask, second: Mask) -> bool:
    return min(_size(first.box.intersection(second.box))) > 0
