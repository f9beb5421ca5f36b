"""``python -m paper.whole_images``: the tables of Section 4.4."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_brs.io.atomic import write_text
from napari_brs.io.outputs import check_outputs
from napari_brs.io.packs import DatasetPack, Sample
from paper.tables import (
    correct_cells,
    correct_classes,
    correct_saliency,
    figure_11,
    source_of,
    table_3,
    table_4,
)

if TYPE_CHECKING:
    from napari_brs.converted.segmenter import ConvertedSegmenter

# Classes in the names of the co-segmentation images that are written otherwise in VOC.
_SHORT = {
    "aero": "aeroplane",
    "mbike": "motorbike",
    "monitor": "tvmonitor",
    "plant": "pottedplant",
    "table": "diningtable",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a table; exit code 2 and one line on bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m paper.whole_images",
        description="Let a robot correct whole-image segmentations of a dataset pack.",
    )
    parser.add_argument(
        "task", choices=("cells", "saliency", "classes"), help="Table 4, Figure 11 or Table 3"
    )
    parser.add_argument("pack", type=Path, help="dataset pack: a folder or plain tar")
    parser.add_argument(
        "--weights",
        required=True,
        metavar="FILE",
        help="a model's name or .safetensors; for classes the file of DeepLabv3-MobileNetV2",
    )
    parser.add_argument("--sources", nargs="+", metavar="NAME", help="only images NAME-…")
    parser.add_argument(
        "--half",
        action="store_true",
        help="convolutions in bfloat16: faster on CPUs with AMX or AVX512-BF16",
    )
    parser.add_argument(
        "--longest", type=int, metavar="PIXELS", help="scale longer images down to that side"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images, by name")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="the results")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="the curves of saliency")
    args = parser.parse_args(argv)
    try:
        if args.figure and args.task != "saliency":
            raise ValueError(f"--figure draws the curves of saliency; {args.task} has none")
        pack = DatasetPack(args.pack)
        check_outputs([args.json, args.figure], [*pack.files, args.weights])
        names = [n for n in pack.names if not args.sources or source_of(n) in args.sources]
        names = names[: args.limit]
        if not names:
            raise ValueError(f"{args.pack} has no images of the sources {args.sources}")
        segmenter = _OPEN[args.task](args.weights)
        if args.half:
            from .half_precision import HalfPrecision

            segmenter.network.model = HalfPrecision(segmenter.network.model)
        samples = (scaled(pack.read(name), args.longest) for name in names)
        result = _RUN[args.task](segmenter, samples)
    except (ValueError, OSError) as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    header = {
        "task": args.task,
        "pack": pack.name,
        "weights": Path(args.weights).name,
        "half": args.half,
        "longest": args.longest,
    }
    write_text(args.json, _to_json({**header, **result}))
    if args.figure:
        from .curve_plot import draw_curves

        draw_curves(result, args.figure)
    figures = {k: v for k, v in result.items() if k not in ("rows", "curves")}
    print(json.dumps(figures, indent=1))
    return 0


def _cells(segmenter: ConvertedSegmenter, samples: Iterator[Sample]) -> dict[str, Any]:
    rows = correct_cells(segmenter, samples, _report)
    return {**table_4(rows), "rows": rows}


def _saliency(segmenter: ConvertedSegmenter, samples: Iterator[Sample]) -> dict[str, Any]:
    rows, curves = correct_saliency(segmenter, samples, _report)
    return {**figure_11(rows, curves), "rows": rows}


def _classes(segmenter: ConvertedSegmenter, samples: Iterator[Sample]) -> dict[str, Any]:
    rows = correct_classes(segmenter, samples, voc_class, _report)
    return {**table_3(rows), "rows": rows}


def _open(weights: str) -> ConvertedSegmenter:
    from napari_brs.converted.segmenter import ConvertedSegmenter
    from napari_brs.segmenters import open_segmenter

    segmenter = open_segmenter(weights)
    if not isinstance(segmenter, ConvertedSegmenter):
        raise ValueError(f"{weights} is no network that segments without clicks")
    return segmenter


def _open_deeplab(weights: str) -> ConvertedSegmenter:
    from napari_brs.converted.network import make_interactive
    from napari_brs.converted.segmenter import ConvertedSegmenter
    from napari_brs.networks.deeplab import VOC_CLASSES, load_deeplab

    network = load_deeplab(weights)
    return ConvertedSegmenter(
        make_interactive(
            network, activation="softmax", classes=VOC_CLASSES, normalise=network.normalise
        )
    )


_OPEN = {"cells": _open, "saliency": _open, "classes": _open_deeplab}
_RUN = {"cells": _cells, "saliency": _saliency, "classes": _classes}


def voc_class(name: str) -> int:
    """Number of the VOC class in the name of a co-segmentation image, "coseg-Aero_img_1034".

    Raises
    ------
    ValueError
        If the name holds none.
    """
    from napari_brs.networks.deeplab import VOC_CLASSES

    word = name.split("-", 1)[-1].split("_", 1)[0].lower()
    word = _SHORT.get(word, word)
    if word not in VOC_CLASSES[1:]:
        raise ValueError(
            f"{name}: {word!r} is no VOC class; names such as coseg-Aero_img_1 have one"
        )
    return VOC_CLASSES.index(word)


def scaled(sample: Sample, longest: int | None) -> Sample:
    """The sample, made smaller if a side is longer than ``longest``.

    Pixels are averaged; labels are those at the new pixels' centres.
    """
    from PIL import Image

    rows, columns = sample.labels.shape
    if longest is None or max(rows, columns) <= longest:
        return sample
    factor = longest / max(rows, columns)
    size = max(1, round(columns * factor)), max(1, round(rows * factor))

    def resized(values: Any, how: Image.Resampling) -> Any:
        return np.asarray(Image.fromarray(values).resize(size, how))

    return Sample(
        sample.name,
        resized(sample.image, Image.Resampling.BOX),
        resized(sample.labels, Image.Resampling.NEAREST),
        resized(sample.ignore, Image.Resampling.NEAREST),
    )


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _to_json(result: dict[str, Any]) -> str:
    """One key a line, and one image a line."""
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in result.items() if k != "rows"]
    rows = ",\n".join(json.dumps(row) for row in result["rows"])
    return "{\n" + ",\n".join([*lines, f'"rows": [\n{rows}\n]']) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
