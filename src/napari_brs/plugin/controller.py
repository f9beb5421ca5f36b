"""What the dock can do: joins the session, the layers and the computing of one viewer.

For programs that drive the dock (the demo, tests)::

    _, dock = viewer.window.add_plugin_dock_widget("napari-brs", "BRS segmentation")
    controller = dock.controller
    controller.set_image_layer(viewer.layers["phase contrast"])
    controller.add_click(row, column, positive=True)     # pixels of the displayed plane
    controller.wait(60)                                  # seconds; until nothing runs
    label = controller.commit()                          # id in the objects layer, or None
    controller.objects_layer, controller.preview_layer   # napari Labels, or None
    controller.foreground_layer, controller.background_layer   # napari Points, or None
    controller.status                                    # the line under the buttons
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels, Layer, Points
from psygnal import Signal
from qtpy.QtWidgets import QApplication

from napari_brs.clicks import Click
from napari_brs.models import list_models
from napari_brs.plugin import kept, status
from napari_brs.plugin import layers as ours
from napari_brs.plugin.computing import Computing
from napari_brs.plugin.converted import Converted
from napari_brs.plugin.listening import Listening
from napari_brs.plugin.planes import displayed_position, to_click
from napari_brs.plugin.size_hint import size_hint, visible_length
from napari_brs.plugin.text import MESSAGES, describe_shape
from napari_brs.plugin.workspace import Workspace
from napari_brs.session import Position, Session

if TYPE_CHECKING:
    from napari.components import ViewerModel


@dataclass
class Settings:
    """What the dock's controls say."""

    model: str
    device: str = "auto"
    refine: bool = True
    run_on_click: bool = True
    threshold: float = 0.5
    overwrite: bool = False
    positive: bool = True


class Controller:
    """Everything the dock does, without the dock.

    Parameters
    ----------
    viewer : napari viewer
        Its layers, dims, keys and mouse are listened to until `close`.

    Attributes
    ----------
    settings : Settings
        To be changed with `set`.
    image : Image layer or None
        To be changed with `set_image_layer`.
    work : Workspace or None
        Session and layers of the image.
    """

    changed = Signal()
    """Something that the dock shows may be different now."""

    keys_wanted = Signal()
    """The user wants to see all keys."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.settings = Settings(_default_model())
        self.image: Image | None = None
        self.work: Workspace | None = None
        self.closed = False
        self.message = ""
        self._free_label = 1
        self._model_before: str | None = None
        self._visible: dict[Any, bool] = {}
        self.computing = Computing(self)
        self.converted = Converted(self)
        self._listening = Listening(self)

    # what there is

    @property
    def session(self) -> Session | None:
        """Objects and clicks of the chosen image."""
        return None if self.work is None else self.work.session

    @property
    def session_key(self) -> int | None:
        """Key of the object that takes the clicks."""
        return None if self.work is None else self.work.session.current.key

    @property
    def foreground_layer(self) -> Points | None:
        return None if self.work is None else self.work.foreground

    @property
    def background_layer(self) -> Points | None:
        return None if self.work is None else self.work.background

    @property
    def preview_layer(self) -> Labels | None:
        preview = None if self.work is None else self.work.preview
        return None if preview is None else preview.layer

    @property
    def objects_layer(self) -> Labels | None:
        return None if self.work is None else self.work.objects

    @property
    def busy(self) -> bool:
        """Whether anything is being computed."""
        return self.computing.busy

    @property
    def position(self) -> Position:
        """The plane on display.

        Raises
        ------
        ValueError
            If no image is chosen, or none of its planes is on display.
        """
        if self.image is None:
            raise ValueError(MESSAGES["no image"])
        return displayed_position(self.image, self.viewer.dims)

    @property
    def label(self) -> int:
        """Id that the current object has, or will get."""
        if self.work is None:
            return 1
        session = self.work.session
        return session.current.label or max(self._free_label, session.highest_label + 1)

    @property
    def problems(self) -> dict[str, str]:
        """Control -> why it cannot work as it is set."""
        return status.problems(self)

    @property
    def status(self) -> str:
        """The line under the buttons."""
        return status.line(self)

    @property
    def has_clicks(self) -> bool:
        """Whether there is something to segment on display."""
        if self.work is None or "image" in self.problems:
            return False
        return bool(self.work.session.current.plane(self.position).clicks)

    @property
    def has_mask(self) -> bool:
        """Whether there is something to commit."""
        if self.work is None:
            return False
        current = self.work.session.current
        planes = current.planes.values()
        return current.label is not None or any(
            plane.shown(self.settings.model) is not None for plane in planes
        )

    # image, layers, settings

    def set_image_layer(self, image: Any, look: bool = True) -> None:
        """Choose the image to work on, or None; its clicks and objects come back.

        Parameters
        ----------
        image : Image layer or None
        look : bool
            Whether to compute its features now, in the background.
        """
        # A plugin's viewer hands out wrapped layers; as keys they must be themselves.
        image = getattr(image, "__wrapped__", image)
        if image is self.image:
            return
        self._leave_image()
        self.image = image
        if image is not None:
            self.work = kept.workspace_of(self.viewer, image)
            self.work.model = self.settings.model
            self._listening.watch_image(image)
            for layer in self.work.layers:
                self._listening.watch_layer(layer)
            for layer in self.work.aids:
                layer.visible = self._visible.pop(layer, True)
            try:
                self.make_layers()
            except ValueError as error:
                self.say(str(error))
                return
            self.number()
        self.refresh()
        if look:
            self.computing.look()

    def change_shape(self) -> None:
        """Go on with the workspace of the shape that the image has now.

        What serves the clicks of the other shape leaves the viewer until that is back;
        a layer with labels stays.
        """
        image, left = self.image, self.work
        assert image is not None
        assert left is not None
        self.computing.cancel()
        self.set_image_layer(None)
        left.put_away(self.viewer)
        self.set_image_layer(image)
        if self.work is None:
            return
        if self.viewer.layers.selection.active is None:
            self.viewer.layers.selection.active = image
        message = "shape back" if self.work.used else "reshaped" if left.used else ""
        if message:
            old, new = (describe_shape(w.session.shape) for w in (left, self.work))
            self.say(MESSAGES[message].format(old=old, new=new))

    def can_be_objects(self, layer: Any) -> bool:
        """Whether objects of the image may be written to a layer."""
        layer = getattr(layer, "__wrapped__", layer)
        if self.image is None or not ours.fits(layer, self.image) or not ours.is_writable(layer):
            return False
        return not self._is_aid(layer)

    def _is_aid(self, layer: Layer) -> bool:
        """Whether a layer shows the clicks or the mask of this image or another."""
        return any(layer is aid for work in kept.workspaces(self.viewer) for aid in work.aids)

    def set_objects_layer(self, layer: Any) -> None:
        """Choose the labels layer that objects are written to; clicks stay above it.

        Raises
        ------
        ValueError
            If its shape is not that of the image, it cannot be written to, or it is a
            preview.
        """
        layer = getattr(layer, "__wrapped__", layer)
        if self.work is None or self.image is None or layer is self.work.objects:
            return
        if not ours.fits(layer, self.image):
            raise ValueError(f"{layer} is no labels layer of shape {self.work.session.shape}")
        if not ours.is_writable(layer):
            raise ValueError(MESSAGES["not editable"].format(name=layer.name))
        if self._is_aid(layer):
            raise ValueError(MESSAGES["helper"].format(name=layer.name))
        if self.work.objects is not None:
            self._listening.leave_layer(self.work.objects)
        self.work.objects = layer
        self._listening.watch_layer(layer)
        self.work.raise_aids(self.viewer)
        self.number()
        self.refresh()

    def set(self, **values: Any) -> None:
        """Change settings, as the dock's controls do; the names are those of `Settings`."""
        before = self.settings.model
        for name, value in values.items():
            setattr(self.settings, name, value)
        if self.settings.model != before:
            self._model_before = before
        if self.work is not None:
            self.work.model = self.settings.model
        self.refresh()
        if self.problems or not {"model", "device", "threshold"} & set(values):
            return
        assert self.work is not None
        plane = self.work.session.current.plane(self.position)
        needed = "threshold" in values or not plane.computed(self.settings.model)
        if plane.clicks and needed and self.settings.run_on_click:
            self.computing.run()
        else:
            self.computing.look()

    def give_up_model(self, name: str, reason: str) -> None:
        """Go back to the model before, because one cannot be used."""
        before, self._model_before = self._model_before, None
        if self.settings.model != name or before is None:
            return
        self.converted.forget_file(name)
        self.set(model=before)
        self._model_before = None
        message = MESSAGES["model failed"]
        self.say(message.format(name=Path(name).name, reason=reason, before=Path(before).name))

    # clicks

    def add_click(self, row: float, column: float, positive: bool = True) -> bool:
        """Add a click in the plane on display, and segment if *Run on click* is on.

        Parameters
        ----------
        row, column : float
            Pixels of the plane.
        positive : bool
            Whether it means the object.

        Returns
        -------
        bool
            False if it was not added; `status` says why.
        """
        try:
            position = self.position
            assert self.work is not None
            click = Click(row, column, positive)
            if not self._inside(click):
                raise ValueError(MESSAGES["outside"])
            self.make_layers()
            self._listening.take_paint()
            with self.work.session.one_step():
                self.converted.before_click(position, click)
                self.work.session.add_click(position, click, self.size_hint(click))
        except ValueError as error:
            self.say(str(error))
            return False
        self.after_clicks()
        return True

    def size_hint(self, click: Click) -> float | None:
        """About how long an object is that is clicked on first, in pixels, if anything tells."""
        assert self.work is not None
        assert self.image is not None
        position = self.position
        shape = self.work.session.plane_shape(position)
        lengths = self.work.lengths_near(position, click)
        return size_hint(lengths, visible_length(self.image, position), shape)

    @property
    def mouse(self) -> Click:
        """The pixel of the plane on display that is nearest to the mouse."""
        assert self.work is not None
        at = self._under_cursor()
        rows, columns = self.work.session.plane_shape(self.position)
        row, column = (
            min(max(0, pixel), size - 1)
            for pixel, size in zip(at.pixel, (rows, columns), strict=True)
        )
        return Click(row, column)

    def click_at(self, world: Any, other_sign: bool) -> None:
        """Add a click at a point of the viewer's world, of the sign in use or the other."""
        try:
            click = self.to_plane(world, self.settings.positive and not other_sign)
        except ValueError as error:
            self.say(str(error))
        else:
            self.add_click(click.row, click.column, click.positive)

    def after_clicks(self) -> None:
        """Show changed clicks, and segment if *Run on click* is on."""
        self.refresh()
        if self.settings.run_on_click and not self.problems and self.has_clicks:
            self.computing.run()

    def toggle_sign(self) -> None:
        """Let clicks add background instead of foreground, or the other way round."""
        self.set(positive=not self.settings.positive)

    def clear(self) -> None:
        """Remove all clicks and masks of the current object."""
        if self.work is not None:
            self.computing.cancel()
            self._listening.take_paint()
            self.work.session.clear()
            self.refresh()

    def segment(self) -> None:
        """Segment the object from its clicks now."""
        self._listening.take_paint()
        if self.problems or self.has_clicks:
            self.say("")
        else:
            self.say(MESSAGES["no clicks"])
        if not self.problems and self.has_clicks:
            self.computing.run()

    def cancel(self) -> None:
        """Stop computing, and keep the best mask so far."""
        self.computing.cancel(by_user=True)

    # objects

    def new_object(self) -> None:
        """Begin another object; the current one stays open."""
        if self.work is not None:
            self._listening.take_paint()
            self.work.session.new_object()
            self.refresh()

    def commit(self) -> int | None:
        """Write the object as the preview shows it into the objects layer, and begin the next.

        Returns
        -------
        int or None
            Its id; None if nothing was written, and `status` says why.
        """
        if self.work is None:
            return None
        self.computing.cancel()
        try:
            self.make_layers()
            with self.writing():
                label = self.work.commit(self.settings.overwrite)
        except ValueError as error:
            self.say(str(error))
            return None
        self.number()
        self.refresh()
        self.say(MESSAGES["committed"].format(label=label))
        return label

    def open_object(self, key: int) -> None:
        """Give the clicks to an object of the session again."""
        if self.work is not None and key != self.work.session.current.key:
            self._listening.take_paint()
            self.work.open(key)
            self.refresh()

    def reopen_under_cursor(self) -> None:
        """Give the clicks to the finished object under the mouse again."""
        if self.work is None or self.problems:
            return
        self._listening.take_paint()
        label = self.work.open_at(self.position, self._under_cursor())
        if label:
            self.refresh()
            self.say(MESSAGES["opened"].format(label=label))
        else:
            self.say(MESSAGES["no label here"])

    def delete(self) -> None:
        """Delete the finished object under the mouse, or else the open one."""
        if self.work is None or self.problems:
            return
        self.computing.cancel()
        self._listening.take_paint()
        try:
            with self.writing():
                label = self.work.delete_at(self.position, self._under_cursor())
        except ValueError as error:
            self.say(str(error))
            return
        self.number()
        self.refresh()
        self.say(MESSAGES["nothing to delete" if label is None else "deleted"].format(label=label))

    def delete_in_points(self) -> None:
        """Delete the selected points of the active layer; if none is, the object."""
        active = self.viewer.layers.selection.active
        if isinstance(active, Points) and active.selected_data:
            active.remove_selected()
        else:
            self.delete()

    # history

    def undo(self) -> None:
        """Take back the last click, stroke or commit."""
        self._travel("undo")

    def redo(self) -> None:
        """Do again what was undone."""
        self._travel("redo")

    def undo_in_objects(self) -> None:
        """Take back the last step of all, which may be a stroke in the objects layer."""
        strokes = self._listening.strokes
        if self.work is not None and not (strokes and strokes.undo(self.work.session)):
            self.undo()

    def redo_in_objects(self) -> None:
        """Do again what `undo_in_objects` took back."""
        strokes = self._listening.strokes
        if self.work is not None and not (strokes and strokes.redo(self.work.session)):
            self.redo()

    def _travel(self, direction: str) -> None:
        if self.work is not None:
            self.computing.cancel()
            self._listening.take_paint()
            highest = self.work.session.highest_label
            with self.writing():
                position = getattr(self.work, direction)()
            if position is not None:
                self._go_to(position)
            if self.work.session.highest_label != highest:
                self.number()
            self.refresh()

    # for programs

    def wait(self, timeout: float = 60.0) -> None:
        """Handle events until nothing runs any more.

        Parameters
        ----------
        timeout : float
            Seconds.

        Raises
        ------
        TimeoutError
            If it takes longer.
        """
        end = time.monotonic() + timeout
        while self.busy:
            if time.monotonic() > end:
                raise TimeoutError(f"still busy after {timeout:g} s")
            QApplication.processEvents()
            time.sleep(0.005)

    def close(self) -> None:
        """Let go of the viewer; layers and session stay."""
        if not self.closed:
            self.closed = True
            self.computing.cancel()
            self._listening.close()

    # for the other parts of the plugin

    def say(self, message: str) -> None:
        """Put a message in the status line; an empty one lets it speak of the object again."""
        self.message = message
        self.changed.emit()

    def refresh(self) -> None:
        """Show the session as it is now, and forget the last message."""
        self.computing.note = ""
        self.show()
        self.say("")

    def show(self) -> None:
        """Bring the layers in line with the session."""
        if self.work is not None and not self.closed:
            position = None if "image" in self.problems else self.position
            with self._listening.paused():
                self.work.show(position)

    def number(self) -> None:
        """Find the next free id; looks at every label, so not for every click."""
        if self.work is not None:
            try:
                self._free_label = self.work.free_label()
            except ValueError as error:
                self.say(str(error))

    def show_keys(self) -> None:
        """Have the dock show all keys."""
        self.keys_wanted.emit()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While the dock writes into the objects layer: that is no stroke of the user's."""
        with self._listening.paused():
            yield

    def lose_unfit(self) -> list[Layer]:
        """Let go of those of our layers that something gave another shape; return them."""
        lost = [] if self.work is None else self.work.lose_unfit()
        for layer in lost:
            self._listening.leave_layer(layer)
        return lost

    def make_layers(self) -> None:
        """Add those of our layers that are missing; ValueError if there is no memory for them."""
        assert self.work is not None
        self.lose_unfit()
        with self._listening.paused():
            made = self.work.make_layers(self.viewer, self.image)
        for layer in made:
            self._listening.watch_layer(layer)

    def to_plane(self, world: Any, positive: bool) -> Click:
        """A point of the viewer's world as a click; ValueError if no plane is on display."""
        position = self.position
        assert self.image is not None
        return to_click(self.image.world_to_data(world), position, positive)

    def _under_cursor(self) -> Click:
        return self.to_plane(self.viewer.cursor.position, True)

    def _inside(self, click: Click) -> bool:
        assert self.work is not None
        shape = self.work.session.plane_shape(self.position)
        return all(0 <= at < size for at, size in zip(click.pixel, shape, strict=True))

    def _leave_image(self) -> None:
        if self.work is not None:
            self._listening.leave_image()
            for layer in self.work.aids:
                self._visible[layer] = layer.visible
                layer.visible = False
            self._listening.take_paint()
        self.work = None
        self.computing.forget()

    def _go_to(self, position: Position) -> None:
        """Show the plane in which something changed, if the same axes are on display."""
        assert self.image is not None
        here = None if "image" in self.problems else self.position
        if here is None or [i is None for i in here] != [i is None for i in position]:
            return
        extra = self.viewer.dims.ndim - self.image.ndim
        world = self.image.data_to_world([0 if index is None else index for index in position])
        for axis, index in enumerate(position):
            if index is not None and index != here[axis]:
                self.viewer.dims.set_point(axis + extra, world[axis])


def _default_model() -> str:
    """The first model that has weights; else the first."""
    models = list_models()
    return next((m.name for m in models if m.available), models[0].name)
