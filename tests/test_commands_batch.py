from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from fakes import frame_of_discs

from napari_brs.batch.cluster import open_client
from napari_brs.cli import main
from napari_brs.commands.batch import _duration
from napari_brs.io.labels import read_labels, write_labels

pytest.importorskip("distributed")

IMAGE, LABELS = frame_of_discs((96, 128))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with open_client(workers=1) as client:
        yield client.scheduler.address


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two images and a damaged one in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in "ac":
        tifffile.imwrite(tmp_path / "in" / f"{name}.tif", IMAGE)
    (tmp_path / "in" / "b.tif").write_text("no image")
    return tmp_path


def test_a_batch_goes_on_where_it_ended_and_its_exit_code_tells_of_failures(
    folder: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["batch", "in", "-o", "out", "--device", "cpu", "--scheduler", scheduler]
    assert main(command) == 1
    told = capsys.readouterr().out
    assert "(1 of 3, " in told
    assert " left)" in told
    assert "b: failed: " in told
    assert told.splitlines()[-1].endswith("1 images failed")
    assert main(command) == 1
    again = capsys.readouterr().out
    assert "2 of 3 images were finished before" in again
    assert "a: " not in again
    tifffile.imwrite(folder / "in" / "b.tif", IMAGE)
    assert main(command) == 0
    with (folder / "out" / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["a", "b", "c"]
    for row in rows:
        found = read_labels(folder / "out" / f"{row['image']}.tif")
        assert int(row["objects"]) == len(np.unique(found)) - 1
        assert row["error"] == ""


def test_examples_of_one_image_are_kept_and_their_like_found_in_all(
    folder: Path, scheduler: str
) -> None:
    (folder / "in" / "b.tif").unlink()
    write_labels("a.tif", np.where(np.isin(LABELS, [2, 3]), LABELS, 0))
    command = ["batch", "in", "-o", "out", "--examples", "a.tif", "--device", "cpu"]
    assert main([*command, "--scheduler", scheduler]) == 0
    own, other = (read_labels(folder / "out" / f"{name}.tif") for name in "ac")
    assert np.array_equal(np.isin(own, [2, 3]), np.isin(LABELS, [2, 3]))
    assert np.mean(other[LABELS > 0] > 0) > 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("in -o in", "it is an input of the same command"),
        ("in -o out --workers 0", "--workers is 0; 1 or more are allowed"),
        ("in -o out --confidence 2", "--confidence is 2.0; 0 to 1 are allowed"),
        ("in -o out --model brs-live", "segments nothing without clicks"),
        ("in -o out --examples-of in/a.tif", "which are not given"),
        ("in -o out --examples lab.tif", "no input is named lab"),
        ("in -o out --examples lab.tif --examples-of x.tif", "it is none of the inputs"),
        ("lost -o out", "no such file"),
        ("in -o out --model lost", "unknown model"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    write_labels("lab.tif", LABELS)
    assert main(["batch", *arguments.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("seconds", "text"), [(41.2, "41 s"), (700, "12 min"), (11_100, "3 h 05 min")]
)
def test_the_time_left_is_told_as_people_tell_it(seconds: float, text: str) -> None:
    assert _duration(seconds) == text


def test_without_dask_a_batch_says_which_extra_it_needs(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["batch", "in", "-o", "out"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'pip install "napari-brs[batch]"' in line
