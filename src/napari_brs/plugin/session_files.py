"""Session files that the user names: saved, loaded, and those that were worked on last."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Image

from napari_brs.io import session_places
from napari_brs.io.journal import read_header
from napari_brs.io.saver import keep
from napari_brs.io.session_models import ImagePart
from napari_brs.plugin.autosaving import Autosaving
from napari_brs.plugin.background import Background
from napari_brs.plugin.context import Context
from napari_brs.plugin.layers.planes import spatial_shape
from napari_brs.plugin.napari_edge import plain
from napari_brs.plugin.resuming import Resuming
from napari_brs.plugin.state import Choice
from napari_brs.plugin.text import MESSAGES, describe_saved

RECENT = 10
"""Sessions that are listed."""


class SessionFiles:
    """Saves and loads sessions under names of the user's.

    Parameters
    ----------
    context : Context
    autosaving : Autosaving
    resuming : Resuming
    choose : callable
        Has an image worked on.
    """

    def __init__(
        self,
        context: Context,
        autosaving: Autosaving,
        resuming: Resuming,
        choose: Callable[[Image], None],
    ) -> None:
        self._context = context
        self._autosaving = autosaving
        self._resuming = resuming
        self._choose = choose
        self._background = Background(context)
        self._recent: tuple[Choice, ...] = ()
        context.image_chosen.connect(lambda _: self._list())

    @property
    def busy(self) -> bool:
        """Whether a file is being read or written."""
        return self._background.busy

    def shown(self) -> dict[str, Any]:
        """What the dock shows of sessions: fields of `DockState`."""
        offered, saved = self._resuming.offered, self._autosaving.now
        begun = saved is not None and saved.saver is not None
        return {
            "resumable": "" if offered is None else offered.words,
            "saved": describe_saved(begun, self._autosaving.problem),
            "recent": self._recent,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save all there is on the image under a name; that file is not saved to by itself."""
        context, saved = self._context, self._autosaving.now
        if saved is None:
            context.say(MESSAGES["no image"])
            return
        context.take_paint()
        path = Path(path)
        if path.suffix != session_places.SUFFIX:
            path = path.with_name(path.name + session_places.SUFFIX)
        write = partial(keep, path, saved.copy())
        self._background.start(write, lambda _: self._on_saved(path))

    def open(self, path: str | os.PathLike[str]) -> None:
        """Take up a session; its image is opened if it is not in the viewer."""
        then = partial(self._open_image, Path(path))
        self._background.start(lambda: read_header(path).get("image"), then)

    def _on_saved(self, path: Path) -> None:
        self._context.say(MESSAGES["session saved"].format(name=path.name))
        self._list()

    def _open_image(self, path: Path, found: Any) -> None:
        """Choose the image of a session, and take the session up on it."""
        context = self._context
        if context.closed:
            return
        part = ImagePart.model_validate(found)
        layer = self._layer_of(part)
        if layer is None and part.path is not None and os.path.exists(part.path):
            context.viewer.open(part.path)
            layer = self._layer_of(part)
        if layer is None:
            context.say(MESSAGES["open its image"].format(name=path.name))
        else:
            self._choose(layer)
            self._resuming.load(path)

    def _layer_of(self, part: ImagePart) -> Image | None:
        """The layer that shows an image; the chosen one if it may be that."""
        known = [plain(one) for one in self._context.viewer.layers]
        images = [one for one in known if isinstance(one, Image)]
        for layer in sorted(images, key=lambda one: one is not self._context.image):
            there = layer.source.path
            path = None if there is None else os.path.realpath(there)
            same = path == part.path and (path is not None or layer.name == part.name)
            if same and spatial_shape(layer) == part.shape:
                return layer
        return None

    def _list(self) -> None:
        self._background.start(partial(session_places.recent, RECENT), self._on_listed)

    def _on_listed(self, paths: list[Path]) -> None:
        self._recent = tuple((path.name, path) for path in paths)
        self._context.update()
