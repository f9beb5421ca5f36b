"""What happens in the viewer and in our layers, passed on to the controller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer, Points
from napari.layers.base import ActionType
from qtpy.QtCore import QTimer

from napari_brs.plugin import kept
from napari_brs.plugin import layers as ours
from napari_brs.plugin.keys import Release, bind_keys
from napari_brs.plugin.mouse import click_callback
from napari_brs.plugin.strokes import Strokes
from napari_brs.plugin.text import MESSAGES
from napari_brs.session import Position

if TYPE_CHECKING:
    from napari_brs.plugin.controller import Controller

SETTLE_MS = 250
"""A slice must be on display, or the mouse at rest, so long before features are computed."""

PAST = {ActionType.ADDED, ActionType.REMOVED, ActionType.CHANGED}
"""napari tells of each change of points twice; before it, not all of it is true yet."""


class Listening:
    """Connects a controller with its viewer; `close` undoes all of it."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._paused = False
        self._painted: Position | None = None
        self._strokes: dict[Layer, Strokes] = {}
        viewer = controller.viewer
        self._releases: dict[Layer | None, Release] = {
            None: bind_keys(viewer, controller, "viewer")
        }
        self._settled = QTimer()
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLE_MS)
        self._settled.timeout.connect(controller.computing.look)
        self._on_press = click_callback(self)
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.mouse_move_callbacks.append(self._on_hover)
        self._connections = [
            (viewer.dims.events.current_step, self._on_plane),
            (viewer.dims.events.order, self._on_plane),
            (viewer.dims.events.ndisplay, self._on_plane),
            (viewer.layers.events.removed, self._on_removed),
            (viewer.layers.selection.events.active, self._on_active),
        ]
        for emitter, callback in self._connections:
            emitter.connect(callback)

    def close(self) -> None:
        """Stop listening, and give mouse and keys back."""
        with suppress(RuntimeError):  # Qt deletes it when the window is gone
            self._settled.stop()
        if self._controller.image is not None:
            self.leave_image()
        for emitter, callback in self._connections:
            emitter.disconnect(callback)
        for release in self._releases.values():
            release()
        viewer = self._controller.viewer
        viewer.mouse_drag_callbacks.remove(self._on_press)
        viewer.mouse_move_callbacks.remove(self._on_hover)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Turn a deaf ear to what we do ourselves."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def watch_image(self, image: Image) -> None:
        """Follow an image's place in the world and its pixels."""
        for name in ours.PLACEMENT:
            getattr(image.events, name).connect(self._on_placement)
        image.events.data.connect(self._on_image_data)
        image.events.set_data.connect(self._on_pixels)

    def leave_image(self) -> None:
        """Stop following the image."""
        image = self._controller.image
        assert image is not None
        for name in ours.PLACEMENT:
            getattr(image.events, name).disconnect(self._on_placement)
        image.events.data.disconnect(self._on_image_data)
        image.events.set_data.disconnect(self._on_pixels)

    def watch_layer(self, layer: Layer) -> None:
        """Listen to one of our layers."""
        work = self._controller.work
        if work is None or layer in self._releases:
            return
        if isinstance(layer, Points):
            self._listen(layer.events.data, self._on_points)
            self._releases[layer] = bind_keys(layer, self._controller, "points")
        elif work.preview is not None and layer is work.preview.layer:
            self._listen(layer.events.paint, self._on_paint)
            self._listen(layer.events.data, self._on_labels_data)
            self._releases[layer] = bind_keys(layer, self._controller, "preview")
        elif layer is work.objects:
            self._listen(layer.events.paint, self._on_stroke)
            self._listen(layer.events.data, self._on_labels_data)
            self._releases[layer] = bind_keys(layer, self._controller, "objects")
            self._strokes[layer] = Strokes(layer)

    def leave_layer(self, layer: Layer) -> None:
        """Stop listening to one of our layers."""
        left = [pair for pair in self._connections if pair[0].source is layer]
        for emitter, callback in left:
            emitter.disconnect(callback)
            self._connections.remove((emitter, callback))
        self._releases.pop(layer, lambda: None)()
        self._strokes.pop(layer, None)

    @property
    def strokes(self) -> Strokes | None:
        """Those in the objects layer."""
        work = self._controller.work
        return None if work is None or work.objects is None else self._strokes.get(work.objects)

    def takes_clicks(self) -> bool:
        """Whether a click on the canvas is meant for us.

        It is while the active layer only moves the camera, and is an image, ours, or none.
        """
        work, viewer = self._controller.work, self._controller.viewer
        if work is None:
            return False
        active = viewer.layers.selection.active
        if active is None:
            return True
        if str(active.mode) != "pan_zoom":
            return False
        if isinstance(active, Image) or any(active == layer for layer in work.layers):
            return True
        self._controller.say(MESSAGES["another layer"])
        return False

    def click_at(self, world: Any, other_sign: bool) -> None:
        """A click on the canvas."""
        self._controller.click_at(world, other_sign)

    def _listen(self, emitter: Any, callback: Any) -> None:
        emitter.connect(callback)
        self._connections.append((emitter, callback))

    def _on_hover(self, *_: Any) -> None:
        # Where the mouse goes, a click follows; opening the dock alone loads no network.
        controller = self._controller
        if controller.image is None:
            return
        if not controller.computing.begun:
            controller.computing.look()
        elif controller.computing.follows_mouse:
            self._settled.start()

    def _on_plane(self, *_: Any) -> None:
        self._controller.refresh()
        if self._controller.computing.begun:
            self._settled.start()

    def _on_active(self, event: Any) -> None:
        work, active = self._controller.work, event.value
        if work is None or active is None or self._paused:
            return
        if active == work.foreground:
            self._controller.set(positive=True)
        elif active == work.background:
            self._controller.set(positive=False)

    def _on_placement(self, *_: Any) -> None:
        controller = self._controller
        if controller.work is not None and controller.image is not None:
            controller.work.follow(controller.image)

    def _on_image_data(self, *_: Any) -> None:
        controller, image = self._controller, self._controller.image
        controller.computing.outdate()
        if controller.work is None or image is None:
            return
        if controller.work.session.shape != ours.spatial_shape(image):
            # Another image by the same name: the clicks would mean nothing.
            controller.change_shape()

    def _on_pixels(self, *_: Any) -> None:
        # Once napari has refreshed what it shows, pixels may have been changed in place.
        if self._controller.computing.begun:
            self._settled.start()

    def _on_labels_data(self, *_: Any) -> None:
        controller = self._controller
        lost = controller.lose_unfit()
        if lost:
            controller.number()
            controller.say(MESSAGES["lost"].format(name=lost[0].name))

    def _on_stroke(self, *_: Any) -> None:
        work, strokes = self._controller.work, self.strokes
        if work is not None and strokes is not None:
            strokes.bury() if self._paused else strokes.note(work.session)

    def _on_removed(self, event: Any) -> None:
        controller, layer = self._controller, event.value
        work = controller.work
        if work is None:
            return
        if layer is controller.image:
            aids = work.aids
            controller.computing.cancel()
            controller.set_image_layer(None)
            kept.forget(controller.viewer, layer)
            # Later: napari may be in the middle of removing several layers.
            QTimer.singleShot(0, lambda: self._remove(aids))
        elif any(layer is one for one in work.layers):
            work.lose(layer)
            self.leave_layer(layer)
            controller.number()
            controller.changed.emit()

    def _remove(self, layers: list[Layer]) -> None:
        viewer = self._controller.viewer
        for layer in layers:
            if layer in viewer.layers:
                viewer.layers.remove(layer)

    def _on_points(self, event: Any) -> None:
        controller = self._controller
        if self._paused or controller.work is None or event.action not in PAST:
            return
        try:
            changed = controller.work.read_points(controller.position, controller.size_hint)
        except ValueError as error:
            controller.say(str(error))
            # Later: napari still holds on to the point that cannot stay.
            QTimer.singleShot(0, controller.show)
            return
        if changed:
            controller.after_clicks()

    def _on_paint(self, *_: Any) -> None:
        if "image" not in self._controller.problems:
            self._painted = self._controller.position
            # Later: napari tells of it before the pixels change.
            QTimer.singleShot(0, self.take_paint)

    def take_paint(self) -> None:
        """Take over what was painted in the preview."""
        position, self._painted = self._painted, None
        work = self._controller.work
        if position is not None and work is not None and work.read_paint(position):
            self._controller.refresh()
