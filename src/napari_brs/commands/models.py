"""The command ``napari-brs models``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes no arguments."""


def run(args: argparse.Namespace) -> None:
    """Print a line for each model."""
    from napari_brs.models import list_models

    for info in list_models():
        if info.kind == "classical":
            size = "-"
        elif info.available:
            size = f"{info.path.stat().st_size / 1e6:.1f} MB"
        else:
            size = "no weights"
        print(f"{info.name:<14}{size:>10}  {info.description}")
