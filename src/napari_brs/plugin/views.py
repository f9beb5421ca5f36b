"""Moving what is on display: to a plane, and to a place in it."""

from __future__ import annotations

from napari_brs.plugin.context import Context
from napari_brs.session import Position


def show_plane(context: Context, position: Position) -> None:
    """Show a plane of the image, if it runs along the axes that are on display."""
    here, image = context.state.position, context.image
    if here is None or image is None:
        return
    if [index is None for index in here] != [index is None for index in position]:
        return
    extra = context.viewer.dims.ndim - image.ndim
    world = image.data_to_world([0 if index is None else index for index in position])
    for axis, index in enumerate(position):
        if index is not None and index != here[axis]:
            context.viewer.dims.set_point(axis + extra, world[axis])
