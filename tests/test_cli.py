from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tifffile
import torch
import zarr
from caffe_files import blobs_of, caffemodel
from PIL import Image

from napari_brs import Click, __version__, models
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.cli import COMMANDS, _warnings_on_one_line, main
from napari_brs.commands import segment
from napari_brs.io.labels import read_labels
from napari_brs.io.sessions import load_session, save_session
from napari_brs.networks.base import InteractiveNetwork
from napari_brs.session import Session

SHARED = Path(__file__).parents[1].parent / "shared"


class Grey(NamedTuple):
    grey: torch.Tensor


class Brightness(InteractiveNetwork):
    """Bright is foreground, and so is what is close to a foreground click."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = torch.nn.Conv2d(3, 1, 1)
        self.mix.weight.data = torch.tensor([12.0, 6, -6]).reshape(1, 3, 1, 1)
        self.mix.bias.data.fill_(-9)

    def encode(self, image: torch.Tensor) -> Grey:
        return Grey(image.mean(1, keepdim=True) / 255)

    def decode_both(self, features: Any, maps: Any, previous: Any = None) -> Any:
        logits = self.mix(torch.cat([features.grey, maps], 1))
        return logits, logits


def register_brightness() -> None:
    """Add the network above to the registry, for this process."""
    builder = f"{Brightness.__module__}:Brightness"
    models._MODELS += (models.ModelInfo("brightness", "for tests", builder, None),)


@pytest.fixture
def weights(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(models, "_MODELS", models._MODELS)
    register_brightness()
    folder = tmp_path_factory.mktemp("weights")
    return str(models.save_weights(Brightness(), folder / "w.safetensors", "brightness"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an image of two bright squares, 16 bit."""
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite(tmp_path / "cells.tif", two_squares())
    return tmp_path


def two_squares(dtype: Any = np.uint16, high: float = 4000, low: float = 300) -> np.ndarray:
    image = np.full((60, 80), low, dtype)
    image[10:30, 10:30] = high
    image[30:50, 50:70] = high
    return image


def listing(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def run_main(argv: list[str]) -> int:
    try:
        return main(argv)
    except SystemExit as error:  # argparse leaves this way
        return int(error.code or 0)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


# segment: what it writes and says


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


# segment: images as people have them


def rgba(path: Path) -> None:
    square = two_squares(np.uint8, 250, 10)
    Image.fromarray(np.dstack([square] * 3 + [np.full_like(square, 255)])).save(path)


def lossy(path: Path) -> None:
    Image.fromarray(two_squares(np.uint8, 250, 10)).convert("RGB").save(path, quality=95)


def with_nan(path: Path) -> None:
    image = two_squares(np.float32, 0.7, -0.2)
    image[0, :3] = np.nan, np.inf, -np.inf
    np.save(path, image)


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


@pytest.mark.filterwarnings("always:pixels are lost", "always:others are kept")
def test_a_warning_from_two_places_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with _warnings_on_one_line():
        for place in ("one.py", "two.py"):
            warnings.warn_explicit("pixels are lost", UserWarning, place, 1)
        warnings.warn("others are kept", RuntimeWarning, stacklevel=1)
    assert capsys.readouterr().err == "napari-brs: pixels are lost\nnapari-brs: others are kept\n"


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


def run_apart(command: str, tell_memory: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, where w.safetensors is the network above.

    It can end by printing by how many bytes the command raised the process's peak memory.
    """
    process = start_apart(f"""
test_cli.models.save_weights(test_cli.Brightness(), "w.safetensors", "brightness")
def peak():
    import resource
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
before = peak() if {tell_memory} else 0
code = main({command.split()!r})
if {tell_memory}:
    print(peak() - before)
sys.exit(code)
""")
    out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def start_apart(script: str) -> subprocess.Popen[str]:
    """Start a program that has ``main`` and knows the network above."""
    start = "import sys, test_cli; from napari_brs.cli import main; test_cli.register_brightness()"
    return subprocess.Popen(
        [sys.executable, "-c", f"{start}\n{script}"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# bad input: exit code 2, one line, nothing written

GOOD = ["--fg", "20,20"]

# name -> (arguments of segment in place of the good ones, what the line must say)
BAD: dict[str, tuple[list[str], str]] = {
    "correct without labels": (
        ["cells.tif", "--correct", "3", *GOOD],
        r"--correct 3: there is no such object without --labels",
    ),
    "no such file": (["no.tif", *GOOD], r"no such file: no\.tif"),
    "not an image": (["notes.txt", *GOOD], r"notes\.txt is not an image .* are allowed"),
    "not a TIFF": (["fake.tif", *GOOD], r"fake\.tif is not an image .* are allowed"),
    "a folder": (["empty", *GOOD], r"empty is not an image .* are allowed"),
    "complex": (["complex.npy", *GOOD], r"dtype complex128; bool, integer and real"),
    "a line": (["line.npy", *GOOD], r"shape \(5,\); images have two axes or more"),
    "no pixels": (
        ["nothing.npy", *GOOD],
        r"nothing\.npy has shape \(0, 80\); an image without pixels",
    ),
    "a stack": (["stack.npy", *GOOD], r"shape \(2, 60, 80\) .* 0 to 1 along Q; given: none"),
    "slice 2 of 2": (["stack.npy", *GOOD, "--slice", "2"], r"0 to 1 along Q; given: 2"),
    "slice -1": (["stack.npy", *GOOD, "--slice", "-1"], r"0 to 1 along Q; given: -1"),
    "slice x": (["stack.npy", *GOOD, "--slice", "x"], r"argument --slice: 'x' .* are allowed"),
    "a slice of a plane": (["cells.tif", *GOOD, "--slice", "0"], r"allowed: none; given: 0"),
    "outside": (["cells.tif", "--fg", "60,3"], r"click \(60, 3\) .* rows 0 to 59, columns 0 to 79"),
    "before 0": (["cells.tif", "--bg", "-1,3"], r"click \(-1, 3\) lies outside"),
    "second outside": (
        ["cells.tif", *GOOD, "--object", "--fg", "3,80"],
        r"click \(3, 80\) lies outside",
    ),
    "not finite": (["cells.tif", "--fg", "nan,3"], r"click \(nan, 3\.0\) is not finite"),
    "both signs": (
        ["cells.tif", *GOOD, "--bg", "20.2,19.9"],
        r"pixel \(20, 20\) is clicked as foreground and as background",
    ),
    "one number": (["cells.tif", "--fg", "20"], r"argument --fg: '20' is not a position; row,col"),
    "three numbers": (["cells.tif", "--bg", "1,2,3"], r"--bg: '1,2,3' .* such as 120,84\.5 is"),
    "words": (["cells.tif", "--fg", "here"], r"argument --fg: 'here' is not a position"),
    "no click": (["cells.tif"], r"has no click; --fg R,C, --bg R,C, --box T,L,B,R or --replay"),
    "an object without click": (["cells.tif", *GOOD, "--object"], r"an object has no click"),
    "unknown model": (
        ["cells.tif", *GOOD, "--model", "sam"],
        r"unknown model 'sam'; allowed are brs-live",
    ),
    "no such weights": (["cells.tif", *GOOD, "--model", "no.safetensors"], r"no\.safetensors"),
    "damaged weights": (
        ["cells.tif", *GOOD, "--model", "damaged.safetensors"],
        r"damaged\.safetensors is damaged: .* SHA-256",
    ),
    "half the weights": (
        ["cells.tif", *GOOD, "--model", "half.safetensors"],
        r"half\.safetensors is not a complete safetensors file",
    ),
    "a pickle": (["cells.tif", *GOOD, "--model", "evil.pth"], r"unknown model 'evil\.pth'"),
    "unknown device": (["cells.tif", *GOOD, "--device", "tpu"], r"no device 'tpu' here; allowed"),
    "threshold 1": (["cells.tif", *GOOD, "--threshold", "1"], r"threshold is 1\.0; .* 0 and 1"),
    "size 0": (["cells.tif", *GOOD, "--size", "0"], r"size_hint is 0\.0; a positive number"),
    "threshold x": (["cells.tif", *GOOD, "--threshold", "x"], r"argument --threshold: .*'x'"),
    "channel 1": (["cells.tif", *GOOD, "--channel", "1"], r"channel is 1; .* from 0 to 0"),
    "channel x": (["cells.tif", *GOOD, "--channel", "x"], r"channel is 'x'; \"mean\", \"max\""),
    "limits": (["cells.tif", *GOOD, "--contrast-limits", "5,2"], r"low < high are allowed"),
    "labels as PNG": (
        ["cells.tif", *GOOD, "-o", "l.png"],
        r"l\.png: they are TIFF; names in \.tif",
    ),
    "no such folder": (["cells.tif", *GOOD, "-o", "no/l.tif"], r"there is no folder no"),
    "output is a folder": (["cells.tif", *GOOD, "-o", "folder.tif"], r"it is a folder"),
    "session nowhere": (["cells.tif", *GOOD, "--session", "no/s.json"], r"there is no folder no"),
    "one output": (["cells.tif", *GOOD, "--session", "l.tif"], r"cannot both be written"),
    "no such session": (["cells.tif", "--replay", "no.json"], r"no\.json: No such file"),
    "no session": (["cells.tif", "--replay", "notes.txt"], r"notes\.txt is not a JSON file"),
    "another image's session": (
        ["cells.tif", "--replay", "other.json"],
        r"other\.json was made on an image of shape \(9, 9\); cells\.tif has \(60, 80\)",
    ),
    "clicks twice": (["cells.tif", *GOOD, "--replay", "other.json"], r"one of them is allowed"),
    "unknown option": (["cells.tif", *GOOD, "--fast"], r"unrecognized arguments: --fast"),
}


@pytest.fixture
def troubles(folder: Path, weights: str) -> str:
    """Files to stumble over; the name of a good weights file."""
    (folder / "notes.txt").write_text("just\nnotes\n")
    (folder / "fake.tif").write_text("just notes")
    (folder / "empty").mkdir()
    (folder / "folder.tif").mkdir()
    np.save(folder / "complex.npy", np.zeros((60, 80), complex))
    np.save(folder / "line.npy", np.zeros(5))
    np.save(folder / "nothing.npy", np.zeros((0, 80)))
    np.save(folder / "stack.npy", np.stack([two_squares()] * 2))
    content = bytearray(Path(weights).read_bytes())
    (folder / "half.safetensors").write_bytes(content[: len(content) - 9])
    content[-1] ^= 1
    (folder / "damaged.safetensors").write_bytes(content)
    torch.save({"weight": torch.zeros(1)}, folder / "evil.pth")
    session = {
        "format": "napari-brs session",
        "version": 1,
        "image": {"name": "other.tif", "shape": [9, 9]},
        "model": "brs-live",
        "threshold": 0.5,
        "objects": [{"label": 1, "planes": [{"position": [None, None], "clicks": [[1, 1, True]]}]}],
    }
    (folder / "other.json").write_text(json.dumps(session))
    return weights


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_code_2_one_line_and_no_file(
    folder: Path, troubles: str, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options, message = BAD[case]
    before = listing(folder)
    defaults = ["segment", "-o", "l.tif", "--model", troubles]
    assert run_main([*defaults, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("napari-brs segment: ") or case == "unknown option"
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert listing(folder) == before


def test_a_missing_output_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(["segment", "cells.tif", "--fg", "20,20"]) == 2
    err = capsys.readouterr().err
    assert "-o/--output" in err
    assert err.count("\n") == 1


def test_a_failed_write_leaves_the_old_files(
    folder: Path, weights: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "l.tif").write_text("old labels")
    save_session(folder / "s.json", Session((60, 80)))
    before = listing(folder)

    def disk_full(path: Path, *_: Any, **__: Any) -> None:
        Path(path).write_bytes(b"half a")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(tifffile, "imwrite", disk_full)
    argv = ["segment", "cells.tif", "--fg", "20,20", "-o", "l.tif", "--session", "s.json"]
    assert main([*argv, "--model", weights]) == 2
    assert capsys.readouterr().err.endswith(": No space left on device\n")
    assert listing(folder) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_what_a_killed_command_was_writing_is_not_left_behind(
    folder: Path, weights: str, name: str
) -> None:
    number = signal.Signals[name]
    (folder / "l.tif").write_text("old labels")
    command = f"segment cells.tif --fg 20,20 -o l.tif --session s.json --model {weights}"
    script = f"""
import tifffile, time
def write_for_ever(path, *_, **__):
    path.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
tifffile.imwrite = write_for_ever
sys.exit(main({command.split()!r}))
"""
    with start_apart(script) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("object 1")
        assert process.stdout.readline() == "writing\n"
        process.send_signal(number)
        assert process.wait(60) == (-number if name == "SIGKILL" else 128 + number)
    assert (folder / "l.tif").read_text() == "old labels"
    if name == "SIGKILL":
        assert len(list(folder.glob(".*.partial*"))) == 2
        assert main(command.split()) == 0
    assert list(folder.glob(".*.partial*")) == []


def test_the_labels_that_are_continued_may_be_written_over(folder: Path, weights: str) -> None:
    there = np.zeros((60, 80), np.uint16)
    there[50:, 70:] = 4
    tifffile.imwrite("old.tif", there)
    more = ["--labels", "old.tif", "-o", "./old.tif", "--model", weights]
    assert main(["segment", "cells.tif", "--fg", "20,20", *more]) == 0
    assert set(np.unique(read_labels("old.tif"))) == {0, 4, 5}


def test_a_signal_ends_a_command_as_before_once_another_has_run() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["models"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("allocate", [np.zeros, torch.zeros])
def test_too_little_memory_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], allocate: Any
) -> None:
    monkeypatch.setattr(segment, "run", lambda _: allocate(2**50))
    assert main(["segment", "cells.tif", "-o", "l.tif"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("napari-brs segment: there is not enough memory: ")
    assert err.count("\n") == 1


def test_a_mistake_of_the_program_is_not_taken_for_bad_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("this must not happen")

    monkeypatch.setattr(segment, "run", fail)
    with pytest.raises(RuntimeError, match="must not happen"):
        main(["segment", "cells.tif", "-o", "l.tif"])


@pytest.mark.parametrize(
    "command", ["segment no.tif --fg 1,1 -o l.tif", "segment nan.npy --fg 99,1 -o l.tif", "dance"]
)
def test_the_program_itself_writes_one_line_on_bad_input(folder: Path, command: str) -> None:
    with_nan(folder / "nan.npy")  # its warning must not add a line
    before = listing(folder)
    done = subprocess.run(
        [sys.executable, "-m", "napari_brs", *command.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert listing(folder) == before


# help, version, models, import-caffe


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)], ids=str)
def test_help_loads_neither_torch_nor_napari(arguments: list[str]) -> None:
    script = (
        "import sys; from napari_brs.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as e: code = e.code\n"
        "heavy = {'torch', 'napari', 'skimage', 'scipy', 'qtpy'} & sys.modules.keys()\n"
        "print('loaded:', *heavy); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: napari-brs {' '.join(arguments)}".rstrip())
    assert done.stdout.endswith("loaded:\n")


def test_the_help_of_segment_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(["segment", "--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--fg R,C", "--bg R,C", "--object", "--session", "--no-refine", "--model"):
        assert option in text


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(["--version"]) == 0
    assert capsys.readouterr().out == f"napari-brs {__version__}\n"


def test_models_are_listed_with_whether_they_are_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [info.name for info in models.list_models()]
    for line, info in zip(lines, models.list_models(), strict=True):
        assert info.description in line
        assert ("no weights" in line) != info.available


def test_an_imported_caffemodel_segments(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = models.model_info("brs-densenet").build()
    (folder / "net.caffemodel").write_bytes(caffemodel(blobs_of(network)))
    assert main(["import-caffe", "net.caffemodel", "-o", "net.safetensors"]) == 0
    assert "net.safetensors: 35." in capsys.readouterr().out
    assert main(["import-caffe", "net.caffemodel", "-o", "net.pth"]) == 2
    assert "net.pth must end in .safetensors" in capsys.readouterr().err
    assert not Path("net.pth").exists()
    argv = ["segment", "cells.tif", "--fg", "20,20", "-o", "l.tif", "--model", "net.safetensors"]
    assert main([*argv, "--no-refine"]) == 0
    assert read_labels("l.tif").shape == (60, 80)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("no.caffemodel -o out.safetensors", r"no such file: no\.caffemodel"),
        ("cells.tif -o out.safetensors", r"cells\.tif"),
        ("cells.tif -o no/out.safetensors", r"there is no folder no"),
    ],
)
def test_what_cannot_be_imported_is_told_and_nothing_written(
    folder: Path, arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listing(folder)
    assert main(["import-caffe", *arguments.split()]) == 2
    err = capsys.readouterr().err
    assert re.search(message, err), err
    assert err.count("\n") == 1
    assert listing(folder) == before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train no.toml --data pack", r"no\.toml"),
        ("train notes.txt --data pack", r"notes\.txt is not valid TOML"),
        ("train notes.txt", r"required: --data"),
        ("demo --output notes.txt", r"notes\.txt"),
        ("demo sideways", r"unrecognized arguments: sideways"),
        ("evaluate no.tar", r"no\.tar"),
        ("evaluate notes.txt", r"notes\.txt"),
    ],
)
def test_bad_input_of_the_other_commands_is_told_in_one_line(
    folder: Path, command: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "notes.txt").write_text("just\nnotes\n")
    before = listing(folder)
    assert run_main(command.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert listing(folder) == before


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
