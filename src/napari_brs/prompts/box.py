"""A box around an object in place of clicks on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_brs.clicks import Click
from napari_brs.masks import Box, Mask, check_box

if TYPE_CHECKING:
    from napari_brs.brs.prediction import Prediction, Previous, Progress
    from napari_brs.segmenters import Segmenter

SLACK = 0.05
"""An object may leave its box by this share of the box's longer side."""


def predict(
    segmenter: Segmenter,
    clicks: Iterable[Click] = (),
    previous: Previous = None,
    refine: bool = True,
    threshold: float = 0.5,
    on_progress: Callable[[Progress], bool | None] | None = None,
    size_hint: float | None = None,
    box: Box | None = None,
) -> Prediction:
    """Mask of the object that clicks mean, or a box, or both.

    Parameters
    ----------
    segmenter : Segmenter
        Has the image set.
    clicks, previous, refine, threshold, on_progress, size_hint
        As for `Segmenter.predict`; with a box there need be no click.
    box : Box, optional
        Around the object. Without a previous mask it is where the prediction starts, as
        `predict_in_box` does it; after that its centre goes on counting as a click, and
        further clicks may lead out of it.

    Raises
    ------
    ValueError
        As for `Segmenter.predict` and `predict_in_box`.
    """
    if box is None:
        return segmenter.predict(
            clicks, previous, refine, threshold, on_progress, size_hint=size_hint
        )
    if previous is None:
        return predict_in_box(segmenter, box, clicks, refine, threshold, on_progress)
    check_box(box, segmenter.shape)
    asked = with_centre(box, clicks)
    return segmenter.predict(asked, previous, refine, threshold, on_progress)


def with_centre(box: Box, clicks: Iterable[Click]) -> tuple[Click, ...]:
    """Clicks after one in the centre of a box, unless that pixel is clicked already."""
    clicks = tuple(clicks)
    centre = Click((box.top + box.bottom - 1) // 2, (box.left + box.right - 1) // 2)
    taken = any(click.pixel == centre.pixel for click in clicks)
    return clicks if taken else (centre, *clicks)


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
    asked = with_centre(box, clicks)
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
