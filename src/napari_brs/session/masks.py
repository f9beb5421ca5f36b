"""Masks of objects that are merged or split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from napari_brs.clicks import Click
from napari_brs.masks import Mask
from napari_brs.session.states import Position


def union(parts: Iterable[Mapping[Position, Mask]]) -> dict[Position, Mask]:
    """The masks of several objects in all their planes as those of one.

    Examples
    --------
    >>> one, two = (Mask.of(np.eye(2, dtype=bool)[::step]) for step in (1, -1))
    >>> union([{(None, None): one}, {(None, None): two}])[None, None].area
    4
    """
    merged: dict[Position, Mask] = {}
    for masks in parts:
        for position, mask in masks.items():
            merged[position] = merged[position].union(mask) if position in merged else mask
    return merged


def split(mask: Mask, foreground: Click, background: Click) -> tuple[Mask, Mask]:
    """Part a mask in two at its waist between two clicks.

    A watershed from the clicks on the distance to the border: the parts meet where the
    object is narrowest. Pieces that touch neither part go to the nearer click.

    Parameters
    ----------
    mask : Mask
    foreground, background : Click
        Both on the mask, on different pixels.

    Returns
    -------
    Mask, Mask
        The part of the foreground click, and the other one.

    Raises
    ------
    ValueError
        If a click is not on the mask, or both are on one pixel.
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    for click in (foreground, background):
        if not mask.holds(*click.pixel):
            raise ValueError(f"click {click.pixel} is not on the object that is to be split")
    if foreground.pixel == background.pixel:
        raise ValueError(f"both clicks are on pixel {foreground.pixel}; two pixels are needed")
    # A rim of background, so that the border of the box counts as the border of the object.
    box = mask.box
    pixels = np.pad(mask.pixels, 1)
    corner = np.array([box.top - 1, box.left - 1])
    seeds = [np.array(click.pixel) - corner for click in (foreground, background)]
    markers = np.zeros(pixels.shape, np.int32)
    for number, seed in enumerate(seeds, 1):
        markers[tuple(seed)] = number
    parts = watershed(  # type: ignore[no-untyped-call]
        -ndimage.distance_transform_edt(pixels), markers, mask=pixels
    )
    rows, columns = np.nonzero(pixels & (parts == 0))
    near, far = (np.hypot(rows - seed[0], columns - seed[1]) for seed in seeds)
    parts[rows, columns] = np.where(near <= far, 1, 2)
    inner = parts[1:-1, 1:-1]
    kept, parted = (Mask.of(inner == number, box, mask.shape) for number in (1, 2))
    return kept, parted
