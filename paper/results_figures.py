"""Figures 7, 9 and 10 of the paper, drawn for every result that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_brs.evaluation.report import describe_model
from napari_brs.evaluation.summary import mean_per_click

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Result = Mapping[str, Any]

Draw = Callable[["Axes", Result, str], None]
"""Draws a result's curves in a colour."""

FILES = ("figure-7-iou.svg", "figure-9-obeyed.svg", "figure-10-seconds.svg")


def draw_figures(
    results: Mapping[str, Sequence[Result]], titles: Mapping[str, str], folder: Path
) -> list[Path]:
    """Draw IoU, clicks obeyed and seconds by click number as SVG; needs matplotlib.

    Parameters
    ----------
    results : mapping
        Pack -> results; each pack has a panel.
    titles : mapping
        What packs are called.
    folder : path
        Exists.

    Returns
    -------
    list of path
        In the order of `FILES`.
    """
    kinds: tuple[tuple[str, Draw], ...] = (
        ("mean IoU", _iou),
        ("share of clicks obeyed", _obeyed),
        ("seconds", _seconds),
    )
    drawn = []
    for name, (quantity, draw) in zip(FILES, kinds, strict=True):
        drawn.append(folder / name)
        _panels(folder / name, results, titles, quantity, draw)
    return drawn


def _panels(
    path: Path,
    results: Mapping[str, Sequence[Result]],
    titles: Mapping[str, str],
    quantity: str,
    draw: Draw,
) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = dict.fromkeys(describe_model(run) for runs in results.values() for run in runs)
    colours = {name: f"C{number % 10}" for number, name in enumerate(names)}
    # The same results give the same file.
    with mpl.rc_context({"svg.hashsalt": "napari-brs", "svg.fonttype": "none"}):
        figure = Figure(figsize=(4.6 * len(results), 4.2), layout="constrained")
        panels = figure.subplots(1, len(results), squeeze=False)[0]
        for axes, (pack, runs) in zip(panels, results.items(), strict=True):
            for run in runs:
                draw(axes, run, colours[describe_model(run)])
            axes.set(title=titles.get(pack, pack), xlabel="click", ylabel=quantity)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            if axes.lines:
                axes.legend(fontsize=7)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _plot(axes: Axes, values: Sequence[float], label: str, colour: str, line: str = "-") -> None:
    clicks = range(1, len(values) + 1)
    axes.plot(clicks, values, line, color=colour, marker=".", markersize=4, label=label)


def _iou(axes: Axes, run: Result, colour: str) -> None:
    label = f"{describe_model(run)} [{run['auc']:.3f}]"
    _plot(axes, run["iou_per_click"], label, colour)


def _obeyed(axes: Axes, run: Result, colour: str) -> None:
    """Of networks alone: classical methods obey by construction."""
    if run.get("weights_sha256") is None:
        return
    name = describe_model(run)
    if run["refine"]:
        before = mean_per_click(run["objects"], "obeyed_before")
        _plot(axes, before, f"{name}, before", colour, "--")
    _plot(axes, mean_per_click(run["objects"], "obeyed"), name, colour)


def _seconds(axes: Axes, run: Result, colour: str) -> None:
    label = f"{describe_model(run)} ({run['device']})"
    _plot(axes, mean_per_click(run["objects"], "seconds"), label, colour)
