"""Table 3, Table 4 and Figure 11 of the paper, for networks that were made clickable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.io.packs import Sample
from napari_brs.metrics import iou
from paper.corrections import MAX_CLICKS, CorrectedImage, WholeImageSegmenter, correct_image
from paper.whole_metrics import (
    ClassCounts,
    Curve,
    cell_iou,
    cell_zones,
    class_counts,
    max_f,
    mean_class_iou,
    mean_curve,
    pixel_accuracy,
    precision_recall,
    segmentation_measure,
)

Rows = list[dict[str, Any]]

HARM = 0.005
"""Mean loss of IoU per click from which on an image was made worse."""


def source_of(name: str) -> str:
    """What stands before the first hyphen of an image's name."""
    return name.split("-", 1)[0]


def padded(values: Sequence[float], length: int = MAX_CLICKS + 1) -> list[float]:
    """Figures after 0, 1, … clicks; the last one again where no error was left to click on."""
    return [*values, *[values[-1]] * (length - len(values))]


# Table 4: cells


def correct_cells(segmenter: Any, samples: Iterable[Sample], report: Callable[[str], None]) -> Rows:
    """Let the robot correct the foreground of images of cells.

    Parameters
    ----------
    segmenter : WholeImageSegmenter
        With ``instances``, the objects of its own segmentation.
    samples : iterable of Sample
    report : callable
        Called with a line for each image.

    Returns
    -------
    list of dict
        For each image ``iou`` without clicks and after each, ``gain`` of the clicked
        cell with each click (None where the click meets no cell), ``seg`` of the
        network's own objects, ``clicks``, ``obeyed``, ``evaluations``, ``stable``, ``seconds``.
    """
    rows: Rows = []
    for sample in samples:
        truth = sample.labels > 0
        found = correct_image(segmenter, sample.image, truth, sample.ignore)
        row = {
            "image": sample.name,
            "iou": [round(iou(mask, truth, sample.ignore), 5) for mask in found.masks],
            "gain": clicked_cell_gains(found, sample.labels, sample.ignore),
            "seg": round(segmentation_measure(segmenter.instances(), sample.labels), 5),
            **_clicking(found),
        }
        rows.append(row)
        report(f"{sample.name}: IoU {' '.join(f'{value:.3f}' for value in row['iou'])}")
    return rows


def clicked_cell_gains(
    found: CorrectedImage, labels: NDArray[np.int32], ignore: NDArray[np.bool_]
) -> list[float | None]:
    """By how much each click changed the IoU of the cell in whose zone it lies."""
    zones = cell_zones(labels)
    gains: list[float | None] = []
    for number, click in enumerate(found.clicks):
        cell = int(zones[click.pixel])
        before, after = (
            cell_iou(mask, labels, zones, cell, ignore) if cell else 0.0
            for mask in found.masks[number : number + 2]
        )
        gains.append(round(after - before, 5) if cell else None)
    return gains


def table_4(rows: Rows) -> dict[str, Any]:
    """The figures of Table 4 over images, and by source.

    Returns
    -------
    dict
        ``iou``: mean without clicks and after 1, 2, … of them. ``gain``: mean over the
        cells that were clicked with the first, second, … click. ``seg``: mean of the
        objects without clicks. ``worse``: the images that lost more than 0.5 points
        of IoU per click on average, with that loss. ``obeyed``, ``stable``: shares of
        clicks. ``sources``: ``images`` and ``iou`` of each.
    """
    curves = np.array([padded(row["iou"]) for row in rows])
    names = [source_of(row["image"]) for row in rows]
    changes = [(row["iou"][-1] - row["iou"][0]) / max(1, len(row["clicks"])) for row in rows]
    return {
        "iou": _rounded(curves.mean(0)),
        "gain": [_mean_of(rows, "gain", click) for click in range(MAX_CLICKS)],
        "seg": round(float(np.mean([row["seg"] for row in rows])), 5),
        "worse": {
            row["image"]: round(change, 5)
            for row, change in zip(rows, changes, strict=True)
            if change < -HARM
        },
        **_clicking_summary(rows),
        "sources": {
            source: {
                "images": names.count(source),
                "iou": _rounded(curves[[name == source for name in names]].mean(0)),
            }
            for source in sorted(set(names))
        },
    }


# Figure 11: saliency


def correct_saliency(
    segmenter: WholeImageSegmenter, samples: Iterable[Sample], report: Callable[[str], None]
) -> tuple[Rows, list[list[Curve]]]:
    """Let the robot correct the saliency of photographs.

    Parameters and the rows are as in `correct_cells`, with ``iou`` alone. The curves are
    those of each image without clicks and after each.
    """
    rows: Rows = []
    curves = []
    for sample in samples:
        truth = sample.labels > 0
        found = correct_image(segmenter, sample.image, truth, sample.ignore)
        mine = [precision_recall(p, truth, sample.ignore) for p in found.probabilities]
        curves.append([*mine, *[mine[-1]] * (MAX_CLICKS + 1 - len(mine))])
        ious = [round(iou(mask, truth, sample.ignore), 5) for mask in found.masks]
        rows.append({"image": sample.name, "iou": ious, **_clicking(found)})
        report(f"{sample.name}: IoU {' '.join(f'{value:.3f}' for value in ious)}")
    return rows, curves


def figure_11(rows: Rows, curves: Sequence[Sequence[Curve]]) -> dict[str, Any]:
    """Max F and the mean curves, without clicks and after 1, 2, …, in all and by source.

    Curves are given at every fifth threshold, as [precision, recall].
    """
    names = [source_of(row["image"]) for row in rows]

    def f_after(click: int, chosen: str | None = None) -> float:
        mine = [
            own[click] for own, name in zip(curves, names, strict=True) if chosen in (None, name)
        ]
        return round(max_f(mean_curve(mine)), 5)

    clicks = range(MAX_CLICKS + 1)
    return {
        "max_f": [f_after(click) for click in clicks],
        "iou": _rounded(np.mean([padded(row["iou"]) for row in rows], axis=0)),
        **_clicking_summary(rows),
        "sources": {
            source: {
                "images": names.count(source),
                "max_f": [f_after(click, source) for click in clicks],
            }
            for source in sorted(set(names))
        },
        "curves": [
            np.stack(mean_curve([own[click] for own in curves]), 1)[::5].round(4).tolist()
            for click in clicks
        ],
    }


# Table 3: classes


def correct_classes(
    segmenter: WholeImageSegmenter,
    samples: Iterable[Sample],
    target_of: Callable[[str], int],
    report: Callable[[str], None],
) -> Rows:
    """Let the robot correct one class in each photograph.

    Parameters and the rows are as in `correct_cells`, with ``class`` and ``counts``
    (`class_counts`, without clicks and after each) instead of ``iou``.

    Parameters
    ----------
    segmenter : WholeImageSegmenter
    samples : iterable of Sample
    target_of : callable
        The class of the objects of an image, by its name.
    report : callable
    """
    rows: Rows = []
    for sample in samples:
        target, truth = target_of(sample.name), sample.labels > 0
        found = correct_image(segmenter, sample.image, truth, sample.ignore, target)
        counts = [class_counts(mask, truth, sample.ignore) for mask in found.masks]
        rows.append({"image": sample.name, "class": target, "counts": counts, **_clicking(found)})
        ious = " ".join(f"{c.both / max(1, c.either):.3f}" for c in counts)
        report(f"{sample.name}: IoU {ious}")
    return rows


def table_3(rows: Rows) -> dict[str, Any]:
    """Pixel accuracy and mean IoU over the classes, without clicks and after 1, 2, …"""
    classes = [str(row["class"]) for row in rows]
    after = [
        [ClassCounts(*row["counts"][min(click, len(row["counts"]) - 1)]) for row in rows]
        for click in range(MAX_CLICKS + 1)
    ]
    return {
        "pixel_accuracy": _rounded([pixel_accuracy(counts) for counts in after]),
        "mean_iou": _rounded([mean_class_iou(counts, classes) for counts in after]),
        **_clicking_summary(rows),
    }


def _clicking(found: CorrectedImage) -> dict[str, Any]:
    return {
        "clicks": [[*click.pixel, click.positive] for click in found.clicks],
        "obeyed": [round(value, 5) for value in found.obeyed],
        "evaluations": found.evaluations,
        "stable": found.stable,
        "seconds": [round(value, 3) for value in found.seconds],
    }


def _clicking_summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    last = [row["obeyed"][-1] for row in rows if row["obeyed"]]
    evaluations = [value for row in rows for value in row["evaluations"]]
    return {
        "images": len(rows),
        "obeyed": round(float(np.mean(last)), 5),
        "stable": round(float(np.mean([value for row in rows for value in row["stable"]])), 5),
        "evaluations_per_click": round(float(np.mean(evaluations)), 3),
        "seconds_per_click": _mean_of(rows, "seconds"),
    }


def _mean_of(rows: Sequence[Mapping[str, Any]], key: str, click: int | None = None) -> float:
    """Mean over images and clicks, or of one click, without those that are None."""
    values = [
        value
        for row in rows
        for number, value in enumerate(row[key])
        if value is not None and click in (None, number)
    ]
    return round(float(np.mean(values)), 5) if values else float("nan")


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 5) for value in values]
