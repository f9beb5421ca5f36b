"""Region properties as CSV, in physical units: a row an object and frame."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.io.exporters.labelled_image import LabelledImage, compact
from napari_brs.io.exporters.rows import write_rows

INTENSITIES = ("intensity_mean", "intensity_min", "intensity_max")
_LENGTHS = ("equivalent_diameter_area", "axis_major_length", "axis_minor_length")
_PLANE = (*_LENGTHS, "eccentricity", "orientation", "solidity", "extent")
_ISOTROPIC = ("perimeter",)
"""Which scikit-image knows for square pixels only."""


def write(labelled: LabelledImage, path: Path) -> None:
    """Write id, name, class, parent, place, size, shape and intensity of each object.

    A stack along Z is measured as a volume, each frame and each plane of another axis
    alone. Lengths are in ``unit``, areas and volumes in its square and cube; the centroid
    has the centre of the first pixel at 0; the orientation is in radians. Names are
    scikit-image's. Intensities are the image's own values, a column a channel.

    Raises
    ------
    ValueError
        If there are no objects.
    OSError
        If the file cannot be written.
    """
    rows: list[dict[str, object]] = []
    for place, labels, image in _parts(labelled):
        ids, numbers = compact(labels)
        if len(ids):
            table = _measure(labelled, numbers, image)
            for number, label in enumerate(map(int, ids)):
                row: dict[str, object] = {
                    "id": label,
                    "name": labelled.name_of(label),
                    "class": labelled.classes.get(label, ""),
                    "parent": labelled.parents.get(label, ""),
                }
                row |= place
                row |= {column: values[number].item() for column, values in table.items()}
                rows.append(row | {"unit": labelled.unit})
    write_rows(path, rows)


def _parts(labelled: LabelledImage) -> Iterator[tuple[dict[str, object], NDArray[Any], Any]]:
    """What is measured at once: (Z, Y, X) or (Y, X), with its place and its image."""
    labels, image = labelled.labels, labelled.image
    outer = [axis for axis in labelled.axes[:-2] if axis != "Z"]
    for index in product(*(range(labels.shape[labelled.axes.index(axis)]) for axis in outer)):
        at = dict(zip(outer, index, strict=True))
        key = tuple(at.get(axis, slice(None)) for axis in labelled.axes)
        place: dict[str, object] = {}
        if "T" in at:
            place = {"frame": at["T"], "time": at["T"] * labelled.size_of("T")}
        if "Q" in at:
            place["index"] = at["Q"]
        yield place, labels[key], None if image is None else np.asarray(image[key])


def _measure(labelled: LabelledImage, numbers: NDArray[Any], image: Any) -> dict[str, Any]:
    from skimage.measure import regionprops_table

    axes = [axis for axis in labelled.axes if axis in "ZYX"][-numbers.ndim :]
    spacing = tuple(labelled.size_of(axis) for axis in axes)
    volume = numbers.ndim == 3
    wanted = ["bbox", "area", "centroid", "equivalent_diameter_area"]
    if not volume:
        wanted += [name for name in _PLANE if name not in wanted]
        wanted += _ISOTROPIC if len(set(spacing)) == 1 else ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of objects too small to have a hull
        table = regionprops_table(  # type: ignore[no-untyped-call]
            numbers, properties=wanted, spacing=spacing
        )
        named: dict[str, Any] = {}
        for key, values in table.items():
            name, _, number = key.partition("-")
            if name == "centroid":
                named[axes[int(number)].lower()] = values
            elif name == "bbox":  # in pixels, the end excluded
                side = "begin" if int(number) < len(axes) else "end"
                named[f"{axes[int(number) % len(axes)].lower()}_{side}"] = values
            else:
                named["volume" if volume and name == "area" else name] = values
        if image is not None:
            stack = image if image.ndim > numbers.ndim else image[..., None]
            for place, channel in enumerate(labelled.channels):
                measured = regionprops_table(  # type: ignore[no-untyped-call]
                    numbers, stack[..., place], properties=INTENSITIES
                )
                named |= {f"{name}-{channel}": values for name, values in measured.items()}
    return named
