"""The four layers that show a session: two for clicks, a preview, and the objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels, Layer, Points

from napari_brs.plugin.layers.objects import make_objects
from napari_brs.plugin.layers.placement import follow
from napari_brs.plugin.layers.planes import spatial_shape
from napari_brs.plugin.layers.points import make_points
from napari_brs.plugin.layers.preview import Preview
from napari_brs.plugin.text import MESSAGES

if TYPE_CHECKING:
    from napari.components import ViewerModel


class LayerSet:
    """Two points layers, a preview and an objects layer on one image.

    Layers that somebody removed, or gave another shape, are lost: they are made again
    when they are needed.

    Parameters
    ----------
    image : Image
        Only looked at.

    Attributes
    ----------
    foreground, background : Points or None
    preview : Preview or None
    objects : Labels or None
        None while there is none.
    """

    def __init__(self, image: Image) -> None:
        self.foreground: Points | None = None
        self.background: Points | None = None
        self.preview: Preview | None = None
        self.objects: Labels | None = None
        self._shape = spatial_shape(image)
        self._own_objects: Labels | None = None
        self._put_away: list[Layer] = []

    @property
    def helpers(self) -> list[Layer]:
        """The layers that serve the work only, from below: preview and clicks."""
        preview = None if self.preview is None else self.preview.layer
        helpers = (preview, self.background, self.foreground)
        return [layer for layer in helpers if layer is not None]

    @property
    def layers(self) -> list[Layer]:
        """All of them, from below."""
        return [*([] if self.objects is None else [self.objects]), *self.helpers]

    def kind_of(self, layer: Layer) -> str:
        """``points``, ``preview`` or ``objects``."""
        if layer is self.objects:
            return "objects"
        return "points" if isinstance(layer, Points) else "preview"

    def make_layers(self, viewer: ViewerModel, image: Image) -> list[Layer]:
        """Add the layers that are missing, and return them; the active layer stays as it is.

        Raises
        ------
        ValueError
            If there is not enough memory for them.
        """
        active = viewer.layers.selection.active
        self.lose_unfit()
        added, self._put_away = self._put_away, []
        for layer in self.layers:
            if layer not in added and layer not in viewer.layers:
                self.lose(layer)
        try:
            if self.objects is None:
                self.objects = self._own_objects = make_objects(image)
                added.append(self.objects)
            if self.preview is None:
                self.preview = Preview(image)
                added.append(self.preview.layer)
        except MemoryError:
            self.objects = self.preview = None
            raise ValueError(MESSAGES["memory"]) from None
        if self.background is None:
            self.background = make_points(image, positive=False)
            added.append(self.background)
        if self.foreground is None:
            self.foreground = make_points(image, positive=True)
            added.append(self.foreground)
        for layer in added:
            viewer.add_layer(layer)
        if added:
            self.raise_helpers(viewer)
            if active is not None:
                viewer.layers.selection.active = active
        return added

    def raise_helpers(self, viewer: ViewerModel) -> None:
        """Put preview and clicks above the objects, which would hide them."""
        layers = viewer.layers
        if self.objects is None or self.objects not in layers:
            return
        for layer in reversed(self.helpers):
            if layer in layers and layers.index(layer) < layers.index(self.objects):
                layers.move(layers.index(layer), layers.index(self.objects) + 1)

    def put_away(self, viewer: ViewerModel) -> None:
        """Take the layers out of the viewer until they are needed; labels stay there."""
        own = self._own_objects
        empty = own is self.objects and own is not None and not np.any(own.data)
        self._put_away = self.layers if empty else self.helpers
        for layer in self._put_away:
            if layer in viewer.layers:
                viewer.layers.remove(layer)

    def lose(self, layer: Layer) -> None:
        """Know that one of the layers was removed."""
        if layer is self.foreground:
            self.foreground = None
        elif layer is self.background:
            self.background = None
        elif layer is self.objects:
            self.objects = None
        elif self.preview is not None and layer is self.preview.layer:
            self.preview = None

    def lose_unfit(self) -> list[Layer]:
        """Let go of the layers that something else gave another shape; return them."""
        lost: list[Layer] = []
        if self.objects is not None and spatial_shape(self.objects) != self._shape:
            lost.append(self.objects)
        if self.preview is not None and not self.preview.intact:
            lost.append(self.preview.layer)
        for layer in lost:
            self.lose(layer)
        return lost

    def follow(self, image: Image) -> None:
        """Put the layers where the image is now."""
        self.lose_unfit()
        others = [self.foreground, self.background, self.objects]
        follow(image, [layer for layer in others if layer is not None])
        if self.preview is not None:
            self.preview.follow(image)
