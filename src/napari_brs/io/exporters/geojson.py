"""GeoJSON as QuPath reads it: polygons with holes, classes, planes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from napari_brs.io.atomic import write_text
from napari_brs.io.exporters.colours import class_colours
from napari_brs.io.exporters.labelled_image import LabelledImage, regions
from napari_brs.io.exporters.outlines import Polygon, polygons


def write(labelled: LabelledImage, path: Path) -> None:
    """A feature collection: one feature, an annotation of QuPath's, an object and plane.

    Coordinates are (x, y) in pixels, (0, 0) the corner of the first one, exterior rings
    with positive area. The measurements ``Label`` and, in series, ``Track`` hold the id.

    Raises
    ------
    ValueError
        If there is an axis other than time, depth, rows and columns.
    OSError
        If the file cannot be written.
    """
    if "Q" in labelled.axes:
        raise ValueError(f"QuPath has the axes T, Z, Y and X; these labels have {labelled.axes}")
    colours = class_colours(labelled.class_names)
    features = []
    for plane in labelled.planes():
        place = {"c": -1, "z": plane.position.get("Z", 0), "t": plane.position.get("T", 0)}
        for region in regions(plane.labels):
            geometry = _geometry(polygons(region.mask, region.top, region.left))
            measurements = {"Label": region.id, "Area px": int(np.count_nonzero(region.mask))}
            if "T" in plane.position:
                measurements["Track"] = region.id
            properties: dict[str, Any] = {
                "objectType": "annotation",
                "name": labelled.name_of(region.id),
                "measurements": measurements,
            }
            if region.id in labelled.classes:
                name = labelled.classes[region.id]
                properties["classification"] = {"name": name, "color": list(colours[name])}
            # QuPath tells objects apart by UUIDs; the same object gets the same one again.
            key = f"{labelled.image_name} {region.id} {place['z']} {place['t']}"
            features.append(
                {
                    "type": "Feature",
                    "id": str(uuid5(NAMESPACE_URL, key)),
                    "geometry": geometry | ({"plane": place} if plane.position else {}),
                    "properties": properties,
                }
            )
    write_text(path, json.dumps({"type": "FeatureCollection", "features": features}) + "\n")


def _geometry(pieces: list[Polygon]) -> dict[str, Any]:
    coordinates = [[_closed(ring) for ring in (piece.exterior, *piece.holes)] for piece in pieces]
    if len(coordinates) == 1:
        return {"type": "Polygon", "coordinates": coordinates[0]}
    return {"type": "MultiPolygon", "coordinates": coordinates}


def _closed(ring: Any) -> list[list[int]]:
    points: list[list[int]] = ring[:, ::-1].tolist()
    return [*points, points[0]]
