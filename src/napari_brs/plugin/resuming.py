"""Earlier work on an image: offered when the image is chosen, and taken up again.

Files are read in another thread. One that cannot be read, or is open elsewhere, is told of in
one line and left alone.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
from napari.layers import Image, Labels

from napari_brs.io import session_places
from napari_brs.io.saver import finish_closing
from napari_brs.io.session_journal import Restored, restore
from napari_brs.io.session_models import ImagePart
from napari_brs.io.session_places import Found, Place
from napari_brs.plugin.autosaving import Autosaving
from napari_brs.plugin.background import Background
from napari_brs.plugin.context import Context
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.layers.objects import make_objects
from napari_brs.plugin.layers.workspace import Workspace
from napari_brs.plugin.saved_work import read_written
from napari_brs.plugin.state import Settings
from napari_brs.plugin.text import MESSAGES, describe_session, describe_shape


@dataclass(frozen=True)
class Offered:
    """Earlier work that can be taken up.

    Attributes
    ----------
    path : Path
    words : str
        How much it is, and how old.
    """

    path: Path
    words: str


@dataclass(frozen=True)
class _Read:
    """What was read of a session, the layer for its labels, and where it is saved on."""

    restored: Restored
    layer: Labels
    place: Place | None


class Resuming:
    """Looks for earlier work on the chosen image, and takes it up when the user wants that."""

    def __init__(self, context: Context, jobs: Jobs, autosaving: Autosaving) -> None:
        self._context = context
        self._jobs = jobs
        self._autosaving = autosaving
        self._offers: WeakKeyDictionary[Workspace, Offered] = WeakKeyDictionary()
        self._seen: WeakSet[Workspace] = WeakSet()
        self._loaded: WeakSet[Workspace] = WeakSet()
        self._background = Background(context)
        context.image_chosen.connect(self._on_chosen)

    @property
    def busy(self) -> bool:
        """Whether a session is being looked for, or read."""
        return self._background.busy

    @property
    def offered(self) -> Offered | None:
        """What can be taken up on the image that is worked on."""
        work = self._context.work
        return None if work is None else self._offers.get(work)

    def resume(self) -> None:
        """Take up the work that is offered."""
        if self.offered is not None:
            self.load(self.offered.path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take up the work of a session file on the image that is chosen.

        What was done on the image until now stays in its own file. So does the session, if it
        is of another image.
        """
        context, saved = self._context, self._autosaving.now
        if context.work is None or context.image is None or saved is None:
            context.say(MESSAGES["no image"])
            return
        work, image = context.work, context.image
        self._jobs.cancel()
        context.take_paint()
        context.say(MESSAGES["resuming"])
        there = work.objects
        other = make_objects(image)

        def read() -> _Read:
            return _read(Path(path), saved.identity(), there, other)

        self._background.start(read, partial(self._apply, work))

    def _on_chosen(self, image: Image) -> None:
        saved, work = self._autosaving.now, self._context.work
        if work is None or saved is None or work in self._seen or work.used:
            return
        self._seen.add(work)
        self._background.start(lambda: _look(saved.identity()), partial(self._offer, work))

    def _offer(self, work: Workspace, found: tuple[Offered | None, str]) -> None:
        offered, problem = found
        if work in self._loaded:
            return
        if offered is not None:
            self._offers[work] = offered
            problem = problem or MESSAGES["earlier work"].format(words=offered.words)
        if work is self._context.work:
            self._context.say(problem or self._context.message)

    def _apply(self, work: Workspace, read: _Read) -> None:
        context, restored, place = self._context, read.restored, read.place
        if work is not context.work or context.closed:
            if place is not None:
                place.lock.release()
            return
        self._autosaving.leave(work)
        with context.writing():
            self._put_labels(work, read)
        context.settings = restored_settings(context.settings, restored.settings)
        if context.offer.problems(context.settings.model, context.settings.device):
            kept = self._context.state.settings
            context.settings = replace(context.settings, model=kept.model, device=kept.device)
        work.model = context.settings.model
        self._restore_session(work, restored)
        for plane, by_model in restored.made.items():
            for model, mask in by_model.items():
                work.predictions.put(plane, model, mask)
        session = work.session
        session.resume(restored.past, restored.state, restored.future)
        work.tracks.clear()
        for axis, tracks in restored.tracks.items():
            work.tracks[axis].put(tracks)
        self._autosaving.go_on(work, place)
        self._offers.pop(work, None)
        self._loaded.add(work)
        context.number()
        words = describe_session(restored.objects, restored.clicks)
        context.refresh(MESSAGES["resumed"].format(words=words))

    def _put_labels(self, work: Workspace, read: _Read) -> None:
        """Show the labels as they were; labels that the user has in another layer stay."""
        context, labels, layer = self._context, read.restored.labels, read.layer
        if labels is not None and not np.array_equal(labels, layer.data):
            if isinstance(layer.data, np.ndarray):
                layer.data = labels
            else:
                layer.data[...] = labels
                layer.refresh()
        if layer is not work.objects:
            context.viewer.add_layer(layer)
            context.set_objects_layer(layer)

    def _restore_session(self, work: Workspace, restored: Restored) -> None:
        kept = restored.settings["session"]
        session, image, limits = work.session, self._context.image, kept["contrast_limits"]
        session.model, session.threshold = str(kept["model"]), float(kept["threshold"])
        session.refine = bool(kept["refine"])
        if limits is None or image is None:
            return
        session.contrast_limits = float(limits[0]), float(limits[1])
        if not image.rgb:
            # The network is to see what it saw.
            image.contrast_limits = session.contrast_limits


def _look(image: ImagePart) -> tuple[Offered | None, str]:
    """The newest work on an image that can be taken up, and what is to be told."""
    problem = ""
    # Its layer may have been removed, and opened again, a moment ago.
    finish_closing(10)
    for found in session_places.find(image):
        if found.holder is not None:
            problem = MESSAGES["open elsewhere"].format(holder=found.holder)
            continue
        try:
            if found.problem:
                raise ValueError(found.problem)
            return _offered(found), problem
        except (ValueError, OSError) as error:
            problem = str(error)
    return None, problem


def _offered(found: Found) -> Offered:
    restored = restore(found.path)
    age = time.time() - found.modified
    return Offered(found.path, describe_session(restored.objects, restored.clicks, age))


def _read(path: Path, image: ImagePart, there: Labels | None, other: Labels) -> _Read:
    """Read a session for an image, with its place if it is of that image.

    Labels go into the layer that is there if that is empty or equal, else into another.
    """
    place = None
    found = restore(path)
    if found.image.shape != image.shape:
        raise ValueError(
            MESSAGES["other image"].format(
                name=path.name,
                there=describe_shape(found.image.shape),
                here=describe_shape(image.shape),
            )
        )
    if found.image.digest == image.digest and not found.kept:
        place = session_places.claim_again(path)
        if place is None:
            raise ValueError(MESSAGES["held"].format(name=path.name))
    try:
        empty = there is not None and not np.any(there.data)
        same = (
            there is not None
            and found.labels is not None
            and (np.array_equal(there.data, found.labels))
        )
        layer = there if there is not None and (empty or same) else other
        restored = restore(path, partial(read_written, layer))
    except BaseException:
        if place is not None:
            place.lock.release()
        raise
    return _Read(restored, layer, place)


def restored_settings(now: Settings, values: dict[str, Any]) -> Settings:
    """Settings as they were; what is no setting any more, or of another type, is left out."""
    known: dict[str, Any] = {}
    for one in fields(Settings):
        value = values.get(one.name)
        if type(value) is type(getattr(now, one.name)):
            known[one.name] = value
    for name in ("threshold", "confidence"):
        if name in known and not 0 < known[name] < 1:
            del known[name]
    return replace(now, **known)
