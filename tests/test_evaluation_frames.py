"""How the completion of frames is measured."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import frame_of_discs
from PIL import Image

from napari_brs.cli import main
from napari_brs.evaluation.frames import complete_frame, summarise_frames
from napari_brs.io.packs import DatasetPack
from napari_brs.masks import Mask

IMAGE, LABELS = frame_of_discs((150, 150))


@pytest.fixture
def pack(tmp_path: Path) -> DatasetPack:
    for folder, pixels in (("images", IMAGE), ("masks", LABELS.astype(np.uint8))):
        (tmp_path / "discs" / folder).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "discs" / folder / "a.png")
    return DatasetPack(tmp_path / "discs")


def truth(number: int, confidence: float = 0.9) -> Any:
    return SimpleNamespace(mask=Mask.of(number == LABELS), confidence=confidence)


def test_objects_found_missed_and_made_up_are_counted(pack: DatasetPack) -> None:
    nowhere = SimpleNamespace(mask=Mask.of(LABELS == 0), confidence=0.9)
    unsure = truth(16, confidence=0.01)
    given: list[Mask] = []

    def propose(image: Any, finished: Any) -> Any:
        given.extend(finished)
        known = {int(LABELS[mask.nonzero()][0]) for mask in finished}
        left = [number for number in range(1, 16) if number not in known]
        return iter([*map(truth, left), nowhere, unsure])

    run = complete_frame(propose, pack.read("a"), 3)
    assert run is not None
    assert (run.objects, run.examples, len(given)) == (13, 3, 3)
    missed = 16 not in {int(LABELS[mask.nonzero()][0]) for mask in given}
    assert run.matched50 == run.matched75 == 13 - missed
    assert run.false == 1
    summary = summarise_frames([run])
    expected = 2 * run.matched50 / (run.objects + run.proposed)
    assert summary["f1_50"] == pytest.approx(expected, abs=1e-3)


def test_a_frame_with_too_few_objects_does_not_count(pack: DatasetPack) -> None:
    assert complete_frame(lambda image, finished: iter(()), pack.read("a"), 16) is None


def test_the_command_measures_a_rival_without_a_network(
    pack: DatasetPack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "r.json"
    argv = ["evaluate", str(tmp_path / "discs"), "--complete", "3", "--json", str(output)]
    assert main([*argv, "--model", "otsu"]) == 0
    result = json.loads(output.read_text())
    assert result["f1_50"] == result["f1_75"] == 1.0
    assert [image["image"] for image in result["images"]] == ["a"]
    assert "F1 1.000 at IoU 0.5" in capsys.readouterr().out
