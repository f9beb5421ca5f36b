"""``napari-brs evaluate PACK --complete K``."""

from __future__ import annotations

import argparse
import json
import sys

from napari_brs.converted.files import model_files


def run(args: argparse.Namespace) -> int:
    """Complete the frames of a pack, from K of their objects each.

    Returns
    -------
    int
        Exit code 0.

    Raises
    ------
    ValueError, OSError
        On bad input, before anything is computed or written.
    """
    from napari_brs.evaluation.frames import FEWEST, FrameRun, complete_frame, summarise_frames
    from napari_brs.evaluation.proposers import OTSU, open_proposer
    from napari_brs.io.atomic import write_text
    from napari_brs.io.layouts import open_dataset
    from napari_brs.io.outputs import check_outputs

    for name in ("complete", "every", "limit"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name} is {value}; at least 1 is allowed")
    pack = open_dataset(args.pack, args.layout)
    weights = [] if args.model == OTSU else model_files(args.model)
    check_outputs([args.json], [*pack.files, *weights])
    propose = open_proposer(args.model, args.device, args.trust)
    runs: list[FrameRun] = []
    for name in pack.names[:: args.every]:
        if len(runs) == args.limit:
            break
        done = complete_frame(propose, pack.read(name), args.complete, args.seed)
        if done is not None:
            runs.append(done)
            print(
                f"{name}: {done.matched50} and {done.matched75} of {done.objects} found, "
                f"{done.false} false, {done.seconds:.1f} s",
                file=sys.stderr,
                flush=True,
            )
    if not runs:
        raise ValueError(f"no image of {args.pack} has {FEWEST} objects and more than are given")
    result = summarise_frames(runs)
    about = {"model": args.model, "pack": pack.name, "complete": args.complete, "seed": args.seed}
    if args.json:
        write_text(args.json, to_json({**about, **result}))
    objects = sum(run.objects for run in runs)
    print(f"F1 {result['f1_50']:.3f} at IoU 0.5, {result['f1_75']:.3f} at 0.75")
    print(
        f"{objects} objects of {len(runs)} images; "
        f"{sum(run.seconds for run in runs) / objects * 100:.1f} s for 100 objects, the first "
        f"after {sum(run.first_seconds for run in runs) / len(runs):.1f} s"
    )
    return 0


def to_json(result: dict[str, object]) -> str:
    """A result as JSON, one image a line."""
    images = result.pop("images")
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items()]
    rows = ",\n".join(json.dumps(image) for image in images)  # type: ignore[attr-defined]
    return "{\n" + ",\n".join([*lines, f'"images": [\n{rows}\n]']) + "\n}\n"
