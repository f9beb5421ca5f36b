"""The command ``napari-brs benchmark``."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_brs.evaluation.speed.measures import Figure


MOST = 1024
"""Threads, and clicks that are refined."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; loads nothing heavy."""
    parser.add_argument("--model", default="brs-live", help="name or .safetensors (%(default)s)")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="of torch on the CPU (default: one a core)"
    )
    parser.add_argument(
        "--refined", type=int, default=12, metavar="N", help="clicks that need it (%(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="the same figures for programs")


def run(args: argparse.Namespace) -> None:
    """Measure, print each figure as it is known, and write the JSON file.

    Raises
    ------
    ValueError, OSError
        On bad input, before anything is computed or written.
    """
    for name in ("threads", "refined"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; at least 1 is allowed")
        if value is not None and value > MOST:
            raise ValueError(f"{name} is {value}; at most {MOST} is allowed")

    import torch

    from napari_brs.converted.files import model_files
    from napari_brs.evaluation.speed.machine import describe
    from napari_brs.io.atomic import write_text
    from napari_brs.io.outputs import check_outputs
    from napari_brs.models import load_model
    from napari_brs.networks.base import InteractiveNetwork

    check_outputs([args.json], model_files(args.model))
    if not isinstance(load_model(args.model), InteractiveNetwork):
        raise ValueError(f"{args.model} takes no clicks from the start; its time is not measured")
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    began = time.monotonic()
    about = describe()
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    print(f"{about['cpu']}, {about['cores']} cores, {about['threads']} threads, {about['system']}")
    print(f"{versions}; GPU: {about['gpu'] or 'none'}")
    if about["load"] is not None and about["load"] > 0.5:
        print(f"the machine is busy (load {about['load']}): times are longer than they need be")
    print()
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    found: dict[str, list[Figure]] = {device: [] for device in devices}
    for device in devices:
        print(device.upper())
        for figure in _measure(args.model, device, args.refined):
            found[device].append(figure)
            print(_line(figure), flush=True)
    if len(devices) == 1:
        print("CUDA\n  not measured: there is no such GPU here")
    result = {
        "model": args.model,
        **about,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "figures": {
            device: [figure._asdict() for figure in figures] for device, figures in found.items()
        },
    }
    if args.json is not None:
        write_text(args.json, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def _measure(model: str, device: str, refined: int) -> Iterator[Figure]:
    from napari_brs.brs.segmenter import BRSSegmenter
    from napari_brs.evaluation.speed import large, measures, rival
    from napari_brs.evaluation.speed.workload import read_samples
    from napari_brs.models import model_info

    segmenter = BRSSegmenter(model, device)
    samples = read_samples()
    yield from measures.feature_times(segmenter, samples[0])
    # Cells large enough to fill the largest grid there is.
    yield from measures.click_times(segmenter, [samples[0].magnified(4)], "512 × 512 view")
    yield from measures.click_times(segmenter, samples, "views as they come")
    yield from measures.refined_times(segmenter, samples, refined)
    yield from large.large_image(segmenter, samples[0])
    yield rival.against_textbook(segmenter, samples, refined, model)
    paper = model_info("brs-densenet")
    if model == paper.name:
        return
    if paper.available:
        segmenter = BRSSegmenter(paper.name, device)
        yield rival.against_textbook(segmenter, samples, min(refined, 4), paper.name)
    else:
        segmenter = BRSSegmenter(paper.build(), device)
        yield rival.one_evaluation(segmenter, samples, paper.name)


def _line(figure: Figure) -> str:
    if figure.value is None:
        value = "not measured"
    else:
        digits = 3 if figure.unit == "s" else 1
        value = f"{figure.value:.{digits}f} {figure.unit}".strip()
    count = f"n = {figure.samples}" if figure.samples else ""
    about = "; ".join(filter(None, (count, figure.note)))
    return f"  {figure.name:<62}{value:>12}   {about}"
