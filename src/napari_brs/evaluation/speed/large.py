"""Whether a click costs the same on an image of 20,000 × 20,000 pixels."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.clicks import Click
from napari_brs.evaluation.speed.machine import peak_memory
from napari_brs.evaluation.speed.measures import OBJECTS, Figure
from napari_brs.evaluation.speed.workload import Sample
from napari_brs.image import ImageSource

SIDE = 20_000
SMALL = 512
ROUNDS = 3

TIME = "a click on 20,000 × 20,000 ÷ on 512 × 512"
MEMORY = "more memory for the former"


def large_image(segmenter: BRSSegmenter, sample: Sample) -> list[Figure]:
    """The same clicks on 512 × 512 pixels, and on them in a Zarr of 20,000 × 20,000.

    Features are cached, as for other clicks; the note tells of the time with them. On a
    CPU it is processor time, because the two are compared and the machine may be busy.
    """
    if find_spec("zarr") is None:
        why = 'needs pip install "napari-brs[zarr]"'
        return [Figure(TIME, None, "", 0, why), Figure(MEMORY, None, "MiB", 0, why)]
    small = sample.image[:SMALL, :SMALL]
    limits = ImageSource(small).contrast_limits
    corner = SIDE // 2 // SMALL * SMALL
    objects = list(sample._replace(labels=sample.labels[:SMALL, :SMALL]).objects(OBJECTS))
    cached: dict[str, list[float]] = {"small": [], "large": []}
    fresh: dict[str, list[float]] = {"small": [], "large": []}
    peaks: dict[str, int | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        large = _make_zarr(Path(folder) / "large.zarr", small, corner)
        # In turn, so that both meet the same load of the machine.
        for _ in range(ROUNDS):
            for name, image, at in (("small", small, 0), ("large", large, corner)):
                segmenter.set_image(image, contrast_limits=limits)
                for truth in objects:
                    for first, second in _click_twice(segmenter, truth, at):
                        fresh[name].append(first)
                        cached[name].append(second)
                peaks.setdefault(name, peak_memory())
    count = len(cached["large"])
    ratio = statistics.mean(cached["large"]) / statistics.mean(cached["small"])
    means = [statistics.mean(times[name]) for times in (cached, fresh) for name in times]
    note = "{1:.3f} : {0:.3f} s; with features of new views {3:.3f} : {2:.3f} s".format(*means)
    before, after = peaks["small"], peaks["large"]
    extra = None if before is None or after is None else (after - before) / 2**20
    return [
        Figure(TIME, ratio, "", count, note),
        Figure(MEMORY, extra, "MiB", count, "" if extra is not None else "not told here"),
    ]


def _make_zarr(path: Path, pixels: Any, corner: int) -> Any:
    """An image that is dark but for its middle; empty chunks take no room on the disk."""
    import zarr

    array = zarr.create_array(
        path,
        shape=(SIDE, SIDE),
        chunks=(SMALL, SMALL),
        dtype=pixels.dtype,
        fill_value=int(pixels.min()),
    )
    height, width = pixels.shape
    array[corner : corner + height, corner : corner + width] = pixels
    return array


def _click_twice(segmenter: BRSSegmenter, truth: Any, corner: int) -> Iterator[tuple[float, float]]:
    """Seconds of three clicks down the middle column of an object, each made twice."""
    rows, columns = np.nonzero(truth)
    middle = int(np.median(columns))
    inside = rows[columns == middle]
    clicks: tuple[Click, ...] = ()
    previous = None
    clock = time.process_time if segmenter.device.type == "cpu" else time.perf_counter
    for share in (2, 4, 8):
        clicks = (*clicks, Click(corner + int(inside[len(inside) // share]), corner + middle))
        times = [clock()]
        for _ in range(2):
            now = segmenter.predict(clicks, previous)
            times.append(clock())
        previous = now
        yield times[1] - times[0], times[2] - times[1]
