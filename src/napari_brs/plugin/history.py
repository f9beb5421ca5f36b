"""Undo and redo: of the session, and of strokes in the objects layer among its steps."""

from __future__ import annotations

from napari.layers import Labels, Layer

from napari_brs.plugin.context import Context
from napari_brs.plugin.events import Events
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.layers.strokes import Strokes
from napari_brs.plugin.views import show_plane


class History:
    """Goes back and forward, and shows the plane in which something changed."""

    def __init__(self, context: Context, jobs: Jobs, events: Events) -> None:
        self._context = context
        self._jobs = jobs
        self._events = events
        self._strokes: dict[Layer, Strokes] = {}
        context.layer_left.connect(self._on_left)
        events.objects_painted.connect(self._on_stroke)

    def undo(self) -> None:
        """Take back the last click, stroke or commit."""
        self._travel(forward=False)

    def redo(self) -> None:
        """Do again what was undone."""
        self._travel(forward=True)

    def undo_in_objects(self) -> None:
        """Take back the last step of all, which may be a stroke in the objects layer."""
        work, strokes = self._context.work, self._strokes_now()
        if work is not None and strokes and strokes.undo(work.session):
            self._events.objects_written.emit(work.objects, None)
        else:
            self.undo()

    def redo_in_objects(self) -> None:
        """Do again what `undo_in_objects` took back."""
        work, strokes = self._context.work, self._strokes_now()
        if work is not None and strokes and strokes.redo(work.session):
            self._events.objects_written.emit(work.objects, None)
        else:
            self.redo()

    def _travel(self, forward: bool) -> None:
        context = self._context
        if context.work is None:
            return
        self._jobs.cancel()
        context.take_paint()
        highest = context.work.session.highest_label
        with context.writing():
            position = context.work.redo() if forward else context.work.undo()
        if position is not None:
            show_plane(context, position)
        if context.work.session.highest_label != highest:
            context.number()
        context.refresh()

    def _strokes_now(self) -> Strokes | None:
        """Those in the objects layer."""
        work = self._context.work
        return None if work is None or work.objects is None else self._strokes.get(work.objects)

    def _on_stroke(self, by_user: bool) -> None:
        work = self._context.work
        if work is None or work.objects is None:
            return
        strokes = self._strokes.setdefault(work.objects, Strokes(work.objects))
        if by_user:
            strokes.note(work.session)
        else:
            # What the dock wrote is the last thing that napari's undo would take back.
            strokes.bury()

    def _on_left(self, layer: Layer) -> None:
        if isinstance(layer, Labels):
            self._strokes.pop(layer, None)
