"""``python -m paper.results``: docs/results.md from the results kept beside it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_brs.evaluation.report import describe_model
from napari_brs.evaluation.summary import THRESHOLDS, summarise
from napari_brs.io.atomic import write_text
from napari_brs.models import list_models
from paper.published import TABLE_1, TABLE_2, Published
from paper.results_figures import draw_figures

Result = Mapping[str, Any]

PACKS = {
    "grabcut_test": "GrabCut",
    "natural_val": "Held-out photographs",
    "micro_val": "Held-out microscopy",
    "micro2_val": "Held-out microscopy, second pack",
}
"""Packs that come first, and what they are called."""
SHOWN_CLICKS = (1, 3, 5, 10)
"""Clicks that the IoU is given after."""

HEAD = """\
# Results

Written by `python -m paper.results docs` from the files in [results](results);
do not edit.

A robot clicks in the middle of the largest error, 20 times at most ([how that is
measured](evaluation.md)). NoC: mean number of clicks until the IoU reaches 80, 85 or 90 %; a
failure counts 20, and the number of failures stands in brackets. IoU is the mean over the objects;
AuC the area under its curve; *obeyed* the share of clicks that have their label in the mask, after
refinement (and before it, where that differs). Where the robot was told to stop at an IoU of 90 %,
IoU after more clicks and AuC are lower bounds. Seconds tell of a machine with two cores that did
other work as well, at times ten times as much: take them as upper bounds.
"""


def load_results(folder: Path) -> dict[str, list[Result]]:
    """Results of ``napari-brs evaluate --json`` in a folder, by pack.

    Packs and models are in the order of `PACKS` and of the registry. Other JSON
    files are passed over.
    """
    known = [info.name for info in list_models()]

    def rank(result: Result) -> tuple[Any, ...]:
        name = result["model"]
        place = known.index(name) if name in known else len(known)
        return place, name, result.get("coarse", False), not result["refine"], result["jitter"]

    found: dict[str, list[Result]] = {pack: [] for pack in PACKS}
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if {"pack", "model", "objects", "iou_per_click", "failures"} <= result.keys():
            found.setdefault(result["pack"], []).append(result)
    return {pack: sorted(results, key=rank) for pack, results in found.items() if results}


def markdown(results: Mapping[str, Sequence[Result]], figures: Sequence[str] = ()) -> str:
    """The page.

    Parameters
    ----------
    results : mapping
        As `load_results` gives them.
    figures : sequence of str
        Paths of the figures, relative to the page.
    """
    parts = [HEAD]
    for pack, runs in results.items():
        parts.append(f"## {PACKS.get(pack, pack)}\n\n{_table(runs)}")
        shared = _shared(runs)
        if shared:
            count = len(shared[0]["objects"])
            parts.append(f"On the {count} objects that all of them were shown:\n\n{_table(shared)}")
        if pack == "grabcut_test":
            parts.append(
                "The paper's rows. **They are not ours**: its networks were trained on other data "
                "(8,498 images of SBD), and its\nclassical methods are other implementations.\n\n"
                + _published_table(TABLE_1)
            )
            parts += _ablations(runs)
    if figures:
        captions = ("Figure 7: IoU", "Figure 9: clicks obeyed", "Figure 10: seconds")
        pictures = (
            f"![{caption} by the number of clicks]({figure})"
            for caption, figure in zip(captions, figures, strict=True)
        )
        parts.append("## The paper's figures, with ours\n\n" + "\n\n".join(pictures) + "\n")
    return "\n".join(parts)


def _shared(runs: Sequence[Result]) -> list[Result]:
    """The runs over their common objects alone; empty if that is nothing new."""
    shown = [{(item["image"], item["object"]) for item in run["objects"]} for run in runs]
    common = set.intersection(*shown)
    if not common or all(objects == common for objects in shown):
        return []
    clicks = min(run["max_clicks"] for run in runs)
    cut: list[Result] = []
    for run in runs:
        objects = [item for item in run["objects"] if (item["image"], item["object"]) in common]
        cut.append({**run, **summarise(objects, clicks), "every": 1, "objects": objects})
    return cut


def _table(runs: Sequence[Result]) -> str:
    after = ", ".join(str(click) for click in SHOWN_CLICKS)
    lines = [
        f"| model | objects | NoC@{' / '.join(map(str, THRESHOLDS))} | IoU after {after} "
        "| AuC | obeyed | seconds per click |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        noc = " / ".join(
            f"{run[f'noc{percent}']:.2f} ({len(run['failures'][str(percent)])})"
            for percent in THRESHOLDS
        )
        ious = ", ".join(
            f"{run['iou_per_click'][click - 1]:.3f}"
            for click in SHOWN_CLICKS
            if click <= run["max_clicks"]
        )
        obeyed = f"{100 * run['obeyed']:.1f} %"
        if run["obeyed_before"] != run["obeyed"]:
            obeyed += f" ({100 * run['obeyed_before']:.1f} %)"
        lines.append(
            f"| {_name(run)} | {_sample(run)} | {noc} | {ious} | {run['auc']:.3f} | {obeyed} "
            f"| {run['seconds_per_click']:.2f} ({run.get('device', '?')}) |"
        )
    return "\n".join(lines) + "\n"


def _name(run: Result) -> str:
    text = describe_model(run)
    if run["sign_rule"] == "count":
        text += ", signs by count"
    if run["jitter"]:
        text += ", jittered clicks"
    if run.get("size_prior"):
        text += ", told the length of other objects"
    if run.get("box"):
        text += ", a box first"
    return text


def _sample(run: Result) -> str:
    text = str(len(run["objects"]))
    images = len({item["image"] for item in run["objects"]})
    if images < len(run["objects"]):
        text += f" in {images} images"
    if run.get("every", 1) > 1:
        text += f", each {run['every']}th image"
    return text


def _published_table(rows: Sequence[Published]) -> str:
    lines = ["| in the paper | NoC@85 / 90 | AuC |", "|---|---|---|"]
    lines += [
        f"| {row.name} | {_noc(row)} | {'–' if row.auc is None else f'{row.auc:.3f}'} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _ablations(runs: Sequence[Result]) -> list[str]:
    """Table 2 for every network that was measured with something left out, as it now is."""
    tables = []
    weights = [(run["model"], run.get("weights_sha256")) for run in runs]
    for model, sha256 in dict.fromkeys(weights):
        settings = {
            (bool(run.get("coarse")), bool(run["refine"])): run
            for run in runs
            if (run["model"], run.get("weights_sha256")) == (model, sha256)
            and not run["jitter"]
            and run["sign_rule"] == "distance"
        }
        if len(settings) < 2:
            continue
        lines = [
            f"What each part of {Path(model).name} does (Table 2):\n",
            f"| | {Path(model).name}: NoC@85 / 90 | BRS-DenseNet in the paper |",
            "|---|---|---|",
        ]
        lines += [
            f"| {row.name} | {settings[key]['noc85']:.2f} / {settings[key]['noc90']:.2f} "
            f"| {_noc(row)} |"
            for key, row in TABLE_2.items()
            if key in settings
        ]
        tables.append("\n".join(lines) + "\n")
    return tables


def _noc(row: Published) -> str:
    values = ("–" if value is None else f"{value:.2f}" for value in (row.noc85, row.noc90))
    return " / ".join(values)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and its figures; exit code 2 and one line on bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m paper.results",
        description="Write results.md from the files in results/, and draw its figures.",
    )
    parser.add_argument("docs", type=Path, help="the folder of both")
    docs = parser.parse_args(argv).docs
    results = load_results(docs / "results")
    if not results:
        print(
            f"{parser.prog}: no result of napari-brs evaluate in {docs / 'results'}",
            file=sys.stderr,
        )
        return 2
    drawn = draw_figures(results, PACKS, docs / "results")
    write_text(docs / "results.md", markdown(results, [f"results/{path.name}" for path in drawn]))
    print(docs / "results.md", *drawn, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
