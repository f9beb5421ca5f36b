"""Networks that segment whole images: their objects, shown without a click.

Such a network shows all its objects in the objects layer at once, where no labels are yet.
That is one step of undo, and writes on no pixel that has a label. The first click on an
object reopens it, so that clicks repair it (`Clicking`).
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from napari_brs.plugin.context import Context
from napari_brs.plugin.engine import Done, Job
from napari_brs.plugin.features import Features
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.layers.workspace import Workspace
from napari_brs.plugin.text import MESSAGES


class WholeImages:
    """Writes what a model finds by itself into the objects layer, once for each plane."""

    def __init__(self, context: Context, jobs: Jobs, features: Features) -> None:
        self._context = context
        self._features = features
        self._seen: WeakKeyDictionary[Workspace, set[tuple[Any, ...]]] = WeakKeyDictionary()
        self._wanted = False
        jobs.done.connect(self._on_done)

    def segment_image(self) -> None:
        """Show the objects of the plane on display again, beside those that are there."""
        state = self._context.state
        if state.whole_image and not state.problems:
            self._wanted = True
            self._features.look(again=True)

    def _on_done(self, job: Job, done: Done) -> None:
        """Show what a job found in its plane, unless there are labels already."""
        instances = done.instances
        if instances is None:
            return
        context = self._context
        work = context.work
        if work is None or not context.has(job.image):
            return
        _, content, position, _ = job.image.key
        seen = self._seen.setdefault(work, set())
        key = (job.model, content, position)
        if (key in seen and not self._wanted) or job.model != context.settings.model:
            return
        seen.add(key)
        wanted, self._wanted = self._wanted, False
        try:
            context.make_layers()
            with context.writing():
                count = work.show_instances(position, instances, only_on_empty=not wanted)
        except ValueError as error:
            context.say(str(error))
            return
        context.number()
        found = MESSAGES["found"].format(count=count)
        context.refresh(MESSAGES["labels there"] if count is None else found)
