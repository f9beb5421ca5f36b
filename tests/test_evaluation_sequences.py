from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import BrightNetwork
from PIL import Image

from napari_brs import cli
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.evaluation.sequences import run_sequence, summarise_tracks
from napari_brs.io.sequences import Sequence, read_sequences


class PreviousNetwork(BrightNetwork):
    uses_previous = True


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A square that moves to the right, and in frame 3 jumps into a corner."""
    for t in range(5):
        image, labels = np.full((64, 96), 10, np.uint8), np.zeros((64, 96), np.uint16)
        row, column = (46, 76) if t >= 3 else (20, 10 + 4 * t)
        labels[row : row + 14, column : column + 14] = 5
        image[labels > 0] = 220
        for kind, values in (("frames", image), ("masks", labels)):
            path = tmp_path / "pack" / "one" / kind / f"{t}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(path)
    return tmp_path / "pack"


@pytest.fixture
def sequence(pack: Path) -> Sequence:
    return next(iter(read_sequences(pack)))


def test_the_robot_clicks_once_and_corrects_where_the_object_was_lost(sequence: Sequence) -> None:
    (run,) = run_sequence(BRSSegmenter(PreviousNetwork(), "cpu"), sequence)
    assert (run.sequence, run.object) == ("one", 5)
    assert run.clicks[0] >= 1
    assert run.clicks[1:3] == [0, 0]
    assert run.iou_propagated[0] is None
    assert run.iou_propagated[3] == 0
    assert run.clicks[3] > 0
    assert run.confidence[3] == 0
    assert min(value for value in run.iou_propagated[1:3] if value is not None) > 0.75


def test_means_are_over_followed_frames_and_clicks_over_all(sequence: Sequence) -> None:
    runs = run_sequence(BRSSegmenter(PreviousNetwork(), "cpu"), sequence, frames=3)
    result: Any = summarise_tracks(runs)
    assert result["clicks_per_object_frame"] == pytest.approx(sum(runs[0].clicks) / 3, abs=1e-3)
    assert result["share_good"] == 1
    assert len(result["tracks"]) == 1


def test_the_command_writes_tracks_as_json(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "napari_brs.segmenters.open_segmenter",
        lambda *_, **__: BRSSegmenter(PreviousNetwork(), "cpu"),
    )
    out = tmp_path / "out.json"
    assert (
        cli.main(["evaluate", str(pack), "--propagate", "--frames", "3", "--json", str(out)]) == 0
    )
    assert "clicks an object and frame" in capsys.readouterr().out
    assert json.loads(out.read_text())["tracks"][0]["frames"] == [0, 1, 2]


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_limit_below_one_is_refused(
    pack: Path, limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", str(pack), "--propagate", "--limit", limit]) == 2
    assert "at least 1 is allowed" in capsys.readouterr().err
