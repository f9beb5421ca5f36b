"""What two runs, compared, say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from napari_brs.evaluation.compare import compare
from napari_brs.evaluation.protocol import RobotSettings
from napari_brs.evaluation.report import comparison, markdown
from napari_brs.evaluation.summary import summarise


def outcome(curves: Sequence[Sequence[float]], images: Sequence[str]) -> dict[str, Any]:
    objects = [
        {"image": image, "object": n, "iou": curve, "obeyed": [1], "obeyed_before": [0.5]}
        | {"seconds": [0.1], "clicks": [], "evaluations": []}
        for n, (curve, image) in enumerate(zip(curves, images, strict=True))
    ]
    about = {"model": "m", "pack": "p", "images": 4, **vars(RobotSettings(max_clicks=4))}
    return {**about, **summarise(objects, 4), "objects": objects}


def test_differences_of_hand_worked_runs() -> None:
    images = ["a", "a", "b", "c"]
    first = outcome([[0.1, 0.5, 0.7, 0.9]] * 4, images)
    better = outcome([[0.2, 0.6, 0.9]] * 4, images)
    count, differences = compare(first, better)
    assert count == 4
    noc = {item.figure: item for item in differences}
    assert [noc[f"NoC@{t}"].change for t in (80, 85, 90)] == [-1, -1, -1]
    # The same change everywhere leaves the bootstrap nothing to vary.
    iou_after_1 = noc["IoU after 1"]
    assert iou_after_1.low == pytest.approx(0.1)
    assert iou_after_1.high == pytest.approx(0.1)
    assert iou_after_1.is_clear
    assert not noc["clicks obeyed"].is_clear
    assert "| NoC@90 | x | " not in comparison("x", "y", count, differences)
    assert "| NoC@90 | 4.000 | 3.000 | -1.000 | -1.000 to -1.000 | * |" in comparison(
        "x", "y", count, differences
    )


def test_the_interval_treats_an_image_as_one_draw() -> None:
    rng = np.random.default_rng(0)
    changes = rng.normal(0, 0.05, 20).repeat(10)  # 10 alike objects in each of 20 images
    images = [f"{n:02}" for n in range(20) for _ in range(10)]
    first = outcome([[0.5]] * 200, images)
    second = outcome([[0.5 + change] for change in changes], images)
    _, differences = compare(first, second, resamples=2000)
    found = next(item for item in differences if item.figure == "IoU after 1")
    standard_error = changes[::10].std() / np.sqrt(20)
    assert found.low < found.change < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * standard_error, rel=0.15)


def test_only_common_objects_of_one_pack_are_compared() -> None:
    first = outcome([[0.5], [0.6]], ["a", "b"])
    count, differences = compare(first, outcome([[0.7]], ["a"]))
    assert count == 1
    assert next(d for d in differences if d.figure == "AuC").change == pytest.approx(0.2)
    with pytest.raises(ValueError, match="pack is 'p' in one and 'q' in the other"):
        compare(first, {**first, "pack": "q"})
    with pytest.raises(ValueError, match="no object in common"):
        compare(first, outcome([[0.7]], ["z"]))


def test_a_report_counts_and_names_the_failures() -> None:
    text = markdown(outcome([[0.5, 0.88], [0.95]], ["a", "b"]))
    assert "| NoC@85 (failures) | 1.50 (0) |" in text
    assert "| NoC@90 (failures) | 2.50 (1) |" in text
    assert "IoU 90 % never reached: a (0).\n" in text
    assert "| clicks obeyed | 100.0 % (50.0 % before refinement) |" in text
