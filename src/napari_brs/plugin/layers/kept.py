"""What was done on each image, kept while the viewer and the image are there.

Closing the dock, choosing another image, or an image that changes its shape loses
nothing; removing the image does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image

from napari_brs.plugin.layers.planes import spatial_shape
from napari_brs.plugin.layers.workspace import Workspace

Shapes = dict[tuple[int, ...], Workspace]

_KEPT: WeakKeyDictionary[Any, WeakKeyDictionary[Image, Shapes]] = WeakKeyDictionary()
"""Two viewers may show the same layer, each with clicks of its own."""


def workspace_of(viewer: Any, image: Image) -> Workspace:
    """The workspace of an image of the shape it has now, as it was left, or a new one."""
    shapes = _images(viewer).setdefault(image, {})
    shape = spatial_shape(image)
    if shape not in shapes:
        shapes[shape] = Workspace(image)
    return shapes[shape]


def workspaces(viewer: Any) -> Iterator[Workspace]:
    """All that are kept for a viewer."""
    for shapes in _images(viewer).values():
        yield from shapes.values()


def forget(viewer: Any, image: Image) -> None:
    """Let go of what was done on an image."""
    _images(viewer).pop(image, None)


def _images(viewer: Any) -> WeakKeyDictionary[Image, Shapes]:
    # A plugin's viewer is wrapped; each dock of a viewer may have a wrapper of its own.
    return _KEPT.setdefault(getattr(viewer, "__wrapped__", viewer), WeakKeyDictionary())
