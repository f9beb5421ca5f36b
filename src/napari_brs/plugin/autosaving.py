"""Saving by itself: every change in the viewer is on the disk a moment later.

Each workspace has a file of its own. Nothing on the main thread waits for the disk.
"""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import QTimer

from napari_brs.io.session_places import Place
from napari_brs.plugin.background import OnMain
from napari_brs.plugin.context import Context
from napari_brs.plugin.engine import Done, Job, SegmentJob
from napari_brs.plugin.events import Events
from napari_brs.plugin.following import Following
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.layers.workspace import Workspace
from napari_brs.plugin.saved_work import SavedWork


class Autosaving:
    """Has all that is done in a viewer saved, from the first change on an image."""

    def __init__(self, context: Context, jobs: Jobs, events: Events, following: Following) -> None:
        self._context = context
        self._saved: dict[Workspace, SavedWork] = {}
        self._waiting = False
        self._on_main = OnMain()
        context.image_chosen.connect(self._on_chosen)
        context.changed.connect(lambda _: self._on_changed())
        context.layer_added.connect(self._on_layer_added)
        jobs.done.connect(self._on_done)
        following.noted.connect(self._on_tracks)
        events.objects_written.connect(self._on_written)
        events.labels_changed.connect(self._on_labels)
        events.layer_removed.connect(self._on_removed)

    @property
    def now(self) -> SavedWork | None:
        """That of the image that is worked on."""
        work = self._context.work
        return None if work is None else self._saved.get(work)

    @property
    def problem(self) -> str:
        """Why the work on display cannot be saved; empty if it can."""
        return "" if self.now is None else self.now.problem

    def leave(self, work: Workspace) -> None:
        """Know that a work is about to become another one; what was saved of it stays."""
        self._saved[work].leave()

    def go_on(self, work: Workspace, place: Place | None) -> None:
        """Save all of what a work is now in a place, or in a new one."""
        self._saved[work].go_on(place)

    def close(self) -> None:
        """Save what is left, and give the places back."""
        for saved in self._saved.values():
            saved.close(10)
        self._saved.clear()

    def _on_chosen(self, image: Image) -> None:
        work = self._context.work
        if work is not None and work not in self._saved:
            self._saved[work] = SavedWork(
                work, image, lambda: self._context.settings, self._later, self._tell
            )

    def _on_changed(self) -> None:
        if self.now is not None:
            self.now.note_settings()

    def _on_done(self, job: Job, done: Done) -> None:
        if isinstance(job, SegmentJob) and done.prediction is not None:
            for saved in self._saved.values():
                if saved.work.predictions is job.predictions:
                    saved.note_prediction(job.plane, job.model, done.prediction.packed)

    def _on_tracks(self, axis: int, frame: int) -> None:
        if self.now is not None:
            self.now.note_tracks(axis, frame)

    def _on_written(self, layer: Layer, box: Any) -> None:
        for saved in self._saved.values():
            if saved.work.objects is layer:
                saved.note_labels(box)

    def _on_layer_added(self, layer: Layer, kind: str) -> None:
        if kind == "objects" and self.now is not None:
            self.now.note_layer()

    def _on_labels(self) -> None:
        """Other labels are there as a whole."""
        if self.now is not None and self.now.saver is not None:
            self.now.note_all()

    def _on_removed(self, layer: Layer) -> None:
        for work, saved in list(self._saved.items()):
            if saved.image is layer:
                # Without waiting for it: the program does so at its end.
                self._saved.pop(work).close(0)

    def _later(self) -> None:
        """Hand over once the present event is over: what belongs together stays together."""
        if not self._waiting:
            self._waiting = True
            QTimer.singleShot(0, self._hand_over)

    def _hand_over(self) -> None:
        self._waiting = False
        for saved in self._saved.values():
            saved.hand_over()

    def _tell(self, saved: SavedWork, problem: str) -> None:
        """In a saver's thread."""
        self._on_main(lambda: self._on_problem(saved, problem))

    def _on_problem(self, saved: SavedWork, problem: str) -> None:
        saved.problem = problem
        if saved.saver is not None and saved.saver.wants_snapshot:
            saved.note_all()
        self._context.update()
