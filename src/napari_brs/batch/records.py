"""What became of each image of a batch: records beside the results, and their summary."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_brs import __version__
from napari_brs.batch.inputs import BatchImage
from napari_brs.io.atomic import write_text
from napari_brs.io.exporters.rows import write_rows
from napari_brs.io.json_files import read_json

FORMAT = "napari-brs batch record"
VERSION = 1
SUMMARY = "summary.csv"


@dataclass(frozen=True)
class Record:
    """What became of an image.

    Attributes
    ----------
    image : str
        Its name in the batch.
    objects : int
    mean_area : float
        In pixels; 0 if there is no object.
    seconds : float
        From opening it to its labels being written.
    error : str
        Why there is no result; empty if there is one.
    """

    image: str
    objects: int = 0
    mean_area: float = 0.0
    seconds: float = 0.0
    error: str = ""


def labels_path(folder: Path, image: BatchImage) -> Path:
    """Where the labels of an image lie."""
    return folder / f"{image.name}.tif"


def record_path(folder: Path, image: BatchImage) -> Path:
    """Where it is said that they are complete, and how they were made."""
    return folder / f"{image.name}.json"


def write_record(folder: Path, image: BatchImage, record: Record, settings: dict[str, Any]) -> None:
    """Say that the labels of an image are complete.

    Parameters
    ----------
    folder : Path
    image : BatchImage
    record : Record
    settings : dict
        What the labels depend on beside the image, as JSON can hold it.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "napari_brs": __version__,
        "source": source_of(image),
        "settings": settings,
        "objects": record.objects,
        "mean_area": record.mean_area,
        "seconds": record.seconds,
    }
    write_text(record_path(folder, image), json.dumps(content, indent=1) + "\n")


def finished(folder: Path, image: BatchImage, settings: dict[str, Any]) -> Record | None:
    """The record of an image that was segmented before; None if it has to be segmented.

    It has to be if its file or the settings are different by now, or its labels are gone.
    """
    try:
        content = read_json(record_path(folder, image))
        known = (content["format"], content["version"], content["source"], content["settings"])
        if known != (FORMAT, VERSION, source_of(image), settings):
            return None
        record = Record(
            image.name,
            int(content["objects"]),
            float(content["mean_area"]),
            float(content["seconds"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if labels_path(folder, image).is_file() else None


def source_of(image: BatchImage) -> dict[str, Any]:
    """By what an image is known again: its file, and the size and time of that.

    Of a Zarr folder, whose chunks are files of their own, it is the file that describes it.
    """
    described = (image.path / name for name in ("zarr.json", ".zarray", ".zattrs", ".zgroup"))
    file = next((one for one in described if one.is_file()), image.path)
    status = file.stat()
    return {
        "path": str(image.path.resolve()),
        "indices": list(image.indices),
        "size": status.st_size,
        "modified": status.st_mtime_ns,
    }


def write_summary(folder: Path, records: Iterable[Record]) -> Path:
    """Write a table with a line for each image; errors as of `write_rows`."""
    path = folder / SUMMARY
    rows = [
        {
            "image": record.image,
            "objects": "" if record.error else record.objects,
            "mean_area": "" if record.error else round(record.mean_area, 2),
            "seconds": round(record.seconds, 3),
            "error": record.error,
        }
        for record in records
    ]
    write_rows(path, rows)
    return path
