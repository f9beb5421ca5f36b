"""Robot runs over a whole pack: in order, in parallel, resumable."""

from __future__ import annotations

import json
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_brs.evaluation.protocol import (
    RobotSettings,
    are_runs,
    choose_objects,
    click_object,
    length_of_others,
)
from napari_brs.evaluation.summary import summarise
from napari_brs.io.atomic import write_text
from napari_brs.io.json_files import parse_json
from napari_brs.io.layouts import Dataset
from napari_brs.segmenters import Segmenter

MakeSegmenter = Callable[[], Segmenter]
Found = tuple[str, list[dict[str, Any]]]
"""An image's name and what happened to its objects."""
_ELSEWHERE = "delete it, or write the results elsewhere"


def evaluate(
    pack: Dataset,
    make_segmenter: MakeSegmenter,
    settings: RobotSettings | None = None,
    *,
    about: Mapping[str, Any] | None = None,
    every: int = 1,
    limit: int | None = None,
    partial: Path | None = None,
    workers: int = 1,
    on_progress: Callable[[int, int, float], None] | None = None,
) -> dict[str, Any]:
    """Let the robot click on the objects of a pack.

    Parameters
    ----------
    pack : Dataset
        See `open_dataset`; pickled for several workers.
    make_segmenter : callable
        Makes a segmenter; with several workers it is pickled and called in each.
    settings : RobotSettings, optional
    about : mapping, optional
        What else identifies the run, such as model and device; JSON values.
    every : int
        Only every so manieth image, in the order of their names: names begin with
        the source, so this keeps a sample mixed.
    limit : int, optional
        Only the first images of these.
    partial : path, optional
        Each image's results are kept here (JSON lines) until the run is
        complete. If it is there already, its images are not run again.
    workers : int
        Processes.
    on_progress : callable, optional
        Called with (images done, images in all, seconds left) after each image.

    Returns
    -------
    dict
        ``about``, pack and settings, the figures of `summarise`, and
        ``objects``, in order of image name and object number.

    Raises
    ------
    ValueError
        If no image has an object that is large enough, or the partial results
        belong to another run.
    ChildProcessError
        If a worker is ended from outside.
    """
    settings = settings or RobotSettings()
    for name, value in (("every", every), ("limit", limit), ("workers", workers)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; at least 1 is allowed")
    names = pack.names[::every][:limit]
    header = {**(about or {}), "pack": pack.name, "every": every, "images": len(names)}
    header |= asdict(settings)
    found = _resume(partial, header, names) if partial and partial.exists() else {}
    todo = [name for name in names if name not in found]
    before, began = len(found), time.monotonic()
    results = (
        _in_turn(pack, make_segmenter, settings, todo)
        if workers == 1 or len(todo) < 2
        else _in_parallel(pack, make_segmenter, settings, todo, workers)
    )
    for name, objects in results:
        found[name] = objects
        if partial:
            first = [] if partial.exists() else [header]
            _append(partial, [*first, {"name": name, "objects": objects}])
        if on_progress:
            rate = (time.monotonic() - began) / (len(found) - before)
            on_progress(len(found), len(names), rate * (len(names) - len(found)))
    objects = [item for name in names for item in found[name]]
    if not objects:
        if partial:
            partial.unlink()
        raise ValueError(
            f"no object of at least {settings.min_area} pixels in the {len(names)} images "
            f"of {pack.path}"
        )
    figures = summarise(objects, settings.max_clicks)
    return {**header, "workers": workers, **figures, "objects": objects}


def to_json(result: Mapping[str, Any]) -> str:
    """A result as JSON with one key a line, and one object a line."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(value)}"
        for key, value in result.items()
        if key != "objects"
    ]
    objects = ",\n".join(json.dumps(item) for item in result["objects"])
    return "{\n" + ",\n".join([*lines, f'"objects": [\n{objects}\n]']) + "\n}\n"


def _append(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in entries)
    except OSError as error:  # that of a full disk has no name
        error.filename = str(path)
        raise


def _in_turn(
    pack: Dataset, make_segmenter: MakeSegmenter, settings: RobotSettings, names: list[str]
) -> Iterator[Found]:
    if names:
        segmenter = make_segmenter()
        for name in names:
            yield _run_image(pack, segmenter, settings, name)


def _in_parallel(
    pack: Dataset,
    make_segmenter: MakeSegmenter,
    settings: RobotSettings,
    names: list[str],
    workers: int,
) -> Iterator[Found]:
    # A forked process cannot use CUDA, nor torch's threads once they have run.
    with ProcessPoolExecutor(
        min(workers, len(names)),
        multiprocessing.get_context("spawn"),
        _start_worker,
        (pack, make_segmenter, settings),
    ) as pool:
        try:
            for future in as_completed([pool.submit(_work, name) for name in names]):
                yield future.result()
        except BrokenProcessPool as error:
            raise ChildProcessError(
                "a worker was ended from outside, perhaps for lack of memory; "
                "fewer --workers need less"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


_worker: tuple[Dataset, Segmenter, RobotSettings]


def _start_worker(pack: Dataset, make_segmenter: MakeSegmenter, settings: RobotSettings) -> None:
    global _worker
    # Ctrl+C reaches every process; the images at hand are finished, then the pool ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = pack, make_segmenter(), settings


def _work(name: str) -> Found:
    return _run_image(*_worker, name)


def _run_image(pack: Dataset, segmenter: Segmenter, settings: RobotSettings, name: str) -> Found:
    sample = pack.read(name)
    numbers = choose_objects(sample.labels, name, settings)
    if numbers:
        segmenter.set_image(sample.image)
    runs = []
    for number in numbers:
        size = None
        if settings.size_prior:
            size = length_of_others(sample.labels, number, settings.min_area)
        truth = sample.labels == number
        runs.append(click_object(segmenter, truth, sample.ignore, name, number, settings, size))
    return name, [asdict(run) for run in runs]


def _resume(
    partial: Path, header: dict[str, Any], names: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """What an interrupted run left."""
    try:
        # A line without an end was being written when the run was interrupted.
        whole, _, _ = partial.read_text(encoding="utf-8").rpartition("\n")
        lines = whole.split("\n")
        theirs, *entries = map(parse_json, lines)
    except ValueError as error:
        raise ValueError(f"{partial} is no partial result: {error}; {_ELSEWHERE}") from None
    if not isinstance(theirs, dict):
        raise ValueError(f"{partial} is no partial result: {_ELSEWHERE}")
    for key in header.keys() | theirs.keys():
        if header.get(key) != theirs.get(key):
            raise ValueError(
                f"{partial} is left of another run, with {key} {theirs.get(key)!r} instead of "
                f"{header.get(key)!r}: {_ELSEWHERE}"
            )
    if not all(
        isinstance(entry, dict)
        and entry.get("name") in names
        and are_runs(entry.get("objects"), header["max_clicks"])
        for entry in entries
    ):
        raise ValueError(f"{partial} holds what is no result of {header['pack']}: {_ELSEWHERE}")
    write_text(partial, whole + "\n")
    return {entry["name"]: entry["objects"] for entry in entries}
