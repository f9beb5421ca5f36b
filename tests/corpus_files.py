"""Files that no command may trip over, by name: how each is made."""

from __future__ import annotations

import json
import os
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
import zarr
from command_line import Brightness, two_squares
from PIL import Image
from safetensors.torch import save_file

from napari_brs import models

DEEP = "[" * 200_000


LONG = "9" * 400


SESSION: dict[str, Any] = {
    "format": "napari-brs session",
    "version": 1,
    "image": {"name": "img.tif", "shape": [60, 80]},
    "model": "w.safetensors",
    "threshold": 0.5,
    "objects": [{"label": 1, "planes": [{"position": [None, None], "clicks": [[20, 20, True]]}]}],
}


RUN = {
    "image": "a",
    "object": 1,
    "iou": [0.9],
    "clicks": [[20, 20, True]],
    "obeyed": [1.0],
    "obeyed_before": [1.0],
    "seconds": [0.1],
    "evaluations": [0],
}


RESULT = {"pack": "pack", "max_clicks": 20, "objects": [RUN]}


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content, encoding="utf-8")


def session(old: str, new: str) -> Callable[[Path], object]:
    content = json.dumps(SESSION)
    assert old in content
    return text(content.replace(old, new))


def result(**entries: object) -> Callable[[Path], object]:
    return text(json.dumps(RESULT | entries))


def image(path: Path) -> None:
    tifffile.imwrite(path, two_squares())


def labels(highest: int) -> Callable[[Path], object]:
    values = np.zeros((60, 80), np.uint64)
    values[5, 5] = highest
    return lambda path: tifffile.imwrite(path, values)


def png_header(side: int) -> bytes:
    """A PNG that claims to be so large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


def pack(path: Path) -> None:
    for folder in ("images", "masks"):
        (path / folder).mkdir(parents=True)
    mask = np.zeros((60, 80), np.uint8)
    mask[10:30, 10:30] = 1
    Image.fromarray(two_squares(np.uint8, 250, 10)).save(path / "images" / "a.png")
    Image.fromarray(mask).save(path / "masks" / "a.png")


def large_pack(path: Path) -> None:
    pack(path)
    (path / "images" / "a.png").write_bytes(png_header(20_000))


def training_pack(path: Path) -> None:
    pack(path)
    for number in range(10):
        for kind in ("images", "masks"):
            (path / kind / f"{number}.png").write_bytes((path / kind / "a.png").read_bytes())


def tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for file in sorted(Path("pack").rglob("*.png")):
            archive.add(file, file.relative_to("pack"))


def begun_run(path: Path) -> None:
    path.mkdir()
    (path / "checkpoint.pt").write_text("no checkpoint")


def vast(path: Path) -> None:
    zarr.create_array(path, shape=(2_000_000, 2_000_000), chunks=(1000, 1000), dtype="uint8")


def weights(path: Path) -> None:
    models.save_weights(Brightness(), path, "brightness")


def typed(dtype: torch.dtype) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        state = {key: value.to(dtype) for key, value in Brightness().state_dict().items()}
        save_file(state, path, {"architecture": "brightness", "sha256": "0" * 64})

    return make


def of_a_method(path: Path) -> None:
    digest = models.digest({"a": torch.zeros(1)})
    save_file({"a": torch.zeros(1)}, path, {"architecture": "graph-cut", "sha256": digest})


def package(encrypted: bool = False, size: int | None = None) -> Callable[[Path], object]:
    """A zip with a description, whose central directory claims what is not true."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("rdf.yaml", "type: model\nname: nothing\n" * 10)
        content = bytearray(path.read_bytes())
        entry = content.index(b"PK\x01\x02")
        if encrypted:
            content[entry + 8] |= 1
        if size is not None:
            content[entry + 24 : entry + 28] = struct.pack("<I", size)
        path.write_bytes(content)

    return make


def corrupt_package(path: Path) -> None:
    package()(path)
    content = bytearray(path.read_bytes())
    content[45:55] = b"\xff" * 10
    path.write_bytes(content)


def exported(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/version", "3")


def scripted(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        network = torch.jit.trace(torch.nn.Conv2d(1, 1, 3, padding=1), torch.zeros(1, 1, 32, 32))
    network.save(str(path))


def with_options(options: str) -> Callable[[Path], object]:
    """A TorchScript network, with a TOML file beside it."""

    def make(path: Path) -> None:
        scripted(path)
        path.with_suffix(".toml").write_text(options)

    return make


# Those that others are linked to or archived from come first.
FILES: dict[str, Callable[[Path], object]] = {
    "img.tif": image,
    "w.safetensors": weights,
    "lab.tif": labels(3),
    "full.tif": labels(2**32 - 1),
    "beyond.tif": labels(2**32),
    "soft.tif": lambda path: path.symlink_to("img.tif"),
    "hard.tif": lambda path: path.hardlink_to("img.tif"),
    "vast.zarr": vast,
    "pipe.json": lambda path: os.mkfifo(path),  # Windows has none
    "folder": Path.mkdir,
    "notes.txt": text("just\nnotes\n"),
    "t.csv": text("id,name\n3,Anna\n"),
    "circle.csv": text("id,parent\n3,4\n4,3\n"),
    "shape.tif": lambda path: tifffile.imwrite(path, np.zeros((5, 7), np.uint8)),
    # sessions
    "s.json": text(json.dumps(SESSION)),
    "deep.json": text(DEEP),
    "escape.json": text('{"format": "\x1b[31m"}'),
    "digits.json": session("0.5", "9" * 5000),
    "threshold.json": session("0.5", LONG),
    "click.json": session("[20, 20, true]", f"[{LONG}, 20, true]"),
    "index.json": session("[null, null]", f"[{LONG}, null]"),
    "label.json": session('"label": 1', f'"label": {2**32}'),
    "shape.json": session("[60, 80]", f"[{LONG}, 80]"),
    "objects.json": session("[20, 20, true]", "7"),
    "planes.json": session('"planes": [', '"planes": 3, "other": ['),
    "list.json": text("[]"),
    # results
    "r.json": result(),
    "other.json": result(pack="other"),
    "no-objects.json": result(objects=7),
    "no-curve.json": result(objects=[RUN | {"iou": []}]),
    "no-number.json": result(objects=[RUN | {"iou": ["x"]}]),
    "large.json": result(objects=[RUN | {"seconds": [10**400]}]),
    "clicks.json": result(max_clicks=10**12),
    "half.json": result(objects=[{"image": "a"}]),
    # packs, and what an interrupted run left
    "pack": pack,
    "large": large_pack,
    "many": training_pack,
    "pack.tar": tar,
    "image-link.json": lambda path: path.hardlink_to("pack/images/a.png"),
    "torn.partial.jsonl": text('{"model": \n'),
    "deep.partial.jsonl": text(DEEP + "\n"),
    "list.partial.jsonl": text("[]\n"),
    "mine.partial.jsonl": text("my notes"),
    # weights and networks
    "bf16.safetensors": typed(torch.bfloat16),
    "fp8.safetensors": typed(torch.float8_e4m3fn),
    "method.safetensors": of_a_method,
    "bad.pt": text("no network"),
    "bad.pt2": text("no program"),
    "empty.pt2": exported,
    "net.pt": scripted,
    "zero.pt": with_options("multiple = 0"),
    "word.pt": with_options("multiple = 'eight'"),
    "channels.pt": with_options("channels = -1"),
    "classes.pt": with_options("classes = [1, 2]"),
    "deep.pt": with_options(f"classes = {DEEP}"),
    "bad.zip": text("no zip"),
    "corrupt.zip": corrupt_package,
    "locked.zip": package(encrypted=True),
    "vast.zip": package(size=2**32 - 2),
    "net.caffemodel": text("\xff" * 40),
    # training configurations
    "threads.toml": text("[run]\nthreads = -3"),
    "devices.toml": text("[run]\ndevices = 1000000000\n[data]\ncrops_per_step = 1000000000"),
    "steps.toml": text("[run]\nsteps = -1"),
    "seed.toml": text("[run]\nseed = -1"),
    "nan.toml": text("[optimizer]\nrate = nan"),
    "digits.toml": text(f"[optimizer]\nrate = {LONG}"),
    "deep.toml": text(f"x = {DEEP}"),
    "binary.toml": lambda path: path.write_bytes(b"\xff\xfe"),
    "method.toml": text("[model]\nname = 'graph-cut'"),
    "crops.toml": text("[data]\ncrop_sizes = [[1000000, 1000000]]"),
    "hidden.toml": text("[data]\nmin_pixels = 1000000\ncrop_sizes = [[64, 64]]"),
    "accelerator.toml": text("[run]\naccelerator = 'abacus'"),
    "precision.toml": text("[run]\nprecision = '3-mixed'"),
    "no-imagenet.toml": text("[model]\nimagenet = 'lost.pth'"),
    "imagenet.toml": text("[model]\nimagenet = 'notes.txt'"),
    "tensor.toml": text("[model]\nimagenet = 'tensor.pth'"),
    "tensor.pth": lambda path: torch.save(torch.zeros(3), path),
    "initial.toml": text("[model]\ninitial = 'method.safetensors'"),
    "own.toml": text("[model]\ninitial = 'run/best.safetensors'"),
    "live.toml": text("base = 'live'\n[run]\ndevices = 1"),
    "run": begun_run,
}
