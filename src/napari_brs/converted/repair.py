"""What clicks make of one object, given a network's output before and after refinement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_brs.brs.prediction import Prediction
from napari_brs.clicks import Click
from napari_brs.masks import Box, Mask, joined

NECK = 0.75
"""Width of a neck, as a share of the thinner of the two bodies that it joins, at most."""


@dataclass(frozen=True)
class ConvertedPrediction(Prediction):
    """The mask of one object, repaired by clicks; see `Prediction`.

    Attributes
    ----------
    target : int
        Class of the object.
    far_change : float
        Share of the pixels far from the clicks whose class refinement changed.
    tile : Box or None
        Where `map_change`, the maps z so far, belongs.
    """

    target: int = 0
    far_change: float = 0.0
    tile: Box | None = field(default=None, repr=False)


def as_segmented(
    region: Mask,
    clicks: Sequence[Click],
    mask: NDArray[np.bool_],
    instances: NDArray[np.integer],
) -> Mask:
    """The object after the clicks that a network's own segmentation agrees with.

    A positive click adds the object of the segmentation that it hits; a negative one takes
    away the connected part that is background there, or the body of another object that
    only a neck holds to this one (see `parted`).

    Parameters
    ----------
    region : Mask
        The object before.
    clicks : sequence of Click
    mask : (H, W) bool
        The pixels of the object's class.
    instances : (H, W) int
        The objects of all classes; 0 background.
    """
    for click in clicks:
        here = click.pixel
        if region.holds(*here) == click.positive or mask[here] != click.positive:
            continue
        if click.positive:
            same = instances == instances[here] if instances[here] else mask
            region = region.union(Mask.of(joined(same, [here])))
        else:
            region = region.difference(Mask.of(joined(region.full() & ~mask, [here])))
    return clicked_parts(parted(region, clicks), clicks)


def parted(region: Mask, clicks: Sequence[Click]) -> Mask:
    """The object without the bodies that negative clicks name, if a neck holds them to it.

    Two touching cells under one id are no mistake of the network's: both are foreground.
    They come apart where they are thinnest between clicks of both signs. Where there is
    no neck, nothing is taken away.

    Parameters
    ----------
    region : Mask
    clicks : sequence of Click
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    body = region.pixels
    markers = np.zeros(body.shape, np.int8)
    for click in clicks:
        row, column = click.pixel
        if region.holds(row, column):
            markers[row - region.box.top, column - region.box.left] = 1 if click.positive else 2
    if not ((markers == 1).any() and (markers == 2).any()):
        return region
    depth = ndimage.distance_transform_edt(np.pad(body, 1))[1:-1, 1:-1]
    sides = watershed(-depth, markers, mask=body)  # type: ignore[no-untyped-call]
    here, there = sides == 1, sides == 2
    neck = depth[here & ndimage.binary_dilation(there)].max(initial=0)
    if neck > NECK * min(depth[here].max(), depth[there].max()):
        return region
    return Mask.of(body & ~there, region.box, region.shape)


def clicked_parts(region: Mask, clicks: Iterable[Click]) -> Mask:
    """The connected parts that hold a positive click; all, if none does."""
    top, left = region.box.top, region.box.left
    here = [
        (row - top, column - left)
        for row, column in (click.pixel for click in clicks if click.positive)
        if region.holds(row, column)
    ]
    return Mask.of(joined(region.pixels, here), region.box, region.shape) if here else region


def as_refined(
    region: Mask,
    clicks: Sequence[Click],
    tile: Box,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    threshold: float,
) -> tuple[Mask, NDArray[np.float32]]:
    """The object after the clicks that needed refinement, and the probability to show for it.

    A positive click adds the connected pixels around it that have become foreground, a
    negative one takes away those that have become background. What has changed elsewhere
    is not taken over.

    Parameters
    ----------
    region : Mask
        The object before.
    clicks : sequence of Click
        Those that it contradicts, all within the tile.
    tile : Box
    before, after : (tile.height, tile.width) float32
        Probability of the object's class.
    threshold : float
    """
    shown = before.copy()
    for click in clicks:
        here = click.pixel[0] - tile.top, click.pixel[1] - tile.left
        if click.positive:
            gained = (after > threshold) & ~region.read(tile)
            if before[here] <= threshold:
                gained &= before <= threshold
            changed = joined(gained, [here])
            region = region.union(Mask.of(changed, tile, region.shape))
        else:
            changed = joined(region.read(tile) & (after <= threshold), [here])
            region = region.difference(Mask.of(changed, tile, region.shape))
        shown = np.where(changed, after, shown)
    return region, shown


def held(
    probability: NDArray[np.float32], mask: NDArray[np.bool_], threshold: float
) -> NDArray[np.float32]:
    """The probability, held to the side of the threshold on which a mask has each pixel."""
    least = np.nextafter(np.float32(threshold), np.float32(1))
    most = np.float32(threshold)
    values = np.where(mask, np.maximum(probability, least), np.minimum(probability, most))
    values.setflags(write=False)
    return values
