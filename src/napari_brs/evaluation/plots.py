"""Curves of a run, and its best and worst objects with the clicks drawn in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_brs.clicks import Click
from napari_brs.evaluation.summary import mean_per_click
from napari_brs.io.atomic import atomic
from napari_brs.io.layouts import Dataset
from napari_brs.metrics import area_under_curve, iou, iou_per_click
from napari_brs.segmenters import Segmenter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILES = ("iou.png", "obeyed.png", "seconds.png", "examples.png")
"""What is drawn."""
SHOWN = 4
"""How many best and how many worst objects are drawn."""
SHOWN_CLICKS = 5
"""Clicks that they are drawn with."""
LONGEST_NAME = 36
"""Characters of an image's name above it."""


def draw_plots(
    result: Mapping[str, Any], pack: Dataset, segmenter: Segmenter, folder: Path
) -> list[Path]:
    """Draw every figure of a run as PNG; needs matplotlib.

    ``iou.png`` (Fig. 7: IoU per click), ``obeyed.png`` (Fig. 9: share of
    clicks obeyed, before and after refinement), ``seconds.png`` (Fig. 10: time
    by click number) and ``examples.png``.

    Parameters
    ----------
    result : mapping
        As `evaluate` returns it.
    pack : Dataset
        What was evaluated.
    segmenter : Segmenter
        What was evaluated: the clicks of the examples are replayed.
    folder : path
        Exists.

    Returns
    -------
    list of path
    """
    objects = result["objects"]
    ious, obeyed, seconds, examples = (folder / name for name in FILES)
    return [
        _curves(
            ious,
            "mean IoU",
            {f"AuC {result['auc']:.3f}": result["iou_per_click"]},
        ),
        _curves(
            obeyed,
            "share of clicks obeyed",
            {
                "before refinement": mean_per_click(objects, "obeyed_before"),
                "after": mean_per_click(objects, "obeyed"),
            },
        ),
        _curves(
            seconds,
            "seconds",
            {str(result.get("device", "time")): mean_per_click(objects, "seconds")},
        ),
        _examples(examples, result, pack, segmenter),
    ]


def _curves(path: Path, quantity: str, curves: Mapping[str, Sequence[float]]) -> Path:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.add_subplot(xlabel="click", ylabel=quantity)
    for name, values in curves.items():
        axes.plot(range(1, len(values) + 1), values, marker=".", label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic(path) as partial:
        figure.savefig(partial, dpi=150)
    return path


def _examples(path: Path, result: Mapping[str, Any], pack: Dataset, segmenter: Segmenter) -> Path:
    """The objects with the largest and the smallest AuC, after a few clicks."""
    from matplotlib.figure import Figure

    curves = iou_per_click([item["iou"] for item in result["objects"]], result["max_clicks"])
    order = np.argsort([-area_under_curve(curve) for curve in curves], kind="stable")
    shown = min(SHOWN, (len(order) + 1) // 2)
    rows = [order[:shown], order[len(order) - shown :]]
    figure = Figure(figsize=(max(3 * shown, 6), 6.5), layout="constrained")
    grid = figure.subplots(2, shown, squeeze=False)
    for line, (title, indices) in enumerate(zip(("best", "worst"), rows, strict=True)):
        for axes, index in zip(grid[line], indices, strict=True):
            _example(axes, result["objects"][index], bool(result["refine"]), pack, segmenter)
        grid[line][0].set_ylabel(title)
    figure.suptitle("clicks: foreground green, background red; mask cyan, truth white", fontsize=9)
    with atomic(path) as partial:
        figure.savefig(partial, dpi=150)
    return path


def _example(
    axes: Axes,
    item: Mapping[str, Any],
    refine: bool,
    pack: Dataset,
    segmenter: Segmenter,
) -> None:
    sample = pack.read(item["image"])
    truth = sample.labels == item["object"]
    clicks = [Click(row, column, bool(positive)) for row, column, positive in item["clicks"]][
        :SHOWN_CLICKS
    ]
    segmenter.set_image(sample.image)
    prediction: Any = None
    for count in range(1, len(clicks) + 1):
        prediction = segmenter.predict(
            tuple(clicks[:count]),
            previous=prediction,
            refine=refine,
            on_progress=lambda progress: None,
            size_hint=item.get("size_hint"),
        )
    axes.imshow(sample.image, cmap="gray")
    for mask, colour in ((truth, "white"), (prediction.mask, "cyan")):
        if mask.any() and not mask.all():
            axes.contour(mask, levels=[0.5], colors=[colour], linewidths=1)
    for click in clicks:
        colour = "lime" if click.positive else "red"
        axes.plot(click.column, click.row, "o", color=colour, markeredgecolor="black", ms=5)
    rows, columns = np.nonzero(truth)
    rows = np.append(rows, [int(click.row) for click in clicks])
    columns = np.append(columns, [int(click.column) for click in clicks])
    margin = max(10, np.ptp(rows) // 2, np.ptp(columns) // 2)
    height, width = truth.shape
    axes.set(
        xticks=[],
        yticks=[],
        xlim=(max(-0.5, columns.min() - margin), min(width - 0.5, columns.max() + margin)),
        ylim=(min(height - 0.5, rows.max() + margin), max(-0.5, rows.min() - margin)),
    )
    reached = iou(prediction.mask, truth, sample.ignore)
    name = item["image"]
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 1]}…"
    axes.set_title(f"{name}\nIoU {reached:.2f} after {len(clicks)}", fontsize=8)
