"""Labels as OME-Zarr: a pyramid on its own, or beside the image of an existing store.

References
----------
OME-NGFF 0.5 and, in stores of Zarr 2, 0.4: https://ngff.openmicroscopy.org
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brs.io.exporters.colours import class_colours, colour
from napari_brs.io.exporters.folders import new_folder
from napari_brs.io.exporters.labelled_image import LabelledImage
from napari_brs.io.exporters.table import missing

NAME = "objects"
"""Of the labels in a store; ``objects-2`` if there are such already."""
_CHUNK = 1024
_COARSEST = 256
"""Rows and columns of the coarsest level, at most."""
_ORDER = "TQZYX"
"""Time first and space last, as the format has its axes."""


def outputs(labelled: LabelledImage, path: Path) -> list[Path]:
    """The folder, or of an existing store the metadata that change."""
    if not path.exists():
        return [path]
    return [path / ("zarr.json" if (path / "zarr.json").exists() else ".zattrs")]


def write(labelled: LabelledImage, path: Path) -> None:
    """Labels of all levels, each half as large, by nearest neighbour: ids never mix.

    Into a store with an OME-Zarr image they are written as ``labels/objects``, in the
    axes and with the pixel size of that image; labels that are there stay.

    Raises
    ------
    ValueError
        If zarr is not installed, ``path`` is there and holds no OME-Zarr image, or the
        image is of another shape.
    OSError
        If it cannot be written.
    """
    try:
        import zarr
    except ImportError:
        raise missing("zarr") from None

    if path.exists():
        with warnings.catch_warnings():
            # That consolidated metadata are not part of Zarr 3, where a store has them.
            warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
            _write_into(zarr, labelled, path)
        return
    order = [axis for axis in _ORDER if axis in labelled.axes]
    labels = labelled.labels.transpose([labelled.axes.index(axis) for axis in order])
    transforms: list[dict[str, Any]] = [
        {"type": "scale", "scale": [labelled.size_of(axis) for axis in order]}
    ]
    with new_folder(path) as partial:
        group = zarr.open_group(partial, mode="w", zarr_format=3)
        axes = [_axis(axis, labelled.unit) for axis in order]
        levels = _write_levels(group, labels.astype(labelled.dtype, copy=False), transforms, axes)
        content: dict[str, Any] = {
            "version": "0.5",
            "multiscales": [{"name": NAME, "axes": axes, "datasets": levels}],
            "image-label": _image_label(labelled),
        }
        group.attrs["ome"] = content


def _write_into(zarr: Any, labelled: LabelledImage, path: Path) -> None:
    try:
        store = zarr.open_group(path, mode="r+", use_consolidated=False)
        attributes = store.attrs.get("ome", store.attrs)
        image = attributes["multiscales"][0]
        shape = store[image["datasets"][0]["path"]].shape
        version = store.metadata.zarr_format
        names = [axis["name"] for axis in image["axes"]]
        transforms = image["datasets"][0]["coordinateTransformations"]
    except Exception as error:  # zarr raises whatever it likes on what is no store
        raise ValueError(f"{path} is there already, and is no OME-Zarr image ({error})") from error
    kept = [place for place, name in enumerate(names) if name != "c"]
    labels = _as_in_image(labelled, [names[place] for place in kept], [shape[p] for p in kept])
    transforms = [
        {"type": t["type"], t["type"]: [t[t["type"]][place] for place in kept]} for t in transforms
    ]
    parent = store.require_group("labels")
    outer = parent.attrs.get("ome", {}) if version == 3 else parent.attrs
    listed = list(outer.get("labels", []))
    name, number = NAME, 1
    while name in parent or name in listed:
        number += 1
        name = f"{NAME}-{number}"
    with new_folder(path / "labels" / name) as partial:
        group = zarr.open_group(partial, mode="w", zarr_format=version)
        axes = [image["axes"][place] for place in kept]
        levels = _write_levels(group, labels.astype(labelled.dtype, copy=False), transforms, axes)
        content: dict[str, Any] = {
            "multiscales": [{"name": name, "axes": axes, "datasets": levels}],
            "image-label": _image_label(labelled) | {"source": {"image": "../../"}},
        }
        if version == 3:
            group.attrs["ome"] = {"version": "0.5", **content}
        else:
            content["multiscales"][0]["version"] = content["image-label"]["version"] = "0.4"
            group.attrs.update(content)
    if version == 3:
        parent.attrs["ome"] = {"version": "0.5", "labels": [*listed, name]}
    else:
        parent.attrs["labels"] = [*listed, name]
    if zarr.open_group(path, mode="r").metadata.consolidated_metadata is not None:
        zarr.consolidate_metadata(path)


def _as_in_image(labelled: LabelledImage, names: list[str], shape: list[int]) -> NDArray[Any]:
    """The labels in the axes of an image, axes of length 1 added where they lack."""
    axes = labelled.axes.lower()
    order = [axes.index(name) for name in names if name in axes]
    found = dict(zip(axes, labelled.labels.shape, strict=True))
    wanted = dict(zip(names, shape, strict=True))
    if {**dict.fromkeys(names, 1), **found} != wanted:
        raise ValueError(
            f"the labels have the axes {axes} and shape {labelled.labels.shape}; the image in "
            f"the store has {''.join(names)} and {tuple(shape)}"
        )
    return labelled.labels.transpose(order).reshape(shape)


def _write_levels(
    group: Any, labels: NDArray[Any], transforms: list[dict[str, Any]], axes: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Write a pyramid; its ``datasets``.

    Every second pixel is kept: its centre is that of the coarser pixel, so nothing shifts.
    """
    datasets: list[dict[str, Any]] = []
    names = {"dimension_names": [axis["name"] for axis in axes]}
    named = names if group.metadata.zarr_format == 3 else {}
    step = 1
    while True:
        level = labels[..., ::step, ::step]
        chunks = (1,) * (labels.ndim - 2) + tuple(min(_CHUNK, side) for side in level.shape[-2:])
        level = np.ascontiguousarray(level)
        group.create_array(str(len(datasets)), data=level, chunks=chunks, **named)
        coarser = [
            {"type": "scale", "scale": [*t["scale"][:-2], *(s * step for s in t["scale"][-2:])]}
            if t["type"] == "scale"
            else t
            for t in transforms
        ]
        datasets.append({"path": str(len(datasets)), "coordinateTransformations": coarser})
        if max(level.shape[-2:]) <= _COARSEST:
            return datasets
        step *= 2


def _axis(axis: str, unit: str) -> dict[str, str]:
    found = {"name": axis.lower()}
    if axis == "T":
        return found | {"type": "time", "unit": "second"}
    if axis == "Q":
        return found
    return found | {"type": "space"} | ({} if unit == "pixel" else {"unit": unit})


def _image_label(labelled: LabelledImage) -> dict[str, Any]:
    """Colours of the objects, and their names and classes."""
    if not labelled.ids:
        return {}
    of_class = class_colours(labelled.class_names)
    colours, properties = [], []
    for label in labelled.ids:
        rgb = of_class.get(labelled.classes.get(label, ""), colour(label))
        colours.append({"label-value": label, "rgba": [*rgb, 255]})
        known = {"name": labelled.names, "class": labelled.classes, "parent": labelled.parents}
        about = {key: values[label] for key, values in known.items() if label in values}
        properties.append({"label-value": label, **about})
    return {"colors": colours, "properties": properties}
