"""What the robot does with one object, and which objects of an image it takes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from napari_brs.clicks import Click
from napari_brs.masks import Box
from napari_brs.metrics import click_accuracy, iou
from napari_brs.prompts.box import predict_in_box
from napari_brs.robot import SignRule, click_through
from napari_brs.segmenters import Segmenter

MOST_CLICKS = 1000
"""Clicks that the robot may be allowed on one object."""
_LARGEST = 1e9
"""Beyond what can be a figure of a run: an IoU, a position, seconds."""


@dataclass(frozen=True)
class RobotSettings:
    """The protocol of a run.

    Attributes
    ----------
    max_clicks : int
    refine : bool
        Whether clicks that are not obeyed are refined.
    sign_rule : {"distance", "count"}
        See `robot.next_click`.
    jitter : bool
        Whether the robot clicks anywhere in the deeper half of the error.
    stop_at : float, optional
        IoU at which the robot is content; None lets it go on to the last click.
    size_prior : bool
        Whether the segmenter is told the median length of the image's other objects, as a
        user tells it who has finished some.
    box : bool
        Whether the robot draws the object's bounding box in place of its first click.
    objects_per_image, min_area : int
        How many objects of an image are clicked, and the pixels they have at least.
    seed : int
        Draws the objects and the jitter.
    """

    max_clicks: int = 20
    refine: bool = True
    sign_rule: SignRule = "distance"
    jitter: bool = False
    stop_at: float | None = None
    size_prior: bool = False
    box: bool = False
    objects_per_image: int = 1
    min_area: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_clicks", "objects_per_image", "min_area"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 1 is allowed")
        if self.max_clicks > MOST_CLICKS:
            raise ValueError(f"max_clicks is {self.max_clicks}; at most {MOST_CLICKS} is allowed")
        if self.sign_rule not in get_args(SignRule):
            allowed = ", ".join(get_args(SignRule))
            raise ValueError(f"sign_rule is {self.sign_rule!r}; allowed are {allowed}")
        if self.stop_at is not None and not 0 < self.stop_at <= 1:
            raise ValueError(f"stop_at is {self.stop_at}; it must lie in (0, 1]")


@dataclass
class ObjectRun:
    """What happened to one object, click by click.

    ``obeyed`` is the share of all clicks so far that have their label in the
    mask, ``obeyed_before`` the same before refinement; ``clicks`` are
    [row, column, positive], a box counting as a click in its centre; ``size_hint``
    is what the segmenter was told of the object's length, in pixels.
    """

    image: str
    object: int
    size_hint: float | None = None
    iou: list[float] = field(default_factory=list)
    clicks: list[list[int]] = field(default_factory=list)
    obeyed: list[float] = field(default_factory=list)
    obeyed_before: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)


def are_runs(value: Any, max_clicks: int) -> bool:
    """Whether something read from a file is a list of `ObjectRun` as mappings."""
    return isinstance(value, list) and all(_is_run(item, max_clicks) for item in value)


def _is_run(item: Any, max_clicks: int) -> bool:
    names = {entry.name for entry in fields(ObjectRun)}
    # Older results know of no sizes.
    if not isinstance(item, dict) or item.keys() | {"size_hint"} != names:
        return False
    size = item.get("size_hint")
    curves = [item[name] for name in ("iou", "obeyed", "obeyed_before", "seconds", "evaluations")]
    clicks = item["clicks"]
    return (
        isinstance(item["image"], str)
        and type(item["object"]) is int
        and (size is None or _is_number(size))
        and all(isinstance(values, list) for values in (*curves, clicks))
        and {len(values) for values in (*curves, clicks)} <= {len(clicks)}
        and 1 <= len(clicks) <= max_clicks
        and all(isinstance(click, list) and len(click) == 3 for click in clicks)
        and all(_is_number(value) for values in (*curves, *clicks) for value in values)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < _LARGEST


def choose_objects(labels: NDArray[np.int32], image: str, settings: RobotSettings) -> list[int]:
    """Numbers of the objects that are clicked, ascending.

    They are drawn among those that are large enough. The draw depends on the
    seed, the image's name and the object's number alone, so it is the same in
    every run, and drawing more objects keeps the ones drawn before.
    """
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    large = [int(number) for number in np.flatnonzero(areas >= settings.min_area)]
    drawn = sorted(large, key=lambda number: _digest(settings.seed, image, number))
    return sorted(drawn[: settings.objects_per_image])


def click_object(
    segmenter: Segmenter,
    truth: NDArray[np.bool_],
    ignore: NDArray[np.bool_],
    image: str,
    number: int,
    settings: RobotSettings,
    size_hint: float | None = None,
) -> ObjectRun:
    """Click on one object of the segmenter's image until nothing is left to correct.

    Parameters
    ----------
    segmenter : Segmenter
        Has the image set.
    truth, ignore : (H, W) bool
    image : str
    number : int
        Of the object in the image.
    settings : RobotSettings
    size_hint : float, optional
        What the segmenter is told of the object's length, in pixels.
    """
    run = ObjectRun(image, number, size_hint)
    rng = None
    if settings.jitter:
        rng = np.random.default_rng(list(_digest(settings.seed, image, number)))
    unrefined: list[Any] = []

    def remember(progress: Any) -> None:
        if progress.prediction is not None:
            unrefined.append(progress.prediction)

    boxed: Any = None

    def predict(clicks: tuple[Click, ...], previous: Any) -> Any:
        unrefined.clear()
        if boxed is not None and all(c.pixel != boxed.clicks[0].pixel for c in clicks):
            clicks = (boxed.clicks[0], *clicks)
        return segmenter.predict(
            clicks,
            previous=previous,
            refine=settings.refine,
            on_progress=remember,
            size_hint=size_hint,
        )

    def note(clicks: tuple[Click, ...], last: Click, made: Any) -> bool:
        """Whether the robot goes on."""
        run.iou.append(round(iou(made.mask, truth, ignore), 6))
        run.clicks.append([int(last.row), int(last.column), last.positive])
        before = unrefined[-1] if unrefined else made
        for obeyed, mask in ((run.obeyed, made.mask), (run.obeyed_before, before.mask)):
            obeyed.append(round(click_accuracy(mask, clicks), 6) if clicks else 1.0)
        run.seconds.append(round(made.seconds, 4))
        run.evaluations.append(made.refinement.evaluations if made.refinement else 0)
        return settings.stop_at is None or run.iou[-1] < settings.stop_at

    if settings.box:
        box = Box.around(truth)
        assert box is not None
        boxed = predict_in_box(segmenter, box)
        centre = Click((box.top + box.bottom - 1) // 2, (box.left + box.right - 1) // 2)
        if not note((), centre, boxed):
            return run
    rounds = click_through(
        predict,
        truth,
        ignore,
        max_clicks=settings.max_clicks - settings.box,
        start=boxed,
        sign_rule=settings.sign_rule,
        rng=rng,
    )
    for made in rounds:
        if not note(made.clicks, made.clicks[-1], made.result):
            break
    return run


def length_of_others(labels: NDArray[np.int32], number: int, min_area: int) -> float | None:
    """Median length of an image's other objects: the longer side of their boxes, in pixels.

    Parameters
    ----------
    labels : (H, W) int
    number : int
        The object that does not count.
    min_area : int
        Pixels of the smallest objects that count.

    Returns
    -------
    float or None
        None if there is no other object.
    """
    areas = np.bincount(labels.ravel())
    lengths = [
        max(axis.stop - axis.start for axis in box)
        for other, box in enumerate(find_objects(labels), start=1)
        if box is not None and other != number and areas[other] >= min_area
    ]
    return float(np.median(lengths)) if lengths else None


def _digest(seed: int, image: str, number: int) -> bytes:
    return hashlib.sha256(f"{seed}/{image}/{number}".encode()).digest()
