"""COCO JSON: instances with classes, as polygons or run lengths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_brs.io.atomic import write_text
from napari_brs.io.exporters.labelled_image import LabelledImage, Plane, Region, regions
from napari_brs.io.exporters.outlines import polygons

UNNAMED = "object"
"""The category of objects without a class."""


def write(labelled: LabelledImage, path: Path) -> None:
    """One image a plane, one annotation an object and plane.

    An object is a list of polygons; if it has holes, which those of COCO cannot have,
    it is run lengths (uncompressed, column by column). Beside COCO's own keys,
    annotations have ``label`` (the id), ``name``, and in series ``track_id``; images
    have ``frame`` and ``plane``.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    rows, columns = labelled.labels.shape[-2:]
    unnamed = any(label not in labelled.classes for label in labelled.ids)
    names = [*labelled.class_names]
    if (unnamed or not names) and UNNAMED not in names:
        names.append(UNNAMED)
    categories = {name: number for number, name in enumerate(names, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, plane in enumerate(labelled.planes(), 1):
        images.append(
            {"id": number, "file_name": labelled.image_name, "width": columns, "height": rows}
            | _place(plane)
        )
        for region in regions(plane.labels):
            category = categories[labelled.classes.get(region.id, UNNAMED)]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": category}
                | _annotation(region, rows, columns)
                | {"label": region.id, "name": labelled.name_of(region.id)}
                | ({"track_id": region.id} if "T" in plane.position else {})
            )
    content = {
        "info": {"description": f"Objects of {labelled.image_name}"},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
    }
    write_text(path, json.dumps(content) + "\n")


def _place(plane: Plane) -> dict[str, int]:
    keys = {"T": "frame", "Z": "plane", "Q": "index"}
    return {keys[axis]: index for axis, index in plane.position.items()}


def _annotation(region: Region, rows: int, columns: int) -> dict[str, Any]:
    height, width = region.mask.shape
    pieces = polygons(region.mask, region.top, region.left)
    segmentation: Any
    if any(piece.holes for piece in pieces):
        counts = run_lengths(region, rows, columns)
        segmentation = {"size": [rows, columns], "counts": counts}
    else:
        segmentation = [piece.exterior[:, ::-1].ravel().tolist() for piece in pieces]
    return {
        "segmentation": segmentation,
        "area": int(np.count_nonzero(region.mask)),
        "bbox": [region.left, region.top, width, height],
        "iscrowd": 0,
    }


def run_lengths(region: Region, rows: int, columns: int) -> list[int]:
    """Lengths of runs outside and inside the object in turn, column by column, outside first.

    Parameters
    ----------
    region : Region
    rows, columns : int
        Of the image.
    """
    # Changes within each column of the bounding box give where its runs begin and end.
    padded = np.pad(region.mask, ((1, 1), (0, 0))).T.astype(np.int8)
    column, row = np.nonzero(np.diff(padded, axis=1))
    places = (region.left + column) * rows + region.top + row
    # A run to the foot of one column goes on at the head of the next.
    begins, ends = places[0::2], places[1::2]
    joined = np.flatnonzero(ends[:-1] == begins[1:])
    begins, ends = np.delete(begins, joined + 1), np.delete(ends, joined)
    edges = np.column_stack([begins, ends]).ravel()
    counts: list[int] = np.diff(edges, prepend=0, append=rows * columns).tolist()
    return counts if counts[-1] else counts[:-1]
