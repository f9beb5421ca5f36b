"""Objects followed through the frames of a film or the planes of a stack.

What is found is written into the objects layer frame by frame, each object under its own id,
and all frames of a run are one step of undo.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_brs.masks import Mask
from napari_brs.plugin.context import Context
from napari_brs.plugin.engine import Done, Job, Stepped
from napari_brs.plugin.follow_job import FollowJob, LayerFrames, at
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.layers.objects import masks_in
from napari_brs.plugin.state import DockState
from napari_brs.plugin.text import MESSAGES
from napari_brs.plugin.tracks import Run, Tracks
from napari_brs.plugin.views import show_plane

if TYPE_CHECKING:
    from napari_brs.propagation.propagate import Step


class Following:
    """Has objects followed, writes what is found, and knows which frames are doubtful."""

    noted = Signal(int, int)
    """(axis, frame): more is known of objects there."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs
        self._job: FollowJob | None = None
        self._began = 0.0
        self._frames = 0
        jobs.stepped.connect(self._on_stepped)
        jobs.done.connect(self._on_done)

    def along(self, state: DockState) -> Tracks | None:
        """The tracks along the axis that objects are followed along; None if it has one plane.

        It is the axis whose slider was used last, or the first that has planes.
        """
        work, image, position = self._context.work, self._context.image, state.position
        if work is None or image is None or position is None:
            return None
        shape, dims = work.session.shape, self._context.viewer.dims
        axes = [axis for axis, i in enumerate(position) if i is not None and shape[axis] > 1]
        if not axes:
            return None
        used = dims.last_used - (dims.ndim - image.ndim)
        return work.tracks[used if used in axes else axes[0]]

    def forward(self) -> None:
        """Follow the objects on display to the end."""
        self._follow((1,))

    def backward(self) -> None:
        """Follow the objects on display to the beginning."""
        self._follow((-1,))

    def both(self) -> None:
        """Follow the objects on display to both ends."""
        self._follow((1, -1))

    def next_doubtful(self) -> None:
        """Show the next frame with an object in doubt, and say which."""
        tracks = self.along(self._context.state)
        frame = (
            None
            if tracks is None
            else tracks.next_doubtful(tracks.frame_of(self._context.position))
        )
        if tracks is None or frame is None:
            self._context.say(MESSAGES["nothing doubtful"])
            return
        self.show(frame)
        labels = ", ".join(str(label) for label in tracks.doubtful(frame))
        self._context.say(MESSAGES["doubtful"].format(frame=frame, labels=labels))

    def show(self, frame: int) -> None:
        """Show a frame."""
        tracks = self.along(self._context.state)
        if tracks is not None:
            show_plane(self._context, at(self._context.position, tracks.axis, frame))

    def committed(self, label: int | None) -> None:
        """Know that a person made or corrected an object in the plane on display.

        If it was followed there, it is followed anew from here to its next keyframe on
        each side.
        """
        tracks = self.along(self._context.state)
        if label is None or tracks is None:
            return
        frame = tracks.frame_of(self._context.position)
        if tracks.was_followed(label, frame):
            tracks.set_keyframe(label, frame)
            self.noted.emit(tracks.axis, frame)
            self._submit(tracks, [label], frame, (1, -1))

    def _follow(self, steps: tuple[int, ...]) -> None:
        context = self._context
        tracks = self.along(context.state)
        if context.work is None or context.state.problems:
            return
        if tracks is None:
            context.say(MESSAGES["no frames"])
            return
        context.take_paint()
        if context.state.has_mask and not self._commit():
            return
        frame = tracks.frame_of(self._context.position)
        labels = list(self._masks(tracks, None, frame))
        if not labels:
            context.say(MESSAGES["nothing to follow"])
            return
        for label in labels:
            tracks.set_keyframe(label, frame)
        self.noted.emit(tracks.axis, frame)
        self._submit(tracks, labels, frame, steps)

    def _commit(self) -> bool:
        """Finish the open object first, so that it is followed with the others."""
        context = self._context
        assert context.work is not None
        try:
            context.make_layers()
            with context.writing():
                context.work.commit(context.settings.overwrite)
        except ValueError as error:
            context.say(str(error))
            return False
        context.number()
        return True

    def _submit(
        self, tracks: Tracks, labels: list[int], frame: int, steps: tuple[int, ...]
    ) -> None:
        def masks(labels: Iterable[int], frame: int) -> Mapping[int, Mask]:
            return self._masks(tracks, list(labels), frame)

        context, image = self._context, self._context.image
        runs: list[Run] = [run for step in steps for run in tracks.runs(labels, frame, step, masks)]
        assert image is not None
        if not runs:
            context.refresh()
            return
        self._jobs.cancel()
        self._began, self._frames = time.monotonic(), 0
        self._job = FollowJob(
            model=context.settings.model,
            device=context.settings.device,
            image=context.image_plane(),
            trust=context.settings.model in context.offer.files,
            frames=LayerFrames(image, context.position, tracks.axis),
            runs=tuple(runs),
            position=context.position,
            axis=tracks.axis,
            threshold=context.settings.threshold,
        )
        self._jobs.submit(self._job)
        context.refresh(MESSAGES["following"])

    def _on_stepped(self, job: Job, news: Stepped) -> None:
        context = self._context
        tracks = self.along(context.state)
        if job is not self._job or not isinstance(job, FollowJob) or not context.has(job.image):
            return
        if context.work is None or tracks is None or tracks.axis != job.axis:
            return
        step: Step = news.step
        try:
            context.make_layers()
            with context.writing():
                context.work.write_frame(
                    at(job.position, job.axis, step.frame),
                    {label: found.mask for label, found in step.objects.items()},
                    same_step=self._frames > 0,
                )
        except ValueError as error:
            self._jobs.cancel()
            context.say(str(error))
            return
        tracks.note(step.frame, step.confidence)
        self.noted.emit(tracks.axis, step.frame)
        self._frames += 1
        rate = self._frames / max(1e-3, time.monotonic() - self._began)
        context.say(MESSAGES["followed"].format(frame=step.frame, rate=rate))

    def _on_done(self, job: Job, done: Done) -> None:
        tracks = self.along(self._context.state)
        if job is not self._job or tracks is None:
            return
        self._job = None
        doubtful = sum(bool(tracks.doubtful(frame)) for frame in range(tracks.count))
        name = "followed in doubt" if doubtful else "followed all"
        self._context.say(MESSAGES[name].format(count=self._frames, doubtful=doubtful))

    def _masks(self, tracks: Tracks, labels: list[int] | None, frame: int) -> dict[int, Mask]:
        """What objects have in a frame, by id; of all objects for no labels."""
        context = self._context
        if context.work is None or context.work.objects is None:
            return {}
        return masks_in(context.work.objects, at(context.position, tracks.axis, frame), labels)
