"""What the user does in the viewer and in our layers, as signals."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.layers.base import ActionType
from psygnal import Signal

from napari_brs.plugin.context import Context
from napari_brs.plugin.layers.placement import PLACEMENT
from napari_brs.plugin.mouse import Gesture, gesture_callback
from napari_brs.plugin.text import MESSAGES

PAST = {ActionType.ADDED, ActionType.REMOVED, ActionType.CHANGED}
"""napari tells of each change of points twice; before it, not all of it is true yet."""


class Events:
    """Connects with a viewer, and with the image and layers of a context; `close` undoes it."""

    plane_changed = Signal()
    """Another plane is on display, or none."""

    mouse_moved = Signal()
    """The mouse is over the canvas."""

    clicked = Signal(object, bool, bool)
    """(world coordinates, whether of the other sign, whether more are to come) A click on the
    canvas is meant for us."""

    drawing = Signal(object)
    """(Gesture) A box or a stroke is being drawn on the canvas."""

    drawn = Signal(object)
    """(Gesture) It is finished."""

    layer_active = Signal(object)
    """(Layer) The user chose it in the layer list."""

    layer_removed = Signal(object)
    """(Layer) It was taken out of the viewer."""

    placement_changed = Signal()
    """The image lies elsewhere in the world."""

    data_changed = Signal()
    """The image has another array."""

    pixels_changed = Signal()
    """napari has refreshed the image: pixels may have been changed in place."""

    points_changed = Signal()
    """Clicks were added, moved or deleted with napari's own tools."""

    preview_painted = Signal()
    """There was a stroke in the preview; napari tells of it before the pixels change."""

    objects_painted = Signal(bool)
    """(whether by the user, not by us) There was a stroke in the objects layer."""

    objects_written = Signal(object, object)
    """(Layer, box or None) Pixels of an objects layer are others a moment later; None: anywhere."""

    labels_changed = Signal()
    """The preview or the objects layer has another array."""

    def __init__(self, context: Context) -> None:
        self._context = context
        viewer = context.viewer
        self._on_press = gesture_callback(self._takes_clicks, self.drawing.emit, self._on_gesture)
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.mouse_move_callbacks.append(self._on_move)
        self._connections: list[tuple[Any, Any]] = []
        self._layers: list[Layer] = []
        dims = viewer.dims.events
        for emitter in (dims.point, dims.order, dims.ndim, dims.ndisplay):
            self._listen(emitter, self._on_plane)
        self._listen(viewer.layers.events.removed, self._on_removed)
        self._listen(viewer.layers.selection.events.active, self._on_active)
        context.image_chosen.connect(self._watch_image)
        context.image_left.connect(self._leave)
        context.layer_added.connect(self._watch_layer)
        context.layer_left.connect(self._leave)

    def close(self) -> None:
        """Stop listening, and give the mouse back."""
        for emitter, callback in self._connections:
            emitter.disconnect(callback)
        self._connections.clear()
        viewer = self._context.viewer
        viewer.mouse_drag_callbacks.remove(self._on_press)
        viewer.mouse_move_callbacks.remove(self._on_move)

    def _listen(self, emitter: Any, callback: Any) -> None:
        emitter.connect(callback)
        self._connections.append((emitter, callback))

    def _watch_image(self, image: Image) -> None:
        for name in PLACEMENT:
            self._listen(getattr(image.events, name), self._on_placement)
        self._listen(image.events.data, self._on_data)
        self._listen(image.events.set_data, self._on_pixels)

    def _watch_layer(self, layer: Layer, kind: str) -> None:
        if layer in self._layers:
            return
        self._layers.append(layer)
        if kind == "points":
            self._listen(layer.events.data, self._on_points)
            return
        painted = self._on_preview_paint if kind == "preview" else self._on_objects_paint
        self._listen(layer.events.paint, painted)
        self._listen(layer.events.data, self._on_labels)

    def _leave(self, layer: Layer) -> None:
        """Stop listening to an image or to one of our layers."""
        left = [pair for pair in self._connections if pair[0].source is layer]
        for emitter, callback in left:
            emitter.disconnect(callback)
            self._connections.remove((emitter, callback))
        if layer in self._layers:
            self._layers.remove(layer)

    def _takes_clicks(self) -> bool:
        """Whether a click on the canvas is meant for us.

        It is while the active layer only moves the camera, and is an image, ours, or none.
        """
        work, viewer = self._context.work, self._context.viewer
        if work is None:
            return False
        active = viewer.layers.selection.active
        if active is None:
            return True
        if str(active.mode) != "pan_zoom":
            return False
        if isinstance(active, Image) or any(active == layer for layer in work.layers):
            return True
        self._context.say(MESSAGES["another layer"])
        return False

    def _on_gesture(self, gesture: Gesture) -> None:
        if gesture.kind == "click":
            self.clicked.emit(gesture.world[0], gesture.other_sign, gesture.more)
        else:
            self.drawn.emit(gesture)

    def _on_move(self, *_: Any) -> None:
        self.mouse_moved.emit()

    def _on_plane(self, *_: Any) -> None:
        self.plane_changed.emit()

    def _on_active(self, event: Any) -> None:
        if event.value is not None and not self._context.paused:
            self.layer_active.emit(event.value)

    def _on_removed(self, event: Any) -> None:
        self.layer_removed.emit(event.value)

    def _on_placement(self, *_: Any) -> None:
        self.placement_changed.emit()

    def _on_data(self, *_: Any) -> None:
        self.data_changed.emit()

    def _on_pixels(self, *_: Any) -> None:
        self.pixels_changed.emit()

    def _on_points(self, event: Any) -> None:
        if not self._context.paused and event.action in PAST:
            self.points_changed.emit()

    def _on_preview_paint(self, *_: Any) -> None:
        self.preview_painted.emit()

    def _on_objects_paint(self, event: Any) -> None:
        self.objects_painted.emit(not self._context.paused)
        for change in event.value:
            self.objects_written.emit(event.source, _box_of(change))

    def _on_labels(self, *_: Any) -> None:
        self.labels_changed.emit()


def _box_of(change: Any) -> tuple[slice, ...]:
    """Where a change of napari's own history lies: a box, or indices of single pixels."""
    box = getattr(change, "slice_key", None)
    if box is None:
        box = tuple(slice(int(at.min()), int(at.max()) + 1) for at in map(np.asarray, change[0]))
    return tuple(box)
