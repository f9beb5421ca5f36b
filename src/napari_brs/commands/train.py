"""The command ``napari-brs train``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", metavar="CONFIG.toml", help="a file, or a shipped one: live")
    parser.add_argument(
        "--data", metavar="PACK", nargs="+", required=True, help="packs; those named *_val validate"
    )
    parser.add_argument("--minutes", type=float, metavar="N", help="default: the configuration's")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "-o", "--output", metavar="DIR", default="runs/train", help="default: %(default)s"
    )


def run(args: argparse.Namespace) -> None:
    """Train, and say where the weights are; errors as `training.run.train` raises them."""
    try:
        from napari_brs.training.run import train
    except ModuleNotFoundError as error:
        raise ValueError(f'{error}; training needs: pip install "napari-brs[train]"') from None
    print(
        train(
            args.config,
            args.data,
            minutes=args.minutes,
            resume=args.resume,
            output=args.output,
        )
    )
