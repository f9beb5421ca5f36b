"""Outlines over the image as PNG, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.io.atomic import atomic
from napari_brs.io.exporters.colours import class_colours, colour
from napari_brs.io.exporters.labelled_image import LabelledImage, Plane, compact


def outputs(labelled: LabelledImage, path: Path) -> list[Path]:
    """``path``, or one file a plane of a stack: ``cells-T0001-Z0012.png``, counted from 0."""
    return [_place(path, plane) for plane in labelled.planes()]


def write(labelled: LabelledImage, path: Path) -> None:
    """Outlines in colours of the classes, or where there are none, of the objects.

    Without an image objects are filled, on black.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    from PIL import Image

    of_class = class_colours(labelled.class_names)
    grey = (200, 200, 200)
    for plane in labelled.planes():
        ids, numbers = compact(plane.labels)
        table = np.zeros((len(ids) + 1, 3), np.uint8)
        for number, label in enumerate(map(int, ids), 1):
            named = labelled.classes.get(label, "")
            table[number] = of_class.get(named, grey) if of_class else colour(label)
        picture = _picture(numbers, table, plane.image)
        with atomic(_place(path, plane)) as partial:
            Image.fromarray(picture).save(partial)


def _picture(numbers: NDArray[np.int32], table: NDArray[np.uint8], image: Any) -> NDArray[np.uint8]:
    if image is None:
        return table[numbers]
    from skimage.segmentation import find_boundaries

    from napari_brs.image import ImageSource

    source = ImageSource(image)
    picture = np.rint(source.read(0, 0, *source.shape)).astype(np.uint8)
    edge = find_boundaries(numbers, mode="inner")  # type: ignore[no-untyped-call]
    picture[edge] = table[numbers[edge]]
    return picture


def _place(path: Path, plane: Plane) -> Path:
    marks = "".join(f"-{axis}{index:04}" for axis, index in plane.position.items())
    return path.with_name(f"{path.stem}{marks}{path.suffix}")
