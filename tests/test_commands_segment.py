"""`napari-brs segment`: what it writes and says, and images as people have them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from command_line import (
    iou,
    listing,
    run_apart,
    two_squares,
    with_nan,
)
from PIL import Image

from napari_brs import Click, models
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.cli import main
from napari_brs.io.labels import read_labels
from napari_brs.io.sessions import load_session

SHARED = Path(__file__).parents[1].parent / "shared"


def test_an_object_is_segmented_and_one_line_tells(
    folder: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["segment", "cells.tif", "--fg", "20,20", "--bg", "40,60.5", "-o", "labels.tif"]
    assert main([*argv, "--model", weights]) == 0
    labels = read_labels("labels.tif")
    assert labels.dtype == np.uint16
    assert labels.shape == (60, 80)
    assert set(np.unique(labels)) == {0, 1}
    assert labels[20, 20] == 1
    assert labels[40, 60] == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(
        f"object 1: 1 FG, 1 BG, {np.count_nonzero(labels)} px, every click obeyed, "
    )
    assert lines[0].endswith(" s")
    assert sorted(listing(folder)) == ["cells.tif", "labels.tif"]


@pytest.mark.parametrize("shape", [(1, 1), (40, 50)])
def test_an_image_of_one_value_is_segmented_and_replayed(
    folder: Path, weights: str, shape: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    tifffile.imwrite("flat.tif", np.full(shape, 700, np.uint16))
    first = ["--fg", "0,0", "--model", weights, "--session", "s.json", "-o", "first.tif"]
    assert main(["segment", "flat.tif", *first]) == 0
    assert main(["segment", "flat.tif", "--replay", "s.json", "-o", "second.tif"]) == 0
    assert np.array_equal(read_labels("first.tif"), read_labels("second.tif"))
    assert capsys.readouterr().err == ""


def test_a_size_is_looked_for_and_kept_for_the_replay(folder: Path, weights: str) -> None:
    argv = ["segment", "cells.tif", "--fg", "20,20", "--model", weights]
    assert main([*argv, "--no-refine", "-o", "plain.tif"]) == 0
    assert (
        main([*argv, "--no-refine", "--size", "8", "--session", "s.json", "-o", "sized.tif"]) == 0
    )
    assert (read_labels("plain.tif") != read_labels("sized.tif")).any()
    again = ["--replay", "s.json", "--no-refine", "-o", "again.tif"]
    assert main(["segment", "cells.tif", *again]) == 0
    assert np.array_equal(read_labels("again.tif"), read_labels("sized.tif"))


def test_a_click_that_is_not_obeyed_is_told_and_is_no_error(
    folder: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["segment", "cells.tif", "--fg", "20,20", "--bg", "20,22", "-o", "l.tif"]
    assert main([*argv, "--no-refine", "--threshold", "0.3", "--model", weights]) == 0
    assert read_labels("l.tif")[20, 22] == 1
    assert ", 1 of 2 clicks not obeyed, " in capsys.readouterr().out


def test_clicks_are_made_one_after_the_other_in_the_order_given(folder: Path, weights: str) -> None:
    argv = ["segment", "cells.tif", "--bg", "40,60", "--fg", "20,20", "--bg", "12,12"]
    argv += ["--fg", "28,28"]
    assert main([*argv, "-o", "l.tif", "--session", "s.json", "--model", weights]) == 0
    clicks = (Click(40, 60, False), Click(20, 20), Click(12, 12, False), Click(28, 28))
    (item, _) = load_session("s.json").objects
    assert item.plane((None, None)).clicks == clicks

    segmenter = BRSSegmenter(weights, "cpu")
    segmenter.set_image(two_squares())
    previous = None
    for count in (1, 2, 3, 4):
        previous = segmenter.predict(clicks[:count], previous)
    assert previous is not None
    assert np.array_equal(read_labels("l.tif") == 1, previous.mask)
    at_once = segmenter.predict(clicks)
    assert not np.array_equal(at_once.probability, previous.probability)


@pytest.mark.parametrize("heading", [False, True])
def test_objects_get_ids_in_order_and_never_overwrite_each_other(
    folder: Path, weights: str, heading: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = ["--fg", "20,20", "--bg", "40,60"], ["--fg", "40,60"]
    objects = [*(["--object"] if heading else []), *first, "--object", *second]
    assert main(["segment", "cells.tif", *objects, "-o", "l.tif", "--model", weights]) == 0
    labels = read_labels("l.tif")
    # Both squares are bright, so the second object alone would be both of them.
    assert (labels[12:28, 12:28] == 1).all()
    assert (labels[39:42, 59:62] == 2).all()
    counts = [np.count_nonzero(labels == label) for label in (1, 2)]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["object 1: 1 FG", "object 2: 1 FG"]
    assert [f" {count} px" in line for count, line in zip(counts, lines, strict=True)] == [True] * 2


def test_a_session_replayed_gives_the_same_labels(folder: Path, weights: str) -> None:
    clicks = ["--fg", "20,20", "--bg", "40,60", "--object", "--fg", "40,60", "--bg", "5.5,5"]
    settings = ["--model", weights, "--threshold", "0.4", "--contrast-limits", "-50,3900"]
    argv = ["segment", "cells.tif", *clicks, *settings, "-o", "a.tif", "--session", "s.json"]
    assert main(argv) == 0
    content = json.loads(Path("s.json").read_text())
    assert content["threshold"] == 0.4
    assert content["contrast_limits"] == [-50, 3900]
    assert content["image"]["name"] == "cells.tif"
    assert main(["segment", "cells.tif", "--replay", "s.json", "-o", "b.tif"]) == 0
    assert np.array_equal(read_labels("a.tif"), read_labels("b.tif"))
    assert set(np.unique(read_labels("b.tif"))) == {0, 1, 2}


def test_a_session_tells_the_grey_values_that_were_estimated(folder: Path, weights: str) -> None:
    argv = ["segment", "cells.tif", "--fg", "20,20", "-o", "l.tif", "--session", "s.json"]
    assert main([*argv, "--model", weights]) == 0
    assert load_session("s.json").contrast_limits == (300, 4000)


def test_a_replayed_session_keeps_its_ids_and_its_plane(folder: Path, weights: str) -> None:
    stack = np.full((3, 60, 80), 300, np.uint16)
    stack[1] = two_squares()
    np.save("stack.npy", stack)
    session = {
        "format": "napari-brs session",
        "version": 1,
        "image": {"name": "stack.npy", "shape": [3, 60, 80]},
        "contrast_limits": None,
        "model": weights,
        "threshold": 0.5,
        "objects": [
            {"label": 7, "planes": [{"position": [1, None, None], "clicks": [[20, 20, True]]}]},
            {"label": 9, "planes": [{"position": [2, None, None], "clicks": [[20, 20, True]]}]},
        ],
    }
    Path("s.json").write_text(json.dumps(session))
    argv = ["segment", "stack.npy", "--replay", "s.json", "-o", "l.tif"]
    assert main([*argv, "--slice", "1"]) == 0
    assert set(np.unique(read_labels("l.tif"))) == {0, 7}


def test_a_label_of_another_program_is_corrected_and_the_others_stay(
    folder: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there = np.zeros((60, 80), np.uint8)
    there[10:30, 10:20] = 7  # half of the first square
    there[30:50, 50:70] = 9
    tifffile.imwrite("old.tif", there)
    argv = ["segment", "cells.tif", "--labels", "old.tif", "-o", "l.tif", "--model", weights]
    assert main([*argv, "--correct", "7", "--fg", "20,25", "--object", "--fg", "5,60"]) == 0
    labels = read_labels("l.tif")
    assert ((labels == 9) == (there == 9)).all()
    assert iou(labels == 7, two_squares() > 1000) > 0.45
    assert (labels[12:28, 22:28] == 7).all()
    told = capsys.readouterr().out
    assert "object 7: 1 FG" in told
    assert "object 10: 1 FG" in told


def test_what_starts_from_a_label_starts_from_its_mask(folder: Path, weights: str) -> None:
    there = np.zeros((60, 80), np.uint16)
    there[10:30, 10:26] = 4464
    tifffile.imwrite("old.tif", there)
    argv = ["segment", "cells.tif", "--fg", "20,20", "--model", weights, "--session", "s.json"]
    correct = ["--labels", "old.tif", "--correct", str(there.max())]
    assert main([argv[0], argv[1], *correct, *argv[2:], "-o", "corrected.tif"]) == 0
    segmenter = BRSSegmenter(weights, device="cpu")
    segmenter.set_image(two_squares())
    expected = segmenter.predict([Click(20, 20)], previous=there > 0).mask
    corrected = read_labels("corrected.tif")
    assert ((corrected == there.max()) == expected).all()
    # The session has the id: replayed on the same labels it corrects the same object.
    replay = ["segment", "cells.tif", "--labels", "old.tif", "--replay", "s.json"]
    assert main([*replay, "--model", weights, "-o", "again.tif"]) == 0
    assert (read_labels("again.tif") == corrected).all()


def test_an_object_seen_coarser_than_it_is_says_so(
    folder: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tifffile.imwrite("large.tif", two_squares().repeat(40, axis=0).repeat(40, axis=1))
    argv = ["segment", "large.tif", "--fg", "800,800", "-o", "l.tif", "--model", weights]
    assert main([*argv, "--fg", "810,500"]) == 0
    assert re.search(r"seen at \d+% of its resolution", capsys.readouterr().out)
    assert main(["segment", "cells.tif", "--fg", "20,20", *argv[4:]]) == 0
    assert "seen at" not in capsys.readouterr().out


def test_the_output_is_replaced(folder: Path, weights: str) -> None:
    for click in ("20,20", "40,60"):
        argv = ["segment", "cells.tif", "--fg", click, "-o", "l.tif", "--no-refine"]
        assert main([*argv, "--model", weights]) == 0
    assert read_labels("l.tif")[40, 60] == 1


def rgba(path: Path) -> None:
    square = two_squares(np.uint8, 250, 10)
    Image.fromarray(np.dstack([square] * 3 + [np.full_like(square, 255)])).save(path)


def lossy(path: Path) -> None:
    Image.fromarray(two_squares(np.uint8, 250, 10)).convert("RGB").save(path, quality=95)


def channels_apart(path: Path) -> None:
    image = np.zeros((2, 3, 2, 60, 80), np.uint16)
    image[1, 2, 1] = two_squares()
    tifffile.imwrite(path, image, ome=True, metadata={"axes": "TZCYX"}, compression="zlib")


IMAGES: dict[str, tuple[Any, list[str]]] = {
    "grey16.tif": (lambda path: tifffile.imwrite(path, two_squares()), []),
    "stack16.tif": (
        lambda path: tifffile.imwrite(path, np.stack([two_squares() * 0, two_squares()])),
        ["--slice", "1"],
    ),
    "hyperstack.ome.tif": (channels_apart, ["--slice", "1,2", "--channel", "1"]),
    "rgba.png": (rgba, []),
    "photo.jpg": (lossy, []),
    "photo.webp": (lossy, ["--channel", "mean"]),
    "nan.npy": (with_nan, []),
    "bool.npy": (lambda path: np.save(path, two_squares(bool, True, False)), []),
    "one_bit.png": (lambda path: Image.fromarray(two_squares(bool, True, False)).save(path), []),
    "cells.zarr": (lambda path: zarr.save_array(path, two_squares(np.int32, 9, -9)), []),
}


@pytest.mark.filterwarnings("ignore:the image has values that are not finite")
@pytest.mark.parametrize("name", IMAGES)
def test_every_kind_of_image_goes_in(folder: Path, weights: str, name: str) -> None:
    make, options = IMAGES[name]
    make(folder / name)
    argv = ["segment", name, "--fg", "20,20", "-o", "l.tif", "--model", weights, *options]
    assert main(argv) == 0
    assert iou(read_labels("l.tif") == 1, two_squares() > 1000) > 0.9


def test_values_that_are_not_finite_are_told_once(folder: Path) -> None:
    with_nan(folder / "nan.npy")
    done = run_apart("segment nan.npy --fg 20,20 -o l.tif --model w.safetensors")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("napari-brs: the image has values that are not finite")
    assert done.stderr.count("\n") == 1


def test_one_pixel_is_an_image(folder: Path, weights: str) -> None:
    Image.new("L", (1, 1), 200).save("dot.png")
    argv = ["segment", "dot.png", "--fg", "0,0", "-o", "l.tif", "--model", weights]
    assert main(argv) == 0
    assert read_labels("l.tif").tolist() == [[1]]


@pytest.mark.skipif(os.name == "nt", reason="peak memory is asked of POSIX")
def test_20000_by_20000_needs_little_memory(folder: Path) -> None:
    scene = zarr.create_array(
        folder / "large.zarr", shape=(20_000, 20_000), chunks=(500, 500), dtype="uint16"
    )
    scene[12_000:12_040, 15_000:15_040] = 900
    clicked = "segment large.zarr --fg 12020,15020 -o l.tif --model w.safetensors"
    done = run_apart(f"{clicked} --contrast-limits 0,900", tell_memory=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 400e6  # the image alone would take 800 MB
    with tifffile.TiffFile("l.tif") as file:
        assert file.pages[0].shape == (20_000, 20_000)
        assert np.count_nonzero(file.pages[0].asarray()) == pytest.approx(1600, rel=0.1)


@pytest.mark.skipif(
    not (SHARED / "data/samples").is_dir() or not models.list_models()[0].available,
    reason="needs the sample images and the shipped weights",
)
def test_a_real_cell_is_segmented_with_three_clicks(folder: Path) -> None:
    truth = np.asarray(Image.open(SHARED / "data/samples/phase_contrast_labels.png"))
    cell = truth == truth[260, 457]
    image = str(SHARED / "data/samples/phase_contrast.tif")
    clicks = ["--fg", "260,457", "--fg", "232,452", "--fg", "275,472"]
    assert main(["segment", image, *clicks, "-o", "l.tif"]) == 0
    assert iou(read_labels("l.tif") == 1, cell) > 0.5


def test_the_labels_that_are_continued_may_be_written_over(folder: Path, weights: str) -> None:
    there = np.zeros((60, 80), np.uint16)
    there[50:, 70:] = 4
    tifffile.imwrite("old.tif", there)
    more = ["--labels", "old.tif", "-o", "./old.tif", "--model", weights]
    assert main(["segment", "cells.tif", "--fg", "20,20", *more]) == 0
    assert set(np.unique(read_labels("old.tif"))) == {0, 4, 5}
