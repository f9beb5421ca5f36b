"""Tracks as GEFF, the Graph Exchange File Format: a graph in a Zarr folder.

References
----------
Specification 1.1, https://live-image-tracking-tools.github.io/geff-spec/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_brs.io.exporters.folders import new_folder
from napari_brs.io.exporters.labelled_image import LabelledImage
from napari_brs.io.exporters.table import missing
from napari_brs.io.exporters.tracks import edges, nodes, root

VERSION = "1.1"


def write(labelled: LabelledImage, path: Path) -> None:
    """A node an object and frame, an edge from each to the next, and to daughters.

    Axes are t in seconds and (z,) y, x in ``unit``. Nodes have their ``track`` (the id),
    ``lineage`` (that of the first ancestor) and ``pixels``. Names and classes stand in the
    metadata under ``extra``.

    Raises
    ------
    ValueError
        If zarr is not installed, there is no time axis, or parents and daughters overlap
        in time.
    OSError
        If the folder is there already, or cannot be written.
    """
    try:
        import zarr
    except ImportError:
        raise missing("zarr") from None

    found = nodes(labelled)
    pairs = np.array(edges(labelled, found), np.uint64).reshape(-1, 2)
    axes = ["t", *labelled.axes.replace("T", "").lower()]
    sizes = [labelled.size_of(axis.upper()) for axis in axes]
    values: dict[str, Any] = {
        axis: np.array([(n.frame, *n.centroid)[place] for n in found], float) * size
        for place, (axis, size) in enumerate(zip(axes, sizes, strict=True))
    }
    for name, column in (
        ("track", [node.track for node in found]),
        ("lineage", [root(labelled, node.track) for node in found]),
        ("pixels", [node.pixels for node in found]),
    ):
        values[name] = np.array(column, np.uint64)
    with new_folder(path) as partial:
        group = zarr.open_group(partial, mode="w", zarr_format=2)
        group.create_array("nodes/ids", data=np.arange(len(found), dtype=np.uint64))
        group.create_array("edges/ids", data=pairs)
        group.require_group("edges/props")
        for name, column in values.items():
            group.create_array(f"nodes/props/{name}/values", data=column)
        group.attrs["geff"] = _metadata(labelled, axes, values)


def _metadata(labelled: LabelledImage, axes: list[str], values: dict[str, Any]) -> dict[str, Any]:
    units = {"t": "second"}
    return {
        "geff_version": VERSION,
        "directed": True,
        "axes": [
            {
                "name": axis,
                "type": "time" if axis == "t" else "space",
                "unit": units.get(axis, labelled.unit),
            }
            | ({"min": values[axis].min(), "max": values[axis].max()} if len(values[axis]) else {})
            for axis in axes
        ],
        "node_props_metadata": {
            name: {"identifier": name, "dtype": column.dtype.name}
            for name, column in values.items()
        },
        "edge_props_metadata": {},
        "track_node_props": {"lineage": "lineage"},
        "extra": {
            "napari-brs": {
                key: {str(label): text for label, text in texts.items()}
                for key, texts in (("names", labelled.names), ("classes", labelled.classes))
            }
        },
    }
