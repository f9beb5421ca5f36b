"""Label images as TIFF."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.io.atomic import atomic

SUFFIXES = (".tif", ".tiff")


def check_labels_path(path: str | os.PathLike[str]) -> Path:
    """The path of a label image.

    Raises
    ------
    ValueError
        If its suffix is not one of TIFF's.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"cannot write labels to {path}: they are TIFF; names in {' or '.join(SUFFIXES)} "
            "are allowed"
        )
    return path


def write_labels(path: str | os.PathLike[str], labels: NDArray[Any]) -> Path:
    """Write a label image; an existing file is replaced once the new one is complete.

    Parameters
    ----------
    path : str or path
        Ends in ``.tif`` or ``.tiff``.
    labels : (H, W) bool or integer
        0 is background, 1 to 4,294,967,295 are objects. Written as uint16, or as uint32
        if a label needs it; never as 8 bits, which some programs take for a picture.

    Raises
    ------
    ValueError
        If the path or the labels are of another kind.
    OSError
        If the file cannot be written.
    """
    import tifffile

    path = check_labels_path(path)
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind not in "bui":
        raise ValueError(
            f"labels have shape {labels.shape} and dtype {labels.dtype}; "
            "integers of shape (rows, columns) are allowed"
        )
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest > np.iinfo(np.uint32).max:
        raise ValueError(
            f"labels range from {lowest} to {highest}; 0 to {np.iinfo(np.uint32).max} are allowed"
        )
    dtype = np.uint16 if highest <= np.iinfo(np.uint16).max else np.uint32
    with atomic(path) as partial:
        tifffile.imwrite(
            partial,
            labels.astype(dtype, copy=False),
            photometric="minisblack",
            compression="zlib",
            # Labels are flat: higher levels gain little and take five times as long.
            compressionargs={"level": 1},
            metadata={"axes": "YX"},
        )
    return path


def read_labels(path: str | os.PathLike[str]) -> NDArray[Any]:
    """A label image that `write_labels` or another program wrote: (H, W) integer.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not an image of integers with one value per pixel.
    """
    from napari_brs.io.images import read_image

    labels: NDArray[Any] = np.asarray(read_image(path))
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise ValueError(
            f"{path} holds shape {labels.shape}, dtype {labels.dtype}; labels are integers "
            "of shape (rows, columns)"
        )
    return labels
