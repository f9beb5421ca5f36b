"""The command ``napari-brs import-caffe``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL.caffemodel", help="weights of BRS-DenseNet")
    parser.add_argument("-o", "--output", metavar="OUT.safetensors", required=True)


def run(args: argparse.Namespace) -> None:
    """Convert the weights; ValueError if they are not the network's."""
    from napari_brs.io.outputs import check_outputs

    if Path(args.output).suffix != ".safetensors":
        raise ValueError(f"{args.output} must end in .safetensors")
    check_outputs([args.output], [args.model])

    from napari_brs.models import save_weights
    from napari_brs.networks.caffe import import_caffemodel

    path = save_weights(import_caffemodel(args.model), args.output, "brs-densenet")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; use it with --model {path}")
