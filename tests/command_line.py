"""The command line on two bright squares, with a network that needs no training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from napari_brs import models
from napari_brs.cli import main
from napari_brs.networks.base import InteractiveNetwork


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


def with_nan(path: Path) -> None:
    image = two_squares(np.float32, 0.7, -0.2)
    image[0, :3] = np.nan, np.inf, -np.inf
    np.save(path, image)


def run_apart(command: str, tell_memory: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, where w.safetensors is the network above.

    It can end by printing by how many bytes the command raised the process's peak memory.
    """
    process = start_apart(f"""
command_line.models.save_weights(command_line.Brightness(), "w.safetensors", "brightness")
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
    start = "import sys, command_line; from napari_brs.cli import main"
    start += "; command_line.register_brightness()"
    return subprocess.Popen(
        [sys.executable, "-c", f"{start}\n{script}"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
