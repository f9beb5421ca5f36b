"""What the dock can do: joins the parts that work on one viewer, and is their front.

For programs that drive the dock (the demo, tests)::

    _, dock = viewer.window.add_plugin_dock_widget("napari-brs", "BRS segmentation")
    controller = dock.controller
    controller.set_image_layer(viewer.layers["phase contrast"])
    controller.add_click(row, column, positive=True)     # pixels of the displayed plane
    controller.wait(60)                                  # seconds; until nothing runs
    label = controller.commit()                          # id in the objects layer, or None
    controller.objects_layer, controller.preview_layer   # napari Labels, or None
    controller.foreground_layer, controller.background_layer   # napari Points, or None
    controller.state.status                              # the line at the bottom
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels, Layer, Points
from napari.utils.notifications import notification_manager
from psygnal import Signal
from qtpy.QtWidgets import QApplication

from napari_brs.masks import Box
from napari_brs.plugin.autosaving import Autosaving
from napari_brs.plugin.clicking import Clicking
from napari_brs.plugin.committing import Committing
from napari_brs.plugin.completing import Completing
from napari_brs.plugin.context import Context
from napari_brs.plugin.drawing import Drawing
from napari_brs.plugin.engine import Failed, Job
from napari_brs.plugin.events import Events
from napari_brs.plugin.features import Features
from napari_brs.plugin.following import Following
from napari_brs.plugin.history import History
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.keys import Release, bind_keys
from napari_brs.plugin.layer_changes import LayerChanges
from napari_brs.plugin.looking import Looking
from napari_brs.plugin.napari_edge import plain
from napari_brs.plugin.resolve import resolve
from napari_brs.plugin.resuming import Resuming
from napari_brs.plugin.session_files import SessionFiles
from napari_brs.plugin.state import DockState, Settings
from napari_brs.plugin.text import MESSAGES
from napari_brs.plugin.whole_images import WholeImages
from napari_brs.session import Session

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Controller:
    """Everything the dock does, without the dock.

    Each capability is a part of its own, made from the context, the jobs and the events:
    it listens to their signals, changes the context and has it resolved again.

    Parameters
    ----------
    viewer : napari viewer
        Its layers, dims, keys and mouse are listened to until `close`.

    Attributes
    ----------
    actions : mapping
        Name of a key's or button's action -> what it does.
    """

    changed = Signal(object)
    """(DockState) Something that the dock shows may be different now."""

    keys_wanted = Signal()
    """The user wants to see all keys."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.context = context = Context(viewer)
        self.jobs = jobs = Jobs()
        self.events = events = Events(context)
        self.features = Features(context, jobs, events)
        self.clicking = Clicking(context, jobs, events, self.features)
        self.drawing = Drawing(context, events, self.clicking)
        self.committing = Committing(context, jobs)
        self.completing = Completing(context, jobs)
        self.following = Following(context, jobs)
        self.looking = Looking(context, self.completing)
        self.history = History(context, jobs, events)
        self.whole_images = WholeImages(context, jobs, self.features)
        self.layer_changes = LayerChanges(context, jobs, events, self.features)
        self.autosaving = Autosaving(context, jobs, events, self.following)
        self.resuming = Resuming(context, jobs, self.autosaving)
        self.session_files = SessionFiles(
            context, self.autosaving, self.resuming, self.set_image_layer
        )
        self.actions: dict[str, Callable[[], Any]] = {
            "toggle_sign": self.toggle_sign,
            "segment": self.segment,
            "segment_image": self.segment_image,
            "cancel": self.cancel,
            "clear": self.clear,
            "new_object": self.new_object,
            "commit": self.commit,
            "reopen_under_cursor": self.reopen_under_cursor,
            "delete": self.delete,
            "delete_in_points": self.committing.delete_in_points,
            "find_rest": self.completing.find_rest,
            "accept_all": self.completing.accept_all,
            "accept": self.completing.accept,
            "reject": self.completing.reject,
            "discard": self.completing.discard,
            "follow_forward": self.following.forward,
            "follow_backward": self.following.backward,
            "follow_both": self.following.both,
            "next_doubtful": self.following.next_doubtful,
            "where_next": self.looking.where_next,
            "undo": self.undo,
            "redo": self.redo,
            "undo_in_objects": self.history.undo_in_objects,
            "redo_in_objects": self.history.redo_in_objects,
            "resume": self.resuming.resume,
            "show_keys": self.keys_wanted.emit,
        }
        self._releases: dict[Layer | None, Release] = {
            None: bind_keys(viewer, self.actions, "viewer")
        }
        self._model_before: str | None = None
        context.resolve = partial(
            resolve, context, jobs, self.completing, self.following, self.session_files
        )
        context.changed.connect(self.changed.emit)
        context.layer_added.connect(self._on_layer_added)
        context.layer_left.connect(self._on_layer_left)
        jobs.changed.connect(context.update)
        jobs.failed.connect(self._on_failed)
        events.plane_changed.connect(context.refresh)
        events.layer_active.connect(self._on_layer_active)
        context.update()

    # what there is

    @property
    def viewer(self) -> ViewerModel:
        return self.context.viewer

    @property
    def state(self) -> DockState:
        """What the dock shows."""
        return self.context.state

    @property
    def settings(self) -> Settings:
        """To be changed with `set`."""
        return self.context.settings

    @property
    def image(self) -> Image | None:
        """The image that is worked on, to be changed with `set_image_layer`."""
        return self.context.image

    @property
    def session(self) -> Session | None:
        """Objects and clicks of the chosen image."""
        return None if self.context.work is None else self.context.work.session

    @property
    def closed(self) -> bool:
        return self.context.closed

    @property
    def foreground_layer(self) -> Points | None:
        return None if self.context.work is None else self.context.work.foreground

    @property
    def background_layer(self) -> Points | None:
        return None if self.context.work is None else self.context.work.background

    @property
    def preview_layer(self) -> Labels | None:
        preview = None if self.context.work is None else self.context.work.preview
        return None if preview is None else preview.layer

    @property
    def objects_layer(self) -> Labels | None:
        return None if self.context.work is None else self.context.work.objects

    # image, layers, settings

    def set_image_layer(self, image: Any, look: bool = True) -> None:
        """Choose the image to work on, or None; its clicks and objects come back.

        Parameters
        ----------
        image : Image layer or None
        look : bool
            Whether to compute its features now, in the background.
        """
        if plain(image) is not self.context.image:
            self.context.choose(image)
            if look:
                self.features.look()

    def set_objects_layer(self, layer: Any) -> None:
        """Choose the labels layer that objects are written to; as `Context.set_objects_layer`."""
        self.context.set_objects_layer(layer)

    def set(self, **values: Any) -> None:
        """Change settings, as the dock's controls do; the names are those of `Settings`."""
        context, before = self.context, self.settings
        context.settings = replace(before, **values)
        if context.settings.model != before.model:
            self._model_before = before.model
        if context.work is not None:
            context.work.model = context.settings.model
        context.refresh()
        if context.state.problems or not {"model", "device", "threshold"} & set(values):
            return
        assert context.work is not None
        plane = context.work.session.current.plane(context.position)
        known = context.work.predictions.complete(plane, context.settings.model)
        again = "threshold" in values or not known
        if plane.prompted and context.settings.run_on_click and again:
            self.clicking.run()
        else:
            self.features.look()

    def open_model(self, path: str | Path) -> None:
        """Use a network from a file, which may run its code; ask the user before."""
        self.context.offer.trust(str(path))
        self.set(model=str(path))

    def offer_all_methods(self) -> None:
        """Offer the models for comparison, too."""
        self.context.offer.all_methods = True
        self.context.update()

    # clicks, objects and history

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
            False if it was not added; the status says why.
        """
        return self.clicking.add_click(row, column, positive)

    def add_box(self, box: Box) -> bool:
        """Put a box around the object in the plane on display, and segment as for a click.

        Returns
        -------
        bool
            False if it was not added; the status says why.
        """
        return self.drawing.add_box(box)

    def toggle_sign(self) -> None:
        """Let clicks add background instead of foreground, or the other way round."""
        self.set(positive=not self.settings.positive)

    def segment(self) -> None:
        """Segment the object from its clicks now."""
        self.clicking.segment()

    def segment_image(self) -> None:
        """Let the model find all objects of the plane on display again."""
        self.whole_images.segment_image()

    def cancel(self) -> None:
        """Stop computing, and keep the best mask so far."""
        self.jobs.cancel(by_user=True)

    def clear(self) -> None:
        """Remove all clicks and masks of the current object."""
        self.clicking.clear()

    def new_object(self) -> None:
        """Begin another object; the current one stays open."""
        self.committing.new_object()

    def commit(self) -> int | None:
        """Write the object as the preview shows it into the objects layer, and begin the next.

        Returns
        -------
        int or None
            Its id; None if nothing was written, and the status says why.
        """
        label = self.committing.commit()
        self.following.committed(label)
        return label

    def open_object(self, key: int) -> None:
        """Give the clicks to an object of the session again."""
        self.committing.open_object(key)

    def reopen_under_cursor(self) -> None:
        """Give the clicks to the finished object under the mouse again."""
        self.committing.reopen_under_cursor()

    def delete(self) -> None:
        """Delete the finished object under the mouse, or else the open one."""
        self.committing.delete()

    def undo(self) -> None:
        """Take back the last click, stroke or commit."""
        self.history.undo()

    def redo(self) -> None:
        """Do again what was undone."""
        self.history.redo()

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
        while self.jobs.busy or self.resuming.busy or self.session_files.busy:
            if time.monotonic() > end:
                raise TimeoutError(f"still busy after {timeout:g} s")
            QApplication.processEvents()
            time.sleep(0.005)

    def close(self) -> None:
        """Let go of the viewer; layers and session stay, and are on the disk."""
        if not self.closed:
            self.context.take_paint()
            self.context.closed = True
            self.jobs.close()
            self.clicking.close()
            self.features.close()
            self.events.close()
            self.autosaving.close()
            for release in self._releases.values():
                release()

    # what the parts leave to it

    def _on_layer_added(self, layer: Layer, kind: str) -> None:
        if layer not in self._releases:
            self._releases[layer] = bind_keys(layer, self.actions, kind)

    def _on_layer_left(self, layer: Layer) -> None:
        if layer in self._releases:
            self._releases.pop(layer)()

    def _on_layer_active(self, layer: Layer) -> None:
        work = self.context.work
        if work is not None and layer in (work.foreground, work.background):
            self.set(positive=layer == work.foreground)

    def _on_failed(self, job: Job, failed: Failed) -> None:
        error = failed.error
        self.context.message = reason = str(error) or type(error).__name__
        if failed.control == "device":
            self.context.offer.bad_devices[job.device] = reason
        elif failed.control == "model":
            self._give_up_model(job.model, reason)
        if not failed.expected:
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _give_up_model(self, name: str, reason: str) -> None:
        """Go back to the model before, because one cannot be used."""
        before, self._model_before = self._model_before, None
        if self.settings.model != name or before is None:
            return
        self.context.offer.forget(name)
        self.set(model=before)
        self._model_before = None
        message = MESSAGES["model failed"]
        names = {"name": Path(name).name, "before": Path(before).name}
        self.context.say(message.format(reason=reason, **names))
