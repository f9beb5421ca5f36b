"""``napari-brs export``, from a command line to files that other programs read."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pandas
import pytest
import tifffile
from command_line import register_brightness, run_main, two_squares
from corpus_files import SESSION, weights
from labelled import plane, series

from napari_brs import models
from napari_brs.io.exporters.table import exporters


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "_MODELS", models._MODELS)
    register_brightness()
    tifffile.imwrite("img.tif", two_squares())
    tifffile.imwrite("lab.tif", plane().labels)
    tifffile.imwrite(
        "film.tif", series().labels, photometric="minisblack", metadata={"axes": "TYX"}
    )
    (tmp_path / "t.csv").write_text("id,name,class,parent\n3,Anna,cell,\n5,,,8\n6,,,8\n")
    weights(tmp_path / "w.safetensors")
    (tmp_path / "s.json").write_text(json.dumps(SESSION))
    return tmp_path


@pytest.mark.parametrize("suffix", exporters())
def test_every_format_of_the_table_can_be_asked_for(suffix, folder):
    name = suffix if "man_track" in suffix else f"out{suffix}"
    assert run_main(shlex.split(f"export film.tif --objects t.csv -o {name}")) == 0
    assert (folder / name).exists() or suffix == ".png"


def test_what_is_told_reaches_the_table(folder):
    line = "export lab.tif --image img.tif --objects t.csv --pixel-size 0.5 --unit um -o o.csv"
    assert run_main(shlex.split(line)) == 0
    table = pandas.read_csv(folder / "o.csv").set_index("id")
    assert (table.loc[3, "name"], table.loc[3, "class"]) == ("Anna", "cell")
    assert table.loc[7, "area"] == 75 / 4
    image, labels = two_squares(), plane().labels
    assert table.loc[7, "intensity_mean-0"] == pytest.approx(image[labels == 7].mean())


def test_a_session_is_exported_as_segment_replays_it(folder):
    assert run_main(shlex.split("segment img.tif --replay s.json -o again.tif")) == 0
    assert run_main(shlex.split("export s.json --image img.tif -o o.tif")) == 0
    labels = tifffile.imread("o.tif")
    assert labels.any()
    assert np.array_equal(labels, tifffile.imread("again.tif"))


def test_methods_are_printed_and_nothing_is_written(folder, capsys):
    before = sorted(folder.iterdir())
    assert run_main(["export", "s.json", "--methods"]) == 0
    out = capsys.readouterr().out
    assert "1 object was segmented" in out
    assert "@inproceedings{jang2019brs" in out
    assert sorted(folder.iterdir()) == before
