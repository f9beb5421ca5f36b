"""What finished and rejected objects teach: labelled places, and looks of objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_brs.clicks import Click
from napari_brs.completion.candidates import decode_clicks
from napari_brs.completion.features import SeenTile, from_cells, see, to_cells
from napari_brs.completion.head import Head, train_head
from napari_brs.completion.looks import Look, look_of, ring_of
from napari_brs.completion.tiles import Tile, tiles_of
from napari_brs.masks import Box, Mask, deepest_pixel, overlap

if TYPE_CHECKING:
    from napari_brs.brs.segmenter import BRSSegmenter

BACKGROUND, EDGE, CORE = 0, 1, 2
"""What a place may be; the core of an object of class k is CORE + k."""
PLACES = 60
"""Places of each sort that an object gives at most."""
TAUGHT = 40
"""Objects at most that proposals add."""
CORE_DEPTH = 0.5
"""Where the core begins, as a share of the object's greatest depth."""
EDGE_DEPTH = 0.25
"""How far the edge reaches out of the object, likewise."""
REACH = 0.4
"""How far around an object the background is taken for known, in its lengths: beyond, there
may be objects that nobody has finished."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What is learnt from some objects, of one image or several.

    It holds what is needed of the images, not the images: it may be applied to others.

    Attributes
    ----------
    places : (N, C) float32
        Descriptors of places whose sort is known.
    sorts : (N,) int64
        BACKGROUND, EDGE or CORE + class.
    weights : (N,) float32
    looks : tuple of Look
        Of the finished objects.
    """

    places: Tensor
    sorts: Tensor
    weights: Tensor
    looks: tuple[Look, ...]

    @property
    def length(self) -> float:
        """Median length of the finished objects, in pixels."""
        return float(np.median([look.length for look in self.looks]))

    @property
    def kinds(self) -> int:
        """Number of classes: one more than the highest."""
        return 1 + max(look.kind for look in self.looks)

    def head(self) -> Head:
        """A classifier of places, trained on these."""
        return train_head(self.places, self.sorts, self.weights, CORE + self.kinds)

    def taught_by(
        self, likely: Sequence[tuple[SeenTile, Mask, int]], others: Sequence[Mask]
    ) -> Examples:
        """With objects that are likely right; together they count no more than the examples.

        Parameters
        ----------
        likely : sequence of (SeenTile, Mask, int)
            Each with its tile and class, the likeliest first.
        others : sequence of Mask
            What is no background beside them.
        """
        if not likely:
            return self
        rng = np.random.default_rng(0)
        fidelity = float(np.mean([look.fidelity for look in self.looks]))
        places, looks = [], []
        for seen, mask, kind in likely[:TAUGHT]:
            places.append(_places(seen, mask, kind, others, rng))
            look = look_of(seen, mask, ring_of(mask))
            looks.append(replace(look, kind=kind, fidelity=fidelity))
        vectors, sorts, weights = (torch.cat(parts) for parts in zip(*places, strict=True))
        share = min(1.0, len(self.looks) / len(places))
        return self.joined(Examples(vectors, sorts, share * weights, tuple(looks)))

    def joined(self, other: Examples) -> Examples:
        """The examples of both."""
        return Examples(
            torch.cat([self.places, other.places]),
            torch.cat([self.sorts, other.sorts]),
            torch.cat([self.weights, other.weights]),
            (*self.looks, *other.looks),
        )

    @staticmethod
    def of(
        segmenter: BRSSegmenter,
        finished: Sequence[Mask],
        rejected: Sequence[Mask] = (),
        kinds: Sequence[int] | None = None,
        length: float | None = None,
        see_tile: Callable[[Tile], SeenTile] | None = None,
    ) -> Examples:
        """Learn from objects of the segmenter's image.

        Parameters
        ----------
        segmenter : BRSSegmenter
            Has the image set.
        finished : sequence of Mask
            At least one, none of them empty.
        rejected : sequence of Mask
            What is no object that is wanted.
        kinds : sequence of int, optional
            Class of each finished object, from 0; default all the same.
        length : float, optional
            That the tiles are made for, in pixels; default the median of the finished objects.
        see_tile : callable, optional
            Encodes a tile; default `see`.

        Raises
        ------
        ValueError
            If no object is given, one is empty or of another image's shape, or the classes
            are not as many as the objects or negative.
        """
        shape = segmenter.shape
        kinds = check_examples(shape, finished, rejected, kinds)
        length = length or median_length(finished)
        tiles = tiles_of(shape, Box(0, 0, *shape), length)
        known: dict[Tile, SeenTile] = {}

        def seen_at(mask: Mask) -> SeenTile:
            tile = tile_at(tiles, deepest_pixel(mask))
            if tile not in known:
                known[tile] = see_tile(tile) if see_tile else see(segmenter, tile)
            return known[tile]

        rng = np.random.default_rng(0)
        places, looks = [], []
        for mask, kind in zip(finished, kinds, strict=True):
            seen = seen_at(mask)
            places.append(_places(seen, mask, kind, finished, rng))
            click = Click(*deepest_pixel(mask))
            answer = decode_clicks(segmenter.network, seen, [(click,)])
            fidelity = overlap(answer[0].mask, mask) if answer else 0.0
            look = look_of(seen, mask, ring_of(mask))
            looks.append(replace(look, kind=kind, fidelity=fidelity))
        places += [_rejected_places(seen_at(mask), mask, rng) for mask in rejected]
        vectors, sorts, weights = (torch.cat(parts) for parts in zip(*places, strict=True))
        return Examples(vectors, sorts, weights, tuple(looks))


def check_examples(
    shape: tuple[int, int],
    finished: Sequence[Mask],
    rejected: Sequence[Mask] = (),
    kinds: Sequence[int] | None = None,
) -> list[int]:
    """The class of each finished object, or what is wrong with the examples; see `Examples.of`."""
    if not finished:
        raise ValueError("there is no finished object; at least one is needed")
    for mask in (*finished, *rejected):
        if mask.shape != shape:
            raise ValueError(f"a mask is of an image of shape {mask.shape}; this one has {shape}")
        if not mask:
            raise ValueError("a mask has no pixel; examples need some")
    numbers = [0] * len(finished) if kinds is None else list(kinds)
    if len(numbers) != len(finished):
        raise ValueError(f"{len(numbers)} classes were given for {len(finished)} objects")
    if min(numbers) < 0:
        raise ValueError(f"class {min(numbers)} is negative; 0 and above are allowed")
    return numbers


def median_length(masks: Sequence[Mask]) -> float:
    """Median of the longer sides of the masks' boxes, in pixels."""
    return float(np.median([max(mask.box.height, mask.box.width) for mask in masks]))


def tile_at(tiles: Sequence[Tile], pixel: tuple[int, int]) -> Tile:
    """The tile that owns a pixel."""
    return next(tile for tile in tiles if tile.own.holds(*pixel))


def zones(mask: Mask, others: Sequence[Mask], box: Box) -> NDArray[np.int8]:
    """Background, edge and core in a box around an object; -1 where nothing is known.

    Parameters
    ----------
    mask : Mask
    others : sequence of Mask
        Objects that are no background; the mask itself may be among them.
    box : Box

    Returns
    -------
    (box.height, box.width) int8
    """
    inside = mask.read(box)
    padded = np.pad(inside, 1)
    depth = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    distance = ndimage.distance_transform_edt(~padded)[1:-1, 1:-1]
    found = np.where(distance <= REACH * max(mask.box.height, mask.box.width), BACKGROUND, -1)
    found[distance <= EDGE_DEPTH * depth.max()] = EDGE
    for other in others:
        common = other.box.intersection(box)
        if common.height and common.width:
            found[other.read(box)] = -1
    found[inside] = np.where(depth > CORE_DEPTH * depth.max(), CORE, EDGE)[inside]
    return found.astype(np.int8)


def _places(
    seen: SeenTile, mask: Mask, kind: int, others: Sequence[Mask], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    margin = round(REACH * max(mask.box.height, mask.box.width)) + 1
    box = mask.box.grown(margin, mask.shape).intersection(seen.view.box)
    found = zones(mask, others, box)
    rows, columns = _cells_in(seen, box)
    pixels = from_cells(seen.view, np.stack([rows, columns], 1)).round().astype(int)
    inside = _inside(pixels, box)
    rows, columns, pixels = rows[inside], columns[inside], pixels[inside]
    at = found[pixels[:, 0] - box.top, pixels[:, 1] - box.left]
    parts = []
    for sort in (BACKGROUND, EDGE, CORE):
        chosen = np.flatnonzero(at == sort)
        if sort == CORE and not len(chosen):
            # An object smaller than a cell has a middle all the same.
            middle = to_cells(seen.view, [deepest_pixel(mask)])[0].round().astype(int)
            parts.append(_labelled(seen, middle[None], CORE + kind))
        elif len(chosen):
            chosen = rng.permutation(chosen)[:PLACES]
            number = CORE + kind if sort == CORE else sort
            parts.append(_labelled(seen, np.stack([rows, columns], 1)[chosen], number))
    vectors, sorts, weights = (torch.cat(part) for part in zip(*parts, strict=True))
    return vectors, sorts, weights


def _rejected_places(
    seen: SeenTile, mask: Mask, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """The inside of what was rejected is background."""
    box = mask.box.intersection(seen.view.box)
    rows, columns = _cells_in(seen, box)
    pixels = from_cells(seen.view, np.stack([rows, columns], 1)).round().astype(int)
    inside = _inside(pixels, box)
    inside[inside] = mask.read(box)[pixels[inside, 0] - box.top, pixels[inside, 1] - box.left]
    cells = np.stack([rows, columns], 1)[inside]
    if not len(cells):
        cells = to_cells(seen.view, [deepest_pixel(mask)]).round().astype(int)
    return _labelled(seen, rng.permutation(cells)[:PLACES], BACKGROUND)


def _cells_in(seen: SeenTile, box: Box) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the cells around a box of the image."""
    _, height, width = seen.descriptors.shape
    ends = to_cells(seen.view, [(box.top, box.left), (box.bottom - 1, box.right - 1)])
    (top, left), (bottom, right) = np.rint(ends).astype(int)
    rows = np.arange(max(0, top), min(height, bottom + 1))
    columns = np.arange(max(0, left), min(width, right + 1))
    grid = np.meshgrid(rows, columns, indexing="ij")
    return grid[0].ravel(), grid[1].ravel()


def _inside(pixels: NDArray[np.intp], box: Box) -> NDArray[np.bool_]:
    low, high = np.array([box.top, box.left]), np.array([box.bottom, box.right])
    return np.asarray(((pixels >= low) & (pixels < high)).all(1))


def _labelled(seen: SeenTile, cells: NDArray[np.intp], sort: int) -> tuple[Tensor, Tensor, Tensor]:
    """Descriptors of cells, (N, 2), with their sort; together they weigh 1."""
    _, height, width = seen.descriptors.shape
    rows = torch.as_tensor(cells[:, 0].clip(0, height - 1))
    columns = torch.as_tensor(cells[:, 1].clip(0, width - 1))
    vectors = seen.descriptors[:, rows, columns].T
    count = len(cells)
    return vectors, torch.full((count,), sort), torch.full((count,), 1 / count)
