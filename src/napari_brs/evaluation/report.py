"""The figures of a run in words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_brs.evaluation.compare import Difference
from napari_brs.evaluation.summary import THRESHOLDS

MAX_LISTED = 20
"""Failures that a report lists by name."""


def short_summary(result: Mapping[str, Any]) -> str:
    """Three lines for the terminal."""
    noc = " / ".join(f"{result[f'noc{percent}']:.2f}" for percent in THRESHOLDS)
    failures = " / ".join(str(len(result["failures"][str(percent)])) for percent in THRESHOLDS)
    return (
        f"{_title(result)} · {_scope(result)}\n"
        f"NoC@{'/'.join(map(str, THRESHOLDS))}  {noc}  (failures {failures})\n"
        f"AuC {result['auc']:.3f} · clicks obeyed {_obeyed(result)} · "
        f"{result['seconds_per_click']:.3f} s per click"
    )


def markdown(result: Mapping[str, Any]) -> str:
    """A report of one run."""
    lines = [f"# {_title(result)}", "", f"{_scope(result)}.", ""]
    lines += ["| figure | value |", "|---|---|"]
    for percent in THRESHOLDS:
        failures = len(result["failures"][str(percent)])
        lines.append(f"| NoC@{percent} (failures) | {result[f'noc{percent}']:.2f} ({failures}) |")
    lines.append(f"| AuC | {result['auc']:.3f} |")
    for click in (1, 3, 5, 10, 20):
        if click <= result["max_clicks"]:
            lines.append(f"| mean IoU after {click} | {result['iou_per_click'][click - 1]:.3f} |")
    lines += [
        f"| clicks obeyed | {_obeyed(result)} |",
        f"| seconds per click | {result['seconds_per_click']:.3f} ({result.get('device', '?')}) |",
        "",
    ]
    for percent in THRESHOLDS:
        failures = result["failures"][str(percent)]
        if failures:
            named = ", ".join(f"{image} ({number})" for image, number in failures[:MAX_LISTED])
            more = len(failures) - MAX_LISTED
            rest = f" and {more} more" if more > 0 else ""
            lines += [f"IoU {percent} % never reached: {named}{rest}.", ""]
    return "\n".join(lines)


def comparison(first: str, second: str, count: int, differences: Sequence[Difference]) -> str:
    """A Markdown table of paired differences; ``*`` marks intervals that exclude 0."""
    lines = [
        f"{second} against {first}, {count} objects, 95 % bootstrap intervals",
        "",
        f"| figure | {first} | {second} | change | 95 % interval | |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {item.figure} | {item.first:.3f} | {item.second:.3f} | {item.change:+.3f} "
        f"| {item.low:+.3f} to {item.high:+.3f} | {'*' if item.is_clear else ''} |"
        for item in differences
    ]
    return "\n".join(lines)


def _title(result: Mapping[str, Any]) -> str:
    return f"{describe_model(result)} on {result['pack']}"


def describe_model(result: Mapping[str, Any]) -> str:
    """The model's name, and what of it was left out."""
    without = []
    if result.get("coarse"):
        without.append("fine decoder")
    if not result["refine"]:
        without.append("refinement")
    name = Path(result.get("model", "model")).name
    return f"{name} without {' and '.join(without)}" if without else name


def _scope(result: Mapping[str, Any]) -> str:
    seen = len({item["image"] for item in result["objects"]})
    text = f"{len(result['objects'])} objects in {seen} images"
    if result["images"] > seen:
        others = result["images"] - seen
        text += f" ({others} more without an object of {result['min_area']} pixels)"
    text += f", {result['max_clicks']} clicks"
    if result["sign_rule"] == "count":
        text += ", signs by pixel count"
    if result["jitter"]:
        text += ", jittered clicks"
    if result.get("size_prior"):
        text += ", told the length of other objects"
    if result.get("box"):
        text += ", a box first"
    if result["stop_at"] is not None:
        text += f", stopped at IoU {result['stop_at']:g}"
    return text


def _obeyed(result: Mapping[str, Any]) -> str:
    after = f"{100 * result['obeyed']:.1f} %"
    if not result["refine"]:
        return after
    return f"{after} ({100 * result['obeyed_before']:.1f} % before refinement)"
