"""What else happens to the image and to our layers: moved, removed, given another shape."""

from __future__ import annotations

from napari.layers import Layer
from qtpy.QtCore import QTimer

from napari_brs.plugin.context import Context
from napari_brs.plugin.events import Events
from napari_brs.plugin.features import Features
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.layers import kept
from napari_brs.plugin.layers.planes import spatial_shape
from napari_brs.plugin.text import MESSAGES, describe_shape


class LayerChanges:
    """Keeps the work in line with the viewer's layers, whoever changes them."""

    def __init__(self, context: Context, jobs: Jobs, events: Events, features: Features) -> None:
        self._context = context
        self._jobs = jobs
        self._features = features
        events.layer_removed.connect(self._on_layer_removed)
        events.placement_changed.connect(self._on_placement)
        events.data_changed.connect(self._on_data)
        events.labels_changed.connect(self._on_labels)

    def _on_layer_removed(self, layer: Layer) -> None:
        context, work = self._context, self._context.work
        if work is None:
            return
        if layer is context.image:
            helpers = work.helpers
            self._jobs.cancel()
            context.choose(None)
            kept.forget(context.viewer, layer)
            # Later: napari may be in the middle of removing several layers.
            QTimer.singleShot(0, lambda: self._remove(helpers))
        elif any(layer is one for one in work.layers):
            work.lose(layer)
            context.layer_left.emit(layer)
            context.number()
            context.update()

    def _remove(self, layers: list[Layer]) -> None:
        for layer in layers:
            if layer in self._context.viewer.layers:
                self._context.viewer.layers.remove(layer)

    def _on_placement(self) -> None:
        context = self._context
        if context.work is not None and context.image is not None:
            context.work.follow(context.image)
            context.update()

    def _on_data(self) -> None:
        context, image = self._context, self._context.image
        context.outdate()
        shape = None if context.work is None else context.work.session.shape
        if image is not None and shape is not None and shape != spatial_shape(image):
            # Another image by the same name: the clicks would mean nothing.
            self._change_shape()

    def _change_shape(self) -> None:
        """Go on with the workspace of the shape that the image has now.

        What serves the clicks of the other shape leaves the viewer until that is back;
        a layer with labels stays.
        """
        context, image, left = self._context, self._context.image, self._context.work
        assert left is not None
        self._jobs.cancel()
        context.choose(None)
        left.put_away(context.viewer)
        context.choose(image)
        self._features.look()
        work, selection = context.work, context.viewer.layers.selection
        assert work is not None
        if selection.active is None:
            selection.active = image
        message = "shape back" if work.used else "reshaped" if left.used else ""
        if message:
            old, new = (describe_shape(one.session.shape) for one in (left, work))
            context.say(MESSAGES[message].format(old=old, new=new))

    def _on_labels(self) -> None:
        lost = self._context.lose_unfit()
        if lost:
            self._context.number()
            self._context.say(MESSAGES["lost"].format(name=lost[0].name))
