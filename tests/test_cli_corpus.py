"""Input that no command may trip over, or lose anything by: one line, exit code 2, nothing else.

A case is a command line and what its message must say. It runs in a folder with `FILES`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from command_line import listing, register_brightness, run_main
from corpus_files import FILES, LONG

from napari_brs import models
from napari_brs.cli import COMMANDS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, pipes and names are POSIX's")


# Command line -> what its message must say. Of segment the network is the one above.

SEGMENT = "segment img.tif --fg 20,20 --model w.safetensors"
EXPORT = "export lab.tif -o"
WHOLE = "segment img.tif --whole -o l.tif --trust --model"
EVALUATE = "evaluate pack --model w.safetensors --device cpu"
TRAIN = "train live.toml --data many -o out"

CASES: dict[str, str] = {
    # what is read is not written over
    f"{SEGMENT} -o img.tif": r"cannot write img\.tif: it is an input",
    f"{SEGMENT} -o ./folder/../img.tif": "it is an input",
    f"{SEGMENT} -o soft.tif": "it is an input",
    f"{SEGMENT} -o hard.tif": "it is an input",
    f"{SEGMENT} -o l.tif --session img.tif": "it is an input",
    f"{SEGMENT} -o l.tif --session w.safetensors": "it is an input",
    f"{SEGMENT} -o l.tif --labels lab.tif --session lab.tif": "it is an input",
    f"{SEGMENT} -o lab.tif --labels lab.tif --session lab.tif": "two outputs",
    f"{SEGMENT} -o l.tif --session ./l.tif": "two outputs cannot both be written to",
    "segment img.tif --replay s.json -o l.tif --session s.json": "it is an input",
    "segment vast.zarr --fg 1,1 --model w.safetensors -o vast.zarr/l.tif": "lies in vast.zarr",
    f"{WHOLE} net.pt --session net.pt": "it is an input",
    f"{EVALUATE} --json pack/images/a.png": "it lies in pack",
    f"{EVALUATE} --json pack/images/b.png": "it lies in pack",
    f"{EVALUATE} --report image-link.json": "it is an input",
    f"{EVALUATE} --json w.safetensors": "it is an input",
    f"{EVALUATE} --json x --report x": "two outputs",
    f"{EVALUATE} --json x.json --report x.partial.jsonl": "two outputs",
    f"{EVALUATE} --json iou.png --plots .": "two outputs",
    f"{EVALUATE} --plots pack": "it lies in pack",
    "evaluate pack.tar --json pack.tar": "it is an input",
    "evaluate --compare r.json r.json --report r.json": "it is an input",
    "train live.toml --data many -o many": "it lies in many",
    "train own.toml --data many -o run": "which would be lost",
    "import-caffe w.safetensors -o w.safetensors": "it is an input",
    f"{EXPORT} ./lab.tif": "it is an input",
    f"{EXPORT} o.csv --image img.tif --objects o.csv": "it is an input",
    f"{EXPORT} t.csv --objects t.csv": "it is an input",
    f"{EXPORT} soft.tif --image img.tif": "it is an input",
    "export s.json --image img.tif -o s.json": "it is an input",
    "export s.json --image img.tif -o hard.tif": "it is an input",
    "export vast.zarr -o vast.zarr/o.tif": "lies in vast.zarr",
    "benchmark --model w.safetensors --json w.safetensors": "it is an input",
    "batch pack/images -o pack/images": "it lies in pack/images",
    "batch pack/images -o pack/images --examples lab.tif": "it lies in pack/images",
    # arguments
    "batch folder -o out": "the folder folder holds no image",
    "batch lost.tif -o out": "no such file",
    "batch img.tif soft.tif hard.tif -o out --workers 0": "--workers is 0",
    "batch img.tif -o out --model w.safetensors": "segments nothing without clicks",
    "batch img.tif -o out --model net.pt": "runs code",
    "batch img.tif -o out --model w.safetensors --examples notes.txt": "is not an image",
    "batch img.tif -o out --model w.safetensors --examples shape.tif": "no input is named shape",
    "batch img.tif -o img.tif": "it is no folder|is no folder|not a directory|Not a directory",
    f"{SEGMENT} -o l.tif --box 1,2,3": "is not a box",
    f"{SEGMENT} -o l.tif --box 0,0,61,9": "box 0,0,61,9 is not allowed",
    f"{SEGMENT} -o l.tif --box 0,0,9,9 --box 0,0,8,8": "an object has two boxes",
    f"{SEGMENT} -o l.tif --model ''": "unknown model ''",
    f"{SEGMENT} -o l.tif --model graph-cuts": "unknown model",
    f"{SEGMENT} -o ''": "names in .tif",
    f"{SEGMENT} -o l.tif --session ''": "it is a folder",
    f"{SEGMENT} -o {'l' * 400}.tif": "File name too long",
    f"{SEGMENT} -o {'l' * 249}.tif": "File name too long",
    f"{SEGMENT} -o {'l/' * 3000}l.tif": "File name too long",
    f"{SEGMENT} -o l.tif --session notes.txt": "cannot write notes.txt, which would be lost",
    f"{SEGMENT} -o l.tif --session pipe.json": "device or a pipe",
    f"{SEGMENT} -o l.tif --threshold nan": "threshold",
    f"{SEGMENT} -o l.tif --contrast-limits nan,1": "finite",
    f"{SEGMENT} -o l.tif --contrast-limits 1e400,1": "finite",
    f"{SEGMENT} -o l.tif --slice {LONG}": "slice indices",
    f"{SEGMENT} -o l.tif --channel {LONG}": "channel",
    f"{SEGMENT} -o l.tif --fg {LONG},3": "not finite",
    f"{SEGMENT} -o l.tif --fg 1e300,3": "outside",
    f"{SEGMENT} -o l.tif --labels lab.tif --correct 0 --fg 5,5": "--correct 0: there is no such",
    f"{SEGMENT} -o l.tif --labels lab.tif --correct -3 --fg 5,5": "no such object",
    f"{SEGMENT} -o l.tif --labels lab.tif --correct {LONG} --fg 5,5": "no such object",
    f"{SEGMENT} -o l.tif --correct {'9' * 5000}": "invalid int value",
    f"{SEGMENT} -o l.tif --labels ''": "the name of an input is empty",
    f"{SEGMENT} -o l.tif --replay ''": "No such file",
    "segment '' --fg 20,20 -o l.tif": "the name of an input is empty",
    f"{EVALUATE} --max-clicks {LONG}": "at most 1000 is allowed",
    f"{EVALUATE} --stop-at nan": "stop_at is nan",
    f"{EVALUATE} --limit 0": "limit is 0",
    f"{EVALUATE} --workers -1": "workers is -1",
    f"{EVALUATE} --min-area 100000 --json r2.json": "no object of at least 100000",
    f"{EVALUATE} --layout ''": "layout ''",
    f"{EVALUATE} --model ''": "unknown model ''",
    f"{EVALUATE} --plots notes.txt": "notes.txt",
    f"{EVALUATE} --plots {'l' * 400}": "File name too long",
    f"{EVALUATE} --json {'l' * 400}": "File name too long",
    f"{TRAIN} --minutes nan": "minutes = nan",
    f"{TRAIN} --minutes inf": "minutes = inf",
    "train live.toml --data many -o notes.txt": "notes.txt",
    "train '' --data many": "no training configuration",
    "train live.toml --data '' -o out": "not a dataset pack",
    f"train live.toml --data many -o {'l' * 400}": "File name too long",
    "train live.toml --data many -o notes.txt/out": "notes.txt is no folder",
    f"benchmark --threads {LONG}": "at most 1024",
    f"benchmark --refined {LONG}": "at most 1024",
    "benchmark --model ''": "unknown model ''",
    "benchmark --model graph-cut": "graph-cut is no network",
    "benchmark --model unet-cells": "takes no clicks",
    "import-caffe net.caffemodel -o net.pth": "must end in .safetensors",
    "import-caffe '' -o net.safetensors": "",
    "demo --output notes.txt": "notes.txt",
    "demo --output .": "holds other files",
    "demo --output ''": "holds other files",
    f"demo --output {'l' * 400}": "File name too long",
    "export lab.tif": "nothing to do: -o FILE or --methods",
    f"{EXPORT} ''": "cannot export to .*names in",
    f"{EXPORT} o.xyz": r"cannot export to o\.xyz: names in \.tif, ",
    f"{EXPORT} folder/no/o.tif": "there is no folder",
    f"{EXPORT} {'l' * 400}.tif": "File name too long",
    f"{EXPORT} folder.csv --objects ''": "the name of an input is empty",
    f"{EXPORT} o.csv --image ''": "the name of an input is empty",
    f"{EXPORT} o.csv --axes TYX": "'TYX' does not name its axes",
    f"{EXPORT} o.csv --axes YY": "does not name its axes",
    f"{EXPORT} o.csv --pixel-size nan": "pixel_size",
    f"{EXPORT} o.csv --pixel-size 1,2,3": "--pixel-size has 3 numbers",
    f"{EXPORT} o.csv --pixel-size x": "'x' is no pixel size",
    f"{EXPORT} o.csv --unit furlong": "unit is 'furlong'",
    f"{EXPORT} o.csv --objects notes.txt": "no table of objects",
    f"{EXPORT} o.csv --objects circle.csv": "go round in a circle",
    f"{EXPORT} o.csv --image shape.tif": "the labels have",
    f"{EXPORT} man_track.txt": "tracks need",
    f"{EXPORT} o.geff": "tracks need",
    f"{EXPORT} o.tif --methods": "--methods needs a session",
    "export soft.tif -o o.tif --methods": "--methods needs a session",
    "export beyond.tif -o o.tif": "4294967295 are allowed",
    "export notes.txt -o o.tif": "not an image",
    f"{EXPORT} vast.zarr": "is no OME-Zarr image",
    "export s.json -o o.tif": "--image is needed",
    "export deep.json --image img.tif -o o.tif": "deep.json is not a JSON file",
    "export s.json --image shape.tif -o o.tif": "made on an image of shape",
    "import-caffe /dev/zero -o net.safetensors": "no such file: /dev/zero",
    "train /dev/zero --data many -o out": "no training configuration '/dev/zero'",
    "segment img.tif --replay /dev/zero -o l.tif": "larger than 256 MiB",
    f"{SEGMENT} -o l.tif --slice=--": "'--' is no value",
    "models --all": "unrecognized arguments: --all",
    # images and labels
    "segment vast.zarr --fg 1,1 -o l.tif --model w.safetensors": r"65,536 × 65,536, are allowed",
    f"{SEGMENT} -o l.tif --labels full.tif": "no id is left",
    f"{SEGMENT} -o l.tif --labels beyond.tif": "ids outside 0 to",
    f"{SEGMENT} -o l.tif --labels vast.zarr": "labels are integers",
    # sessions
    "segment img.tif -o l.tif --replay deep.json": "deep.json is not a JSON file: .* too deeply",
    "segment img.tif -o l.tif --replay escape.json": "not a JSON file",
    "segment img.tif -o l.tif --replay digits.json": "digits.json is not a JSON file",
    "segment img.tif -o l.tif --replay threshold.json": "threshold is 99.*valid number",
    "segment img.tif -o l.tif --replay click.json": r"clicks.0.0 is 99.*valid number",
    "segment img.tif -o l.tif --replay index.json": "position",
    "segment img.tif -o l.tif --replay label.json": "label is 4294967296: ",
    "segment img.tif -o l.tif --replay shape.json": "image of shape|outside|plane",
    "segment img.tif -o l.tif --replay objects.json": "clicks.0 is 7: ",
    "segment img.tif -o l.tif --replay planes.json": "planes is 3: ",
    "segment img.tif -o l.tif --replay list.json": "not a session",
    "replay s.json -o img.tif": "it is an input",
    "replay s.json -o l.png": "names in .tif",
    "replay s.json -o l.tif --image vast.zarr": r"made on an image of shape \(60, 80\)",
    "replay s.json -o l.tif --image lost.tif": "no such file",
    "replay s.json -o l.tif --compare notes.txt": "notes.txt is not an image",
    "replay notes.txt -o l.tif": "notes.txt is not a JSON file",
    "replay deep.json -o l.tif": "too deeply",
    # results
    "evaluate --compare r.json deep.json": "deep.json is not a JSON file: .* too deeply",
    "evaluate --compare r.json digits.json": "digits.json is not a JSON file",
    "evaluate --compare r.json list.json": "list.json is not a result",
    "evaluate --compare r.json no-objects.json": "no-objects.json is not a result",
    "evaluate --compare r.json no-curve.json": "no-curve.json is not a result",
    "evaluate --compare r.json no-number.json": "no-number.json is not a result",
    "evaluate --compare r.json large.json": "large.json is not a result",
    "evaluate --compare r.json clicks.json": "clicks.json is not a result",
    "evaluate --compare r.json half.json": "half.json is not a result",
    "evaluate --compare r.json other.json": "cannot be compared",
    "evaluate --compare r.json folder": "folder",
    f"{EVALUATE} --json torn.json": "torn.partial.jsonl is no partial result",
    f"{EVALUATE} --json deep.json": "deep.partial.jsonl is no partial result",
    f"{EVALUATE} --json list.json": "list.partial.jsonl is no partial result",
    f"{EVALUATE} --json mine.json": "mine.partial.jsonl is no partial result",
    # packs
    "evaluate large --model w.safetensors --json x.json": "decompression bomb",
    "train live.toml --data large -o out": "decompression bomb",
    # weights and networks
    f"{SEGMENT} -o l.tif --model bf16.safetensors": "type BF16; F16 and F32",
    f"{SEGMENT} -o l.tif --model fp8.safetensors": "type F8_E4M3; F16 and F32",
    f"{SEGMENT} -o l.tif --model method.safetensors": "method.safetensors",
    f"{EVALUATE} --coarse --model method.safetensors": "graph-cut, which has no weights",
    f"{WHOLE} bad.pt": "bad.pt: it cannot be read",
    f"{WHOLE} bad.pt2": "bad.pt2: it cannot be read",
    f"{WHOLE} empty.pt2": "empty.pt2: it cannot be read",
    f"{WHOLE} zero.pt": "multiple is 0; an integer from 1",
    f"{WHOLE} word.pt": "multiple is 'eight'; an integer from 1",
    f"{WHOLE} channels.pt": "channels is -1; an integer from 1",
    f"{WHOLE} classes.pt": r"classes are \[1, 2\]; a number or a list of names",
    f"{WHOLE} deep.pt": "deep.toml is not TOML",
    f"{WHOLE} bad.zip": "bad.zip is no zip archive",
    f"{WHOLE} corrupt.zip": "corrupt.zip cannot be unpacked",
    f"{WHOLE} locked.zip": "locked.zip cannot be unpacked: .*encrypted",
    f"{WHOLE} vast.zip": "vast.zip cannot be unpacked: it unpacks to 4,294,967,294 bytes",
    "import-caffe net.caffemodel -o net.safetensors": "net.caffemodel",
    # training
    "train threads.toml --data many -o out": "run.threads = -3: allowed is greater than",
    "train devices.toml --data many -o out": "allowed is less than or equal to",
    "train steps.toml --data many -o out": "run.steps = -1: allowed is greater than",
    "train seed.toml --data many -o out": "run.seed = -1: allowed is greater than",
    "train nan.toml --data many -o out": "optimizer.rate = nan: allowed is a finite number",
    "train digits.toml --data many -o out": "optimizer.rate = 99",
    "train deep.toml --data many -o out": "deep.toml is not valid TOML",
    "train binary.toml --data many -o out": "binary.toml is not valid TOML",
    "train method.toml --data many -o out": "model.name = 'graph-cut': allowed are networks",
    "train crops.toml --data many -o out": "data.crop_sizes",
    "train hidden.toml --data many -o out": "show no object of 1000000 pixels",
    "train accelerator.toml --data many -o out": "abacus",
    "train precision.toml --data many -o out": "3-mixed",
    "train no-imagenet.toml --data many -o out": "lost.pth",
    "train imagenet.toml --data many": "notes.txt cannot be read",
    "train tensor.toml --data many -o out": "tensor.pth",
    "train initial.toml --data many -o out": "method.safetensors",
    "train live.toml --data many -o run --resume": "run/checkpoint.pt cannot be resumed",
    "train live.toml --data pack -o out": "1 images to train on",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with `FILES`; the network of test_cli is known."""
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(models, "_MODELS", models._MODELS)
        register_brightness()
        for name, make in FILES.items():
            make(Path(name))
        yield folder


@pytest.mark.parametrize("line", CASES, ids=lambda line: line[:100])
def test_bad_input_gives_code_2_one_line_and_no_file(
    line: str, files: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = listing(files)
    threads = torch.get_num_threads()
    assert run_main(shlex.split(line)) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("napari-brs"), err
    assert err.count("\n") == 1, err
    assert len(err) < 2500
    assert err[:-1].isprintable()
    assert re.search(CASES[line], err), err
    assert listing(files) == before
    assert torch.get_num_threads() == threads


def test_every_command_is_in_the_corpus() -> None:
    assert {line.split()[0] for line in CASES} == set(COMMANDS)
