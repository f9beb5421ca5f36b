"""ImageJ's ROI manager: a zip of outlines."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.io.atomic import atomic
from napari_brs.io.exporters.colours import class_colours
from napari_brs.io.exporters.labelled_image import LabelledImage, Plane, regions
from napari_brs.io.exporters.outlines import Polygon, polygons
from napari_brs.io.exporters.table import missing

MOVE, LINE, CLOSE = 0, 1, 4
"""What a path of a composite ROI does next, as java.awt.geom.PathIterator numbers it."""


def write(labelled: LabelledImage, path: Path) -> None:
    """One ROI an object and plane; several pieces or holes make it a composite one.

    Its group is the class's place, its properties hold ``label``, ``class`` and in series
    ``track``; its position is the plane.

    Raises
    ------
    ValueError
        If roifile is not installed, or there is an axis other than time, depth, rows and
        columns.
    OSError
        If the file cannot be written.
    """
    if "Q" in labelled.axes:
        raise ValueError(f"ImageJ has the axes T, Z, Y and X; these labels have {labelled.axes}")
    try:
        import roifile
    except ImportError:
        raise missing("roifile") from None

    groups = {name: number for number, name in enumerate(labelled.class_names, 1)}
    colours = class_colours(labelled.class_names)
    with atomic(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for plane in labelled.planes():
            for region in regions(plane.labels):
                roi = _outline(roifile, polygons(region.mask, region.top, region.left))
                name = labelled.name_of(region.id)
                roi.name = name + "".join(f" {a}{i + 1}" for a, i in plane.position.items())
                _set_position(roi, plane)
                properties: dict[str, Any] = {"label": region.id}
                if "T" in plane.position:
                    properties["track"] = region.id
                if region.id in labelled.classes:
                    of_class = labelled.classes[region.id]
                    properties["class"] = of_class
                    roi.group = groups[of_class]
                    roi.stroke_color = bytes((255, *colours[of_class]))  # alpha first
                roi.properties = properties
                place = "".join(f"-{a}{i + 1:04}" for a, i in plane.position.items())
                archive.writestr(f"{region.id:05}{place}-{_plain(name)}.roi", roi.tobytes())


def _outline(roifile: Any, pieces: list[Polygon]) -> Any:
    if len(pieces) == 1 and not pieces[0].holes:
        roi = roifile.ImagejRoi.frompoints(pieces[0].exterior[:, ::-1])
        roi.roitype = roifile.ROI_TYPE.TRACED  # along the edges of pixels, as the wand does it
        return roi
    roi = roifile.ImagejRoi()
    roi.roitype = roifile.ROI_TYPE.RECT
    rings = [ring for piece in pieces for ring in (piece.exterior, *piece.holes)]
    points = np.concatenate(rings)
    roi.top, roi.left = map(int, points.min(axis=0))
    roi.bottom, roi.right = map(int, points.max(axis=0))
    roi.multi_coordinates = np.concatenate([_path(ring) for ring in rings])
    roi.shape_roi_size = len(roi.multi_coordinates)
    return roi


def _path(ring: NDArray[Any]) -> NDArray[np.float32]:
    steps = np.full((len(ring), 3), LINE, np.float32)
    steps[0, 0] = MOVE
    steps[:, 1:] = ring[:, ::-1]
    return np.append(steps.ravel(), np.float32(CLOSE))


def _set_position(roi: Any, plane: Plane) -> None:
    """Slices are counted from 1; one number in a plain stack, a number an axis in a hyperstack."""
    if len(plane.position) == 1:
        (index,) = plane.position.values()
        roi.position = index + 1
    elif plane.position:
        roi.c_position = 1
        roi.z_position, roi.t_position = plane.position["Z"] + 1, plane.position["T"] + 1


def _plain(name: str) -> str:
    """A name as file names may hold it everywhere."""
    return re.sub(r"[^\w .-]", "_", name)[:100]
