"""Networks that segment whole images, in the dock: their objects, and the files they come in.

Such a network shows all its objects in the objects layer at once, where no labels are yet.
That is one step of undo, and writes on no pixel that has a label. The first click on an
object reopens it, so that clicks repair it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_brs.clicks import Click
from napari_brs.converted.files import is_own_model
from napari_brs.models import list_models
from napari_brs.plugin.text import MESSAGES
from napari_brs.session import Position

if TYPE_CHECKING:
    from napari_brs.plugin.controller import Controller
    from napari_brs.plugin.worker import Job
    from napari_brs.plugin.workspace import Workspace


class Converted:
    """What the controller does with networks that segment whole images.

    Attributes
    ----------
    files : list of str
        Networks of the user's own that were opened and are trusted, by path.
    """

    def __init__(self, controller: Controller) -> None:
        self.files: list[str] = []
        self._controller = controller
        self._seen: WeakKeyDictionary[Workspace, set[tuple[Any, ...]]] = WeakKeyDictionary()
        self._wanted = False

    @property
    def in_use(self) -> bool:
        """Whether the chosen model segments whole images."""
        chosen = self._controller.settings.model
        return is_own_model(chosen) or any(
            info.name == chosen and info.kind == "converted" for info in list_models()
        )

    def open_file(self, path: str | Path) -> None:
        """Use a network from a file, which may run its code; ask the user before."""
        name = str(path)
        if name not in self.files:
            self.files.append(name)
        self._controller.set(model=name)

    def forget_file(self, name: str) -> None:
        """Trust a file no more, because it could not be used."""
        if name in self.files:
            self.files.remove(name)

    def segment_image(self) -> None:
        """Show the objects of the plane on display again, beside those that are there."""
        if self.in_use and not self._controller.problems:
            self._wanted = True
            self._controller.computing.look(again=True)

    def take(self, job: Job, instances: NDArray[np.integer]) -> None:
        """Show what a job found in its plane, unless there are labels already.

        Parameters
        ----------
        job : Job
        instances : (H, W) int
            0 background, 1..n objects.
        """
        controller = self._controller
        work = controller.work
        if work is None or not controller.computing.is_of_image(job):
            return
        _, content, position, _ = job.image.key
        seen = self._seen.setdefault(work, set())
        key = (job.model, content, position)
        if (key in seen and not self._wanted) or job.model != controller.settings.model:
            return
        seen.add(key)
        wanted, self._wanted = self._wanted, False
        try:
            controller.make_layers()
            with controller.writing():
                count = work.show_instances(position, instances, only_on_empty=not wanted)
        except ValueError as error:
            controller.say(str(error))
            return
        controller.number()
        controller.refresh()
        if count is None:
            controller.say(MESSAGES["labels there"])
        else:
            controller.say(MESSAGES["found"].format(count=count))

    def before_click(self, position: Position, click: Click) -> None:
        """Reopen the object that the first click hits, so that the click repairs it."""
        work = self._controller.work
        if work is not None and self.in_use and work.session.current.empty:
            work.open_at(position, click)
