"""Arguments that several commands take."""

from __future__ import annotations

import argparse

from napari_brs.image import Channel


def add_model_arguments(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Declare ``--model`` and ``--trust``."""
    parser.add_argument(
        "--model",
        metavar="M",
        default=default,
        help="a name (napari-brs models lists them), a .safetensors file, or a network of your "
        "own: .pt (TorchScript), .pt2 (exported program), .zip or .yaml (BioImage.IO)",
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="let a network of your own run its code when it is opened",
    )


def limits(text: str) -> tuple[float, float]:
    """A range, such as ``100,4095``."""
    return pair(text, "a range; low,high such as 100,4095 is allowed")


def pair(text: str, meaning: str) -> tuple[float, float]:
    """Two numbers; `meaning` says what they have to be."""
    try:
        first, second = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {meaning}") from None
    return first, second


def channel(text: str) -> Channel:
    """A channel: its index, or what stands for all."""
    try:
        return int(text)
    except ValueError:
        return text  # "mean", "max", or what ImageSource refuses
