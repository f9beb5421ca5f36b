from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from caffe_files import blobs_of, caffemodel
from command_line import (
    listing,
    run_main,
    start_apart,
    two_squares,
    with_nan,
)

from napari_brs import __version__, models
from napari_brs.cli import COMMANDS, _warnings_on_one_line, main
from napari_brs.commands import segment
from napari_brs.io.labels import read_labels
from napari_brs.io.sessions import save_session
from napari_brs.session import Session

# segment: what it writes and says


# segment: images as people have them


@pytest.mark.filterwarnings("always:pixels are lost", "always:others are kept")
def test_a_warning_from_two_places_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with _warnings_on_one_line():
        for place in ("one.py", "two.py"):
            warnings.warn_explicit("pixels are lost", UserWarning, place, 1)
        warnings.warn("others are kept", RuntimeWarning, stacklevel=1)
    assert capsys.readouterr().err == "napari-brs: pixels are lost\nnapari-brs: others are kept\n"


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
