"""The command ``napari-brs evaluate``."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_brs.commands.arguments import add_model_arguments
from napari_brs.converted.files import model_files

if TYPE_CHECKING:
    from napari_brs.segmenters import Segmenter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; loads nothing heavy."""
    parser.add_argument(
        "pack",
        nargs="?",
        type=Path,
        help="dataset pack (a folder or plain tar), or the folder of a published data set",
    )
    parser.add_argument(
        "--layout",
        metavar="NAME",
        help="pack, grabcut, berkeley, frames, davis, sbd, voc or ctc (default: what is there)",
    )
    add_model_arguments(parser, "brs-live")
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu (%(default)s)")
    parser.add_argument("--no-refine", action="store_true", help="do not refine clicks (BRS)")
    parser.add_argument(
        "--coarse", action="store_true", help="without the network's fine decoder (Table 2)"
    )
    parser.add_argument("--max-clicks", type=int, default=20, metavar="N", help="(%(default)s)")
    parser.add_argument(
        "--objects-per-image", type=int, default=1, metavar="N", help="drawn by seed (%(default)s)"
    )
    parser.add_argument(
        "--min-area", type=int, default=100, metavar="PIXELS", help="of an object (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="only every Nth image, by name"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N of these")
    parser.add_argument(
        "--sign-rule",
        choices=("distance", "count"),
        default="distance",
        help="sign of the next click: that of the deepest error, or of more pixels (%(default)s)",
    )
    parser.add_argument(
        "--jitter", action="store_true", help="click anywhere in the deeper half of the error"
    )
    parser.add_argument(
        "--stop-at", type=float, metavar="IOU", help="end an object once it is so good"
    )
    parser.add_argument(
        "--size-prior",
        action="store_true",
        help="tell the model the median length of the image's other objects",
    )
    parser.add_argument(
        "--box",
        action="store_true",
        help="draw a box around the object in place of the first click",
    )
    parser.add_argument(
        "--complete",
        type=int,
        metavar="K",
        help="instead of clicks: give K objects of each image as finished, and find the others",
    )
    parser.add_argument(
        "--propagate",
        action="store_true",
        help="instead of images: follow 8 objects through each sequence, and correct them",
    )
    parser.add_argument(
        "--frames", type=int, metavar="N", help="of each sequence, with --propagate (default: all)"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="all results; an interrupted run goes on"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="the figures as Markdown")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="curves and examples as PNG")
    parser.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar="JSON",
        help="instead of a run: differences between two results",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, or compare two results.

    Returns
    -------
    int
        Exit code 0.

    Raises
    ------
    ValueError, OSError
        On bad input, before anything is computed or written.
    KeyboardInterrupt
        If interrupted; the results so far are kept beside the JSON file.
    """
    if args.compare:
        if args.pack is not None:
            raise ValueError(f"--compare takes no pack, but got {args.pack}")
        first, second = args.compare
        return _compare(first, second, args.report)
    if args.pack is None:
        raise ValueError("a dataset pack, or --compare with two JSON files, is needed")
    if args.complete is not None:
        from napari_brs.evaluation import frames_command

        return frames_command.run(args)
    if args.propagate:
        from napari_brs.evaluation import sequences_command

        return sequences_command.run(args)
    if args.plots is not None and find_spec("matplotlib") is None:
        raise ValueError("--plots needs matplotlib: pip install 'napari-brs[evaluate]'")

    from napari_brs.evaluation.plots import FILES, draw_plots
    from napari_brs.evaluation.protocol import RobotSettings
    from napari_brs.evaluation.report import markdown, short_summary
    from napari_brs.evaluation.run import evaluate, to_json
    from napari_brs.io.atomic import write_text
    from napari_brs.io.layouts import open_dataset
    from napari_brs.io.outputs import check_outputs
    from napari_brs.segmenters import open_segmenter

    pack = open_dataset(args.pack, args.layout)
    unfinished = args.json and args.json.with_suffix(".partial.jsonl")
    plots = [args.plots / name for name in FILES] if args.plots else []
    outputs = [args.json, unfinished, args.report, *plots]
    check_outputs(outputs, [*pack.files, *model_files(args.model)], args.plots)
    settings = RobotSettings(
        max_clicks=args.max_clicks,
        refine=not args.no_refine,
        sign_rule=args.sign_rule,
        jitter=args.jitter,
        stop_at=args.stop_at,
        size_prior=args.size_prior,
        box=args.box,
        objects_per_image=args.objects_per_image,
        min_area=args.min_area,
        seed=args.seed,
    )
    make: Callable[[], Segmenter]
    if args.coarse:
        from napari_brs.evaluation.ablation import open_coarse

        make = partial(open_coarse, args.model, args.device)
    else:
        make = partial(open_segmenter, args.model, args.device, args.trust)
    segmenter = make()
    try:
        result = evaluate(
            pack,
            (lambda: segmenter) if args.workers == 1 else partial(_in_worker, make, args.workers),
            settings,
            about={
                "model": args.model,
                "coarse": args.coarse,
                "weights_sha256": _weights_sha256(args.model),
                "device": str(segmenter.device),
            },
            every=args.every,
            limit=args.limit,
            partial=unfinished,
            workers=args.workers,
            on_progress=_ProgressLine(),
        )
    except KeyboardInterrupt:
        if unfinished:
            print("\ninterrupted; the same command goes on from there", file=sys.stderr)
        raise
    if args.json:
        write_text(args.json, to_json(result))
        unfinished.unlink()
    if args.report:
        write_text(args.report, markdown(result))
    print(short_summary(result))
    if args.plots:
        args.plots.mkdir(parents=True, exist_ok=True)
        for path in draw_plots(result, pack, segmenter, args.plots):
            print(path)
    return 0


def _compare(first: Path, second: Path, report: Path | None) -> int:
    from napari_brs.evaluation.compare import compare, load_result
    from napari_brs.evaluation.report import comparison
    from napari_brs.io.atomic import write_text
    from napari_brs.io.outputs import check_outputs

    check_outputs([report], [first, second])
    count, differences = compare(load_result(first), load_result(second))
    text = comparison(first.stem, second.stem, count, differences)
    print(text)
    if report is not None:
        write_text(report, text + "\n")
    return 0


def _in_worker(make: Callable[[], Segmenter], workers: int) -> Segmenter:
    """A segmenter that shares the machine's cores with those of the other workers."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    return make()


def _weights_sha256(model: str) -> str | None:
    """SHA-256 of the weights file, so that results say which weights gave them; None without."""
    path = model_files(model)[0]
    if not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _ProgressLine:
    """One line that is rewritten on a terminal; elsewhere a line twice a minute."""

    def __init__(self) -> None:
        self._shown = time.monotonic()

    def __call__(self, done: int, total: int, seconds_left: float) -> None:
        minutes, seconds = divmod(round(seconds_left), 60)
        text = f"{done} of {total} images · {minutes}:{seconds:02d} left"
        if sys.stderr.isatty():
            print(f"\r{text:<50}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif time.monotonic() - self._shown > 30:
            self._shown = time.monotonic()
            print(text, file=sys.stderr, flush=True)
