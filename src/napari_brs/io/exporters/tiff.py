"""Labels as OME-TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_brs.io.atomic import atomic
from napari_brs.io.exporters.labelled_image import UNITS, LabelledImage


def write(labelled: LabelledImage, path: Path) -> None:
    """Labels with all their axes, in the smallest type that holds the ids.

    Raises
    ------
    ValueError
        If there is an axis other than time, depth, rows and columns.
    OSError
        If the file cannot be written.
    """
    import tifffile

    if "Q" in labelled.axes:
        raise ValueError(f"OME-TIFF has the axes T, Z, Y and X; these labels have {labelled.axes}")
    with atomic(path) as partial:
        tifffile.imwrite(
            partial,
            labelled.labels.astype(labelled.dtype, copy=False),
            ome=True,
            photometric="minisblack",
            compression="zlib",
            # Labels are flat: higher levels gain little and take five times as long.
            compressionargs={"level": 1},
            metadata={"axes": labelled.axes, "Name": labelled.image_name, **_sizes(labelled)},
        )


def _sizes(labelled: LabelledImage) -> dict[str, Any]:
    """Pixel sizes as OME-XML has them, where they are known."""
    found: dict[str, Any] = {}
    for axis in labelled.axes:
        if axis == "T":
            found |= {"TimeIncrement": labelled.size_of("T"), "TimeIncrementUnit": "s"}
        else:
            found |= {
                f"PhysicalSize{axis}": labelled.size_of(axis),
                f"PhysicalSize{axis}Unit": UNITS[labelled.unit],
            }
    return found
