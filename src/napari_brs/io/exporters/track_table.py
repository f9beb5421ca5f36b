"""Tracks as CSV: a row an object and frame."""

from __future__ import annotations

from pathlib import Path

from napari_brs.io.exporters.labelled_image import LabelledImage
from napari_brs.io.exporters.rows import write_rows
from napari_brs.io.exporters.tracks import edges, nodes


def write(labelled: LabelledImage, path: Path) -> None:
    """Write track, name, class, parent, frame, time, centroid and size, by track and frame.

    Time is in seconds, the centroid (``z``, ``y``, ``x``) in ``unit``, the centre of the
    first pixel at 0; ``area``, or in volumes ``volume``, in its square or cube.

    Raises
    ------
    ValueError
        If there is no time axis, or parents and daughters overlap in time.
    OSError
        If the file cannot be written.
    """
    found = nodes(labelled)
    edges(labelled, found)  # refuses a lineage that cannot be
    axes = labelled.axes.replace("T", "")
    pixel = [labelled.size_of(axis) for axis in axes]
    size = 1.0
    for length in pixel:
        size *= length
    rows = []
    for node in sorted(found, key=lambda node: (node.track, node.frame)):
        row: dict[str, object] = {
            "track": node.track,
            "name": labelled.name_of(node.track),
            "class": labelled.classes.get(node.track, ""),
            "parent": labelled.parents.get(node.track, ""),
            "frame": node.frame,
            "time": node.frame * labelled.size_of("T"),
        }
        for axis, value, length in zip(axes, node.centroid, pixel, strict=True):
            row[axis.lower()] = value * length
        row["volume" if "Z" in axes else "area"] = node.pixels * size
        row["unit"] = labelled.unit
        rows.append(row)
    write_rows(path, rows)
