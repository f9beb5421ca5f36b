"""From files to what an exporter gets."""

from __future__ import annotations

import csv
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.io.images import read_stack

COLUMNS = ("id", "name", "class", "parent")


def read_label_stack(
    path: str | os.PathLike[str], axes: str | None = None
) -> tuple[NDArray[Any], str]:
    """A label image of any number of planes.

    Parameters
    ----------
    path : str or path
        A file as `read_stack` reads it.
    axes : str, optional
        A letter for each of its axes: T, Z, Y, X and, once, Q. Those of the file by
        default, where it names them.

    Returns
    -------
    (..., H, W) integer, str
        Labels, and letters for their axes; axes of one channel are left out, and rows
        and columns moved to the end.

    Raises
    ------
    ValueError
        If it cannot be read, holds no integers, or its axes are not clear.
    """
    array, found = read_stack(path)
    if np.dtype(array.dtype).kind not in "bui" or array.ndim < 2:
        raise ValueError(
            f"{path} holds shape {tuple(array.shape)}, dtype {array.dtype}; labels are integers "
            "of shape (..., rows, columns)"
        )
    names = _named(path, tuple(array.shape), found) if axes is None else axes.upper()
    if len(names) != array.ndim or not {"Y", "X"} <= set(names):
        raise ValueError(f"{path} has shape {tuple(array.shape)}; {axes!r} does not name its axes")
    labels = np.asarray(array[...])
    if labels.dtype.kind == "b":
        labels = labels.astype(np.uint8)
    return arranged(labels, names)


def arranged(labels: NDArray[Any], names: str) -> tuple[NDArray[Any], str]:
    """Labels with rows and columns last, without channels and unknown axes of length 1."""
    labels, names = _squeezed(labels, names, "CS"), _without(labels, names, "CS")
    order = [*(name for name in names if name not in "YX"), "Y", "X"]
    return labels.transpose([names.index(name) for name in order]), "".join(order)


def read_image_stack(path: str | os.PathLike[str], axes: str, shape: tuple[int, ...]) -> Any:
    """An image that belongs to labels.

    Parameters
    ----------
    path : str or path
    axes, shape : str, tuple of int
        Those of the labels.

    Returns
    -------
    (*shape) or (*shape, C) array

    Raises
    ------
    ValueError
        If it cannot be read, or is of another shape.
    """
    array, found = read_stack(path)
    count = tuple(array.shape)
    names = _named(path, count, found).replace("S", "C")
    if set(names) - {"C"} != set(axes):  # the file may not say what its stack axis is
        names = names.replace("Q", "".join(set(axes) - set(names)) or "Q")
    image = np.asarray(array[...])
    extra = "".join(set(names) - set(axes) - {"C"})
    image, names = _squeezed(image, names, extra), _without(image, names, extra)
    if "C" in names and image.shape[names.index("C")] == 1:
        image, names = _squeezed(image, names, "C"), names.replace("C", "")
    order = [*axes, *("C" if "C" in names else "")]
    if set(order) != set(names) or tuple(image.shape[names.index(a)] for a in axes) != shape:
        raise ValueError(f"{path} has shape {count}, axes {names}; the labels have {shape}, {axes}")
    return image.transpose([names.index(axis) for axis in order])


def image_axes(path: str | os.PathLike[str]) -> str:
    """Letters for the axes of an image file, without channels, as `read_plane` counts them."""
    array, axes = read_stack(path)
    names = _named(path, tuple(array.shape), axes)
    channels = [name for name in "SC" if name in names][:1]
    return "".join(name for name in names if name not in channels)


def read_objects(
    path: str | os.PathLike[str],
) -> tuple[dict[int, str], dict[int, str], dict[int, int]]:
    """Names, classes and parents of objects, by id, from a CSV file.

    Its first line names its columns: ``id``, and any of ``name``, ``class`` and
    ``parent``; empty cells say nothing, other columns are passed over.

    Raises
    ------
    ValueError
        If it is no such table, or names an object twice.
    OSError
        If it cannot be read.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            table = list(csv.DictReader(file))
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path} is no CSV file: {error}") from None
    if not table or "id" not in table[0]:
        raise ValueError(f"{path} is no table of objects: columns {', '.join(COLUMNS)} are allowed")
    names: dict[int, str] = {}
    classes: dict[int, str] = {}
    parents: dict[int, int] = {}
    known = set()
    for row in table:
        label = _id(path, row["id"])
        if label in known:
            raise ValueError(f"{path} names object {label} twice")
        known.add(label)
        for column, values in (("name", names), ("class", classes)):
            if text := (row.get(column) or "").strip():
                values[label] = text
        if text := (row.get("parent") or "").strip():
            parents[label] = _id(path, text)
    return names, classes, parents


def _id(path: str | os.PathLike[str], text: str | None) -> int:
    text = (text or "").strip()
    if not text.isdecimal() or len(text) > 10 or int(text) < 1:
        raise ValueError(f"{path} names an object {text[:20]!r}; ids are integers from 1")
    return int(text)


def _named(path: str | os.PathLike[str], shape: tuple[int, ...], axes: str) -> str:
    """Letters for all axes: Q for the only one whose meaning is not known, 1 for such of length 1.

    Raises
    ------
    ValueError
        If the meaning of several is not known.
    """
    names = "".join(name if name in "TZCSYX" else "Q" for name in axes)
    names = "".join(
        "1" if name == "Q" and length == 1 else name
        for name, length in zip(names, shape, strict=True)
    )
    if names.count("Q") > 1:
        raise ValueError(
            f"{path} has shape {shape} and does not say what its axes are; a file that does is "
            "needed, or of labels --axes, such as TZYX"
        )
    return names


def _squeezed(array: NDArray[Any], names: str, leave_out: str) -> NDArray[Any]:
    """An array without some of its axes, where their length is 1."""
    return array.squeeze(_short(array, names, leave_out))


def _without(array: NDArray[Any], names: str, leave_out: str) -> str:
    short = _short(array, names, leave_out)
    return "".join(name for place, name in enumerate(names) if place not in short)


def _short(array: NDArray[Any], names: str, leave_out: str) -> tuple[int, ...]:
    return tuple(
        place
        for place, name in enumerate(names)
        if name in leave_out + "1" and array.shape[place] == 1
    )
