"""A robot that clicks where a user would: in the middle of the largest error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_brs.clicks import Click

SignRule = Literal["distance", "count"]
Result = TypeVar("Result")
"""What a segmenter makes of clicks, such as a `Prediction`."""


def next_click(
    truth: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    ignore: NDArray[np.bool_] | None = None,
    clicks: Iterable[Click] = (),
    *,
    sign_rule: SignRule = "distance",
    rng: np.random.Generator | None = None,
) -> Click | None:
    """The click that best corrects a mask, as the published evaluations place it.

    False negatives and false positives are looked at apart. Each of their
    pixels is as deep as its Euclidean distance to the nearest pixel outside,
    where the image is surrounded by outside; a pixel that was clicked already
    has depth 0. The click goes to the deepest pixel, the first in raster order
    where several are. For an empty mask that is the middle of the object.

    Parameters
    ----------
    truth, mask : (H, W) bool
        What the object is, and what was segmented.
    ignore : (H, W) bool, optional
        Pixels that are no errors whatever the mask says there.
    clicks : iterable of Click
        The clicks made so far.
    sign_rule : {"distance", "count"}
        ``"distance"``: a foreground click if the deepest pixel is a false
        negative (as the paper's code does; background if both are equally deep).
        ``"count"``: a background click if there are more false positives than
        false negatives (as the paper's text has it, Section 4.1).
    rng : numpy.random.Generator, optional
        If given, the click falls anywhere in the deeper half of the connected
        error that it corrects, as those of hasty users do.

    Returns
    -------
    Click or None
        At integer (row, column); None if no error is left to click on.

    Raises
    ------
    ValueError
        If the arrays differ in shape or the sign rule is unknown.
    """
    for other in (mask, ignore):
        if other is not None and other.shape != truth.shape:
            raise ValueError(f"the shapes {truth.shape} and {other.shape} differ; one is allowed")
    misses, extras = truth & ~mask, mask & ~truth
    if ignore is not None:
        misses, extras = misses & ~ignore, extras & ~ignore
    clicked = [click.pixel for click in clicks]
    negative, positive = _deepest(misses, clicked), _deepest(extras, clicked)
    if negative is None or positive is None:
        chosen = negative or positive
    elif sign_rule == "distance":
        chosen = negative if negative.depth > positive.depth else positive
    elif sign_rule == "count":
        more_extras = np.count_nonzero(extras) > np.count_nonzero(misses)
        chosen = positive if more_extras else negative
    else:
        raise ValueError(f"sign rule {sign_rule!r}; allowed are 'distance' and 'count'")
    if chosen is None:
        return None
    row, column = chosen.first_deepest if rng is None else chosen.draw(rng)
    return Click(row, column, positive=chosen is negative)


@dataclass(frozen=True)
class Round(Generic[Result]):
    """One click of the robot, and what came of it.

    Attributes
    ----------
    clicks : tuple of Click
        All so far, the new one last.
    previous : Result or None
        What there was before it.
    result : Result
    mask : (H, W) bool
        The result's, which the next click looks at.
    """

    clicks: tuple[Click, ...]
    previous: Result | None
    result: Result
    mask: NDArray[np.bool_]


def click_through(
    predict: Callable[[tuple[Click, ...], Result | None], Result],
    truth: NDArray[np.bool_],
    ignore: NDArray[np.bool_] | None = None,
    *,
    max_clicks: int,
    start: Result | None = None,
    mask_of: Callable[[Any], NDArray[np.bool_]] = lambda result: result.mask,
    sign_rule: SignRule = "distance",
    rng: np.random.Generator | None = None,
) -> Iterator[Round[Result]]:
    """Click on the largest error, again and again, until none is left.

    Whoever iterates may stop earlier: nothing is predicted before it is asked for.

    Parameters
    ----------
    predict : callable
        (all clicks so far, the result before the last one or None) -> result.
    truth, ignore : (H, W) bool
    max_clicks : int
        None are made beyond it.
    start : Result, optional
        What there is before the first click; default nothing, an empty mask.
    mask_of : callable
        Result -> (H, W) bool; default its ``mask``.
    sign_rule, rng
        As for `next_click`.

    Yields
    ------
    Round

    Examples
    --------
    >>> truth = np.zeros((9, 9), bool)
    >>> truth[2:7, 2:7] = True
    >>> obedient = lambda clicks, previous: truth
    >>> rounds = list(click_through(obedient, truth, max_clicks=20, mask_of=lambda mask: mask))
    >>> [one.clicks[-1].pixel for one in rounds]
    [(4, 4)]
    """
    clicks: tuple[Click, ...] = ()
    now = start
    mask = np.zeros(truth.shape, bool) if start is None else mask_of(start)
    while len(clicks) < max_clicks:
        click = next_click(truth, mask, ignore, clicks, sign_rule=sign_rule, rng=rng)
        if click is None:
            return
        clicks = (*clicks, click)
        previous, result = now, predict(clicks, now)
        now, mask = result, mask_of(result)
        yield Round(clicks, previous, result, mask)


@dataclass(frozen=True)
class _Error:
    """One connected error."""

    depths: NDArray[np.float64]
    top: int
    left: int

    @property
    def depth(self) -> float:
        return float(self.depths.max())

    @property
    def first_deepest(self) -> tuple[int, int]:
        row, column = np.unravel_index(self.depths.argmax(), self.depths.shape)
        return self.top + int(row), self.left + int(column)

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        rows, columns = np.nonzero(self.depths >= self.depth / 2)
        index = int(rng.integers(len(rows)))
        return self.top + int(rows[index]), self.left + int(columns[index])


def _deepest(error: NDArray[np.bool_], clicked: Iterable[tuple[int, int]]) -> _Error | None:
    """The connected error with the deepest pixel; None if every error pixel is clicked.

    Distances are taken within one 8-connected error at a time, which changes
    none: on the way from a pixel to another error lies a pixel that is none.
    An error of h by w pixels is at most (min(h, w) + 1) // 2 deep, so most of
    them need no distances at all.
    """
    from scipy import ndimage

    numbers, _ = ndimage.label(error, np.ones((3, 3)))
    boxes = [(i, *box) for i, box in enumerate(ndimage.find_objects(numbers), start=1)]
    bounded = [
        ((min(rows.stop - rows.start, columns.stop - columns.start) + 1) // 2, i, rows, columns)
        for i, rows, columns in boxes
    ]
    best: _Error | None = None
    for bound, number, rows, columns in sorted(bounded, key=lambda item: -item[0]):
        if best is not None and bound < best.depth:
            break
        inside = np.pad(numbers[rows, columns] == number, 1)
        depths = ndimage.distance_transform_edt(inside)[1:-1, 1:-1]
        for row, column in clicked:
            if rows.start <= row < rows.stop and columns.start <= column < columns.stop:
                depths[row - rows.start, column - columns.start] = 0
        found = _Error(depths, rows.start, columns.start)
        if found.depth > 0 and (best is None or _rank(found) < _rank(best)):
            best = found
    return best


def _rank(error: _Error) -> tuple[float, tuple[int, int]]:
    return -error.depth, error.first_deepest
