"""Arguments that several commands take."""

from __future__ import annotations

import argparse


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
