"""Figure 11: precision-recall curves by the number of clicks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def draw_curves(result: Mapping[str, Any], path: str | Path) -> None:
    """Draw the curves of a result of `tables.figure_11`; needs matplotlib.

    Parameters
    ----------
    result : mapping
        With ``curves`` and ``max_f``, without clicks and after 1, 2, ….
    path : path
        Its suffix says what is written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.8), layout="constrained")
    axes = figure.add_subplot(xlabel="recall", ylabel="precision")
    for clicks, (curve, best) in enumerate(zip(result["curves"], result["max_f"], strict=True)):
        precision, recall = zip(*curve, strict=True)
        name = f"{clicks} click{'s' * (clicks != 1)}" if clicks else "without clicks"
        axes.plot(recall, precision, label=f"{name} [{best:.3f}]")
    axes.grid(alpha=0.3)
    axes.legend(title="max F")
    # The same result gives the same file.
    with rc_context({"svg.hashsalt": "curves"}):
        figure.savefig(path, dpi=150, metadata={"Date": None} if str(path).endswith("svg") else {})
