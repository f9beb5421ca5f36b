"""The command ``napari-brs demo``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="leave a screenshot and the labels there, and close; without a display "
        "that is done anyway, in demo-output",
    )


def run(args: argparse.Namespace) -> int:
    """Open napari; ValueError if the folder holds other files."""
    from napari_brs.io.outputs import check_outputs
    from napari_brs.plugin.demo import run_demo

    if args.output is not None:
        folder, names = Path(args.output), ("screenshot.png", "labels.tif")
        check_outputs([folder / name for name in names], folder=folder)
        if folder.is_dir() and not {path.name for path in folder.iterdir()} <= {*names}:
            raise ValueError(f"{folder} holds other files; a new or an empty one is allowed")
    return run_demo(args.output)
