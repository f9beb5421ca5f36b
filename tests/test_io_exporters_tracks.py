"""Tracks as a graph, and in the formats that hold one: GEFF, CTC, CSV."""

from __future__ import annotations

import geff
import numpy as np
import pandas
import pytest
import tifffile
from labelled import plane, series

from napari_brs.io.exporters import ctc, track_table
from napari_brs.io.exporters import geff as geff_file
from napari_brs.io.exporters.labelled_image import LabelledImage
from napari_brs.io.exporters.tracks import edges, nodes


def returning():
    """Object 2 is there in frames 0 and 2 of three."""
    labels = np.zeros((3, 10, 12), np.uint16)
    labels[0, 2:5, 2:5] = labels[2, 2:5, 3:6] = 2
    return LabelledImage(labels, "TYX")


def test_edges_follow_tracks_and_lead_from_parents_to_daughters():
    labelled = series()
    found = nodes(labelled)
    named = {
        ((found[a].track, found[a].frame), (found[b].track, found[b].frame))
        for a, b in edges(labelled, found)
    }
    assert named == {
        *(((3, t), (3, t + 1)) for t in range(3)),
        ((8, 0), (8, 1)),
        ((8, 1), (5, 2)),
        ((8, 1), (6, 2)),
        ((5, 2), (5, 3)),
        ((6, 2), (6, 3)),
    }


def test_a_centroid_has_its_plane_wherever_time_stands():
    labels = np.zeros((5, 2, 6, 7), np.uint16)
    labels[1:4, 1, 2, 4:6] = 9
    (node,) = nodes(LabelledImage(labels, "ZTYX"))
    assert (node.frame, node.centroid, node.pixels) == (1, (2.0, 2.0, 4.5), 6)


@pytest.mark.parametrize(
    ("labelled", "message"),
    [
        (plane(), "axes YX; tracks need"),
        (series(parents={3: 8}), "object 3 begins in frame 0, but its parent 8 lasts to frame 1"),
        (series(parents={5: 77}), "object 77 has relatives, but no pixel"),
    ],
)
@pytest.mark.parametrize(
    ("write", "name"),
    [(geff_file.write, "a.geff"), (ctc.write, "man_track.txt"), (track_table.write, "a.csv")],
)
def test_what_are_no_tracks_is_refused_and_nothing_written(
    labelled, message, write, name, tmp_path
):
    with pytest.raises(ValueError, match=message):
        write(labelled, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_geff_reads_the_graph_back(tmp_path):
    labelled = series(pixel_size=(60, 0.5, 0.5), unit="um", classes={3: "cell"})
    geff_file.write(labelled, tmp_path / "a.geff")
    geff.validate_structure(str(tmp_path / "a.geff"))
    graph, metadata = geff.read(str(tmp_path / "a.geff"))
    assert [(axis.name, axis.unit) for axis in metadata.axes] == [
        ("t", "second"),
        ("y", "micrometer"),
        ("x", "micrometer"),
    ]
    found = nodes(labelled)
    assert set(graph.edges) == set(edges(labelled, found))
    for place, node in enumerate(found):
        stored = graph.nodes[place]
        assert (stored["t"], stored["track"]) == (60 * node.frame, node.track)
        assert (stored["y"], stored["x"]) == tuple(0.5 * value for value in node.centroid)
        assert stored["lineage"] == (3 if node.track == 3 else 8)
    assert metadata.extra["napari-brs"]["classes"] == {"3": "cell"}


def test_a_geff_that_is_there_stays(tmp_path):
    (tmp_path / "a.geff").mkdir()
    with pytest.raises(FileExistsError, match="it is there already"):
        geff_file.write(series(), tmp_path / "a.geff")


def test_ctc_has_a_mask_a_frame_and_a_line_a_track(tmp_path):
    ctc.write(series(), tmp_path / "man_track.txt")
    table = np.loadtxt(tmp_path / "man_track.txt", dtype=int)
    assert table.tolist() == [[3, 0, 3, 0], [5, 2, 3, 8], [6, 2, 3, 8], [8, 0, 1, 0]]
    for frame, labels in enumerate(series().labels):
        mask = tifffile.imread(tmp_path / f"man_track{frame:03}.tif")
        assert mask.dtype == np.uint16
        assert np.array_equal(mask, labels)


def test_ctc_begins_a_new_track_where_one_returns(tmp_path):
    with pytest.warns(UserWarning, match="objects 2 leave and return"):
        ctc.write(returning(), tmp_path / "man_track.txt")
    table = np.loadtxt(tmp_path / "man_track.txt", dtype=int)
    assert table.tolist() == [[2, 0, 0, 0], [3, 2, 2, 2]]
    assert np.unique(tifffile.imread(tmp_path / "man_track002.tif")).tolist() == [0, 3]


def test_ctc_refuses_masks_of_another_series_and_ids_beyond_16_bits(tmp_path):
    high = LabelledImage(np.full((1, 4, 4), 70_000, np.uint32), "TYX")
    with pytest.raises(ValueError, match="object 70000 has no place in 16 bits"):
        ctc.write(high, tmp_path / "man_track.txt")
    (tmp_path / "man_track009.tif").touch()
    with pytest.raises(ValueError, match="is a mask of another series"):
        ctc.write(series(), tmp_path / "man_track.txt")
    assert len(list(tmp_path.iterdir())) == 1


def test_the_table_of_tracks_has_a_row_an_object_and_frame(tmp_path):
    labelled = series(pixel_size=(60, 0.5, 0.5), unit="um", names={3: "Anna"})
    track_table.write(labelled, tmp_path / "a.csv")
    table = pandas.read_csv(tmp_path / "a.csv")
    anna = table[table.track == 3]
    assert anna.time.tolist() == [0, 60, 120, 180]
    assert anna.x.tolist() == [7.25, 7.75, 8.25, 8.75]
    assert set(anna.area) == {25}
    assert table[table.track == 5].parent.tolist() == [8, 8]
