"""Which exporter writes a file; exporters of other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from labelled import plane

from napari_brs.io.exporters import table


def write_sum(labelled, path):
    """An exporter as another package brings it."""
    path.write_text(str(labelled.labels.sum()))


@pytest.fixture
def entries(monkeypatch):
    """Entry points of the group, to be filled."""
    found: list[EntryPoint] = []
    monkeypatch.setattr(table, "entry_points", lambda group: found if group == table.GROUP else [])
    return found


def entry(suffix, value):
    return EntryPoint(suffix, value, table.GROUP)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.tif", ".tif"),
        ("A.TIFF", ".tiff"),
        ("a.ome.zarr", ".zarr"),
        ("a.csv", ".csv"),
        ("a.tracks.csv", ".tracks.csv"),
        ("01_GT/TRA/man_track.txt", "man_track.txt"),
    ],
)
def test_the_longest_suffix_chooses(name, suffix):
    assert table.exporter_for(name).suffix == suffix


@pytest.mark.parametrize("name", ["a.txt", "a", "", ".csv"])
def test_other_names_are_refused_with_those_allowed(name):
    with pytest.raises(ValueError, match=r"\.tif, .*\.geff"):
        table.exporter_for(name)


def test_every_exporter_of_the_table_is_there(tmp_path):
    for exporter in table._EXPORTERS:
        assert callable(exporter.load())


def test_an_exporter_of_another_package_is_used(entries, tmp_path):
    entries.append(entry(".Sum", f"{__name__}:write_sum"))
    table.export(plane(), tmp_path / "a.sum")
    assert (tmp_path / "a.sum").read_text() == str(plane().labels.sum())


def test_own_exporters_are_not_taken_over(entries):
    entries.append(entry(".csv", f"{__name__}:write_sum"))
    with pytest.warns(UserWarning, match=r"\.csv files have an exporter already"):
        assert table.exporter_for("a.csv").writer.endswith("region_table")


@pytest.mark.parametrize("value", ["no_such_package:write", f"{__name__}:__doc__"])
def test_an_exporter_that_is_broken_is_named(value, entries, tmp_path):
    entries.append(entry(".sum", value))
    with pytest.raises(ValueError, match=r"exporter of \.sum files, .* (cannot be|is not)"):
        table.export(plane(), tmp_path / "a.sum")
