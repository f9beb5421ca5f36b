"""Labels of a session, made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import run_main

from napari_brs.io.labels import read_labels, write_labels

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
