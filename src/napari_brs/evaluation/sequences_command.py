"""``napari-brs evaluate SEQUENCES --propagate``."""

from __future__ import annotations

import argparse
import json
import sys

from napari_brs.converted.files import model_files


def run(args: argparse.Namespace) -> int:
    """Follow objects through sequences, with a robot that corrects.

    Returns
    -------
    int
        Exit code 0.

    Raises
    ------
    ValueError, OSError
        On bad input, before anything is computed or written.
    """
    from napari_brs.evaluation.sequences import run_sequence, summarise_tracks
    from napari_brs.io.atomic import write_text
    from napari_brs.io.outputs import check_outputs
    from napari_brs.io.sequences import read_sequences
    from napari_brs.segmenters import open_segmenter

    if args.limit is not None and args.limit < 1:
        raise ValueError(f"--limit is {args.limit}; at least 1 is allowed")
    sequences = list(read_sequences(args.pack))[: args.limit]
    check_outputs([args.json], [args.pack, *model_files(args.model)])
    segmenter = open_segmenter(args.model, args.device, args.trust)
    runs = []
    for sequence in sequences:
        own = run_sequence(segmenter, sequence, frames=args.frames, seed=args.seed)
        runs += own
        print(f"{sequence.name}: {_line(summarise_tracks(own))}", file=sys.stderr, flush=True)
    result = summarise_tracks(runs)
    print(_line(result))
    if args.json:
        about = {"model": args.model, "pack": args.pack.name, "seed": args.seed}
        write_text(args.json, json.dumps({**about, **result}, indent=1) + "\n")
    return 0


def _line(result: dict[str, object]) -> str:
    return (
        f"{result['clicks_per_object_frame']:.2f} clicks an object and frame, "
        f"IoU {result['iou_propagated']:.3f} propagated, {result['iou_kept']:.3f} kept, "
        f"{result['share_good']:.0%} good untouched, "
        f"{result['seconds_per_object_frame']:.3f} s an object and frame"
    )
