"""Labels of a session, made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import run_main

from napari_brs.io.labels import read_labels, write_labels
from napari_brs.io.sessions import read_session

SEGMENT = "segment cells.tif --fg 20,20 --object --fg 40,60 --bg 1,1 -o first.tif --session s.json"


def test_a_replay_gives_the_same_labels_bit_for_bit(
    folder: Path,
    weights: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_main([*SEGMENT.split(), "--model", weights]) == 0
    capsys.readouterr()
    assert run_main(["replay", "s.json", "-o", "again.tif"]) == 0
    assert "; the same labels, bit for bit" in capsys.readouterr().out
    assert np.array_equal(read_labels("again.tif"), read_labels("first.tif"))
    assert read_labels("again.tif").any()


def test_the_share_of_differing_pixels_is_told(
    folder: Path,
    weights: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_main([*SEGMENT.split(), "--model", weights]) == 0
    labels = read_labels("first.tif")
    labels[:6, :8] = 9
    write_labels("other.tif", labels)
    capsys.readouterr()
    assert run_main(["replay", "s.json", "-o", "again.tif", "--compare", "other.tif"]) == 0
    assert "1.0000% of the pixels differ" in capsys.readouterr().out


@pytest.mark.parametrize("clicks", ["", "--bg 1,1 --fg 20,22"])
def test_a_box_is_kept_in_the_session_and_replayed(
    folder: Path,
    weights: str,
    capsys: pytest.CaptureFixture[str],
    clicks: str,
) -> None:
    arguments = f"segment cells.tif --box 8,8,32,32 {clicks} -o first.tif --session s.json"
    assert run_main([*arguments.split(), "--model", weights]) == 0
    assert "object 1: box, " in capsys.readouterr().out
    assert read_session("s.json").objects[0].planes[0].box == (8, 8, 32, 32)
    first = read_labels("first.tif")
    assert first[20, 20] == 1
    assert not first[45:].any()
    assert run_main(["replay", "s.json", "-o", "again.tif"]) == 0
    assert "1 objects; " in capsys.readouterr().out
    assert np.array_equal(read_labels("again.tif"), first)
