"""A box around an object in place of clicks on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_brs.clicks import Click
from napari_brs.masks import Box, Mask

if TYPE_CHECKING:
    from napari_brs.brs.prediction import Prediction, Progress
    from napari_brs.segmenters import Segmenter

SLACK = 0.05
"""An object may leave its box by this share of the box's longer side."""


def check_box(box: Box, shape: tuple[int, int]) -> None:
    """Raise ValueError if a box holds no pixel, or not only pixels of an (H, W) image."""
    rows, columns = shape
    if not (0 <= box.top < box.bottom <= rows and 0 <= box.left < box.right <= columns):
        raise ValueError(
            f"box {box.top},{box.left},{box.bottom},{box.right} is not allowed: top < bottom and "
            f"left < right are needed, inside 0,0,{rows},{columns}"
        )


def predict_in_box(
    segmenter: Segmenter,
    box: Box,
    clicks: Iterable[Click] = (),
    refine: bool = True,
    threshold: float = 0.5,
    on_progress: Callable[[Progress], bool | None] | None = None,
) -> Prediction:
    """Mask of the object that fills a box.

    The filled box is the previous mask, its centre the first click; the network looks a
    second time with what it found, and what lies beyond the box is cut off.

    Parameters
    ----------
    segmenter : Segmenter
        Has the image set.
    box : Box
        Around the object, in pixels of the image.
    clicks : iterable of Click
        On the object or beside it, if there are any yet. Positive ones may lie outside.
    refine, threshold, on_progress
        As for `Segmenter.predict`.

    Returns
    -------
    Prediction
        Its first click is the one in the centre, unless that pixel was clicked already;
        the next click starts from it, and comes after it.

    Raises
    ------
    ValueError
        If the box is empty or leaves the image, or a click cannot be used.
    """
    clicks, shape = tuple(clicks), segmenter.shape
    check_box(box, shape)
    filled = Mask.of(np.ones((box.height, box.width), bool), box, shape)
    centre = Click((box.top + box.bottom - 1) // 2, (box.left + box.right - 1) // 2)
    taken = any(click.pixel == centre.pixel for click in clicks)
    asked = clicks if taken else (centre, *clicks)
    first = segmenter.predict(asked, filled, False, threshold)
    found = segmenter.predict(asked, first, refine, threshold, on_progress)
    allowed = box.grown(max(1, round(SLACK * max(box.height, box.width))), shape)
    for click in clicks:
        row, column = click.pixel
        if click.positive:
            allowed = allowed.union(Box(row, column, row + 1, column + 1))
    mask = Mask.of(found.packed.read(allowed), allowed, shape)
    return replace(
        found,
        packed=mask,
        clicks=asked,
        clicks_obeyed=tuple(mask.holds(*click.pixel) == click.positive for click in asked),
        bbox=filled.changed(mask),
        seconds=first.seconds + found.seconds,
    )
