"""From a click to the mask of the current object."""

from __future__ import annotations

import time
from typing import Any

from qtpy.QtCore import Qt, QTimer

from napari_brs.clicks import Click
from napari_brs.plugin.context import Context
from napari_brs.plugin.engine import Done, Job, SegmentJob
from napari_brs.plugin.events import Events
from napari_brs.plugin.features import Features
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.released import Released
from napari_brs.plugin.text import MESSAGES


class Clicking:
    """Adds clicks, however they are made, and has them segmented."""

    def __init__(self, context: Context, jobs: Jobs, events: Events, features: Features) -> None:
        self._context = context
        self._jobs = jobs
        self._features = features
        self._ctrl = Released(Qt.Key.Key_Control, self._segment_collected)
        events.clicked.connect(self.click_at)
        events.points_changed.connect(self._on_points)
        events.preview_painted.connect(self._on_paint)
        jobs.advanced.connect(self._on_advanced)
        jobs.done.connect(self._on_done)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._ctrl.stop()

    def add_click(self, row: float, column: float, positive: bool = True) -> bool:
        """Add a click in the plane on display; as `Controller.add_click`."""
        return self.add_clicks((Click(row, column, positive),))

    def add_clicks(self, clicks: tuple[Click, ...], more: bool = False) -> bool:
        """Add clicks in the plane on display, in one step of undo.

        If more are to come, nothing is computed before Ctrl is let go of.

        Returns
        -------
        bool
            Whether they were added; the status line says why not.
        """
        context = self._context
        try:
            position = context.position
            assert context.work is not None
            session = context.work.session
            shape = session.plane_shape(position)
            for click in clicks:
                if not all(0 <= at < size for at, size in zip(click.pixel, shape, strict=True)):
                    raise ValueError(MESSAGES["outside"])
            context.make_layers()
            context.take_paint()
            with session.one_step():
                if context.state.whole_image and session.current.empty:
                    # The first click on an object that the model found repairs it.
                    context.work.open_at(position, clicks[0])
                every = (*session.current.plane(position).clicks, *clicks)
                session.set_clicks(position, every, context.size_hint(clicks[0]))
        except ValueError as error:
            context.say(str(error))
            return False
        if more:
            self._jobs.cancel()  # it would be outdated at once
            self._ctrl.wait()
            context.refresh(MESSAGES["collecting"])
        else:
            self.segment_changed()
        return True

    def click_at(self, world: Any, other_sign: bool, more: bool = False) -> None:
        """Add a click at a point of the viewer's world, of the sign in use or the other."""
        try:
            click = self._context.to_plane(world, self._context.settings.positive != other_sign)
        except ValueError as error:
            self._context.say(str(error))
        else:
            self.add_clicks((click,), more)

    def clear(self) -> None:
        """Remove all clicks and masks of the current object."""
        context = self._context
        if context.work is not None:
            self._jobs.cancel()
            context.take_paint()
            context.work.session.clear()
            context.refresh()

    def segment(self) -> None:
        """Segment the clicks on display, or say that there are none."""
        context = self._context
        context.take_paint()
        state = context.state
        context.say("" if state.problems or state.has_clicks else MESSAGES["no clicks"])
        if context.state.can_segment:
            self.run()

    def run(self) -> None:
        """Segment the clicks on display; what runs already gives way.

        Once more means from the same start, so that equal settings give equal masks.
        """
        context, settings = self._context, self._context.settings
        assert context.work is not None
        work, position = context.work, context.position
        session = work.session
        plane = session.current.plane(position)
        if plane.edited is not None:
            plane = session.set_clicks(position, plane.clicks)
        image = context.image_plane()
        session.model, session.threshold = settings.model, settings.threshold
        session.refine = settings.refine
        session.contrast_limits = image.contrast_limits
        if plane.clicks:
            self._features.note(image, plane.clicks[0], plane.size_hint)
        self._jobs.submit(
            SegmentJob(
                model=settings.model,
                device=settings.device,
                image=image,
                trust=settings.model in context.offer.files,
                plane=plane,
                predictions=work.predictions,
                refine=settings.refine,
                threshold=settings.threshold,
            )
        )

    def segment_changed(self) -> None:
        """Show changed clicks, and segment if *Run on click* is on."""
        self._ctrl.stop()
        self._context.refresh()
        if self._context.settings.run_on_click and self._context.state.can_segment:
            self.run()

    def _segment_collected(self) -> None:
        """Segment what was collected, unless undo went back to what is known."""
        context = self._context
        if context.work is None or context.state.position is None:
            return
        plane = context.work.session.current.plane(context.position)
        if context.work.predictions.complete(plane, context.settings.model):
            context.refresh()
        else:
            self.segment_changed()

    def _on_points(self) -> None:
        context = self._context
        if context.work is None:
            return
        try:
            changed = context.work.read_points(context.position, context.size_hint)
        except ValueError as error:
            context.say(str(error))
            # Later: napari still holds on to the point that cannot stay.
            QTimer.singleShot(0, context.show)
            return
        if changed:
            self.segment_changed()

    def _on_paint(self) -> None:
        if self._context.state.position is not None:
            self._context.note_paint()
            QTimer.singleShot(0, self._context.take_paint)

    def _on_advanced(self, job: Job, progress: Any) -> None:
        if isinstance(job, SegmentJob) and progress.prediction is not None:
            job.predictions.put(job.plane, job.model, progress.prediction)
            self._context.show()

    def _on_done(self, job: Job, done: Done) -> None:
        self._context.note = MESSAGES["cancelled"] if job.by_user else ""
        if isinstance(job, SegmentJob):
            waited = time.perf_counter() - job.asked
            job.predictions.put(job.plane, job.model, done.prediction, waited)
            self._context.show()
