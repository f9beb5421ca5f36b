"""Features of what is on display, computed before the click that needs them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import QTimer

from napari_brs.brs.windows import first_window
from napari_brs.clicks import Click
from napari_brs.masks import Box
from napari_brs.plugin.context import Context
from napari_brs.plugin.engine import FeatureJob
from napari_brs.plugin.events import Events
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.layers.planes import ImagePlane

SETTLE_MS = 250
"""A slice must be on display, or the mouse at rest, so long before features are computed."""


class Features:
    """Has the features of the plane on display computed, once for each plane.

    Attributes
    ----------
    begun : bool
        Whether anything was computed for the chosen image yet: opening the dock alone
        loads no network.
    """

    def __init__(self, context: Context, jobs: Jobs, events: Events) -> None:
        self._context = context
        self._jobs = jobs
        self._looked_at: tuple[Any, ...] | None = None
        self._settled = QTimer()
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLE_MS)
        self._settled.timeout.connect(self.look)
        context.image_left.connect(self._forget)
        jobs.idle.connect(self.look)
        events.mouse_moved.connect(self._on_mouse)
        events.plane_changed.connect(self._on_change)
        events.pixels_changed.connect(self._on_change)

    @property
    def begun(self) -> bool:
        return self._looked_at is not None

    def close(self) -> None:
        """Compute nothing any more."""
        with suppress(RuntimeError):  # Qt deletes it when the window is gone
            self._settled.stop()

    def look(self, again: bool = False) -> None:
        """Compute the features of the plane on display in the background, after what runs.

        Once for each window, unless it is wanted again: the one that a click would look at
        where the mouse is.
        """
        context = self._context
        if context.closed or context.state.problems or self._jobs.asked:
            return
        settings, image = context.settings, context.image_plane()
        mouse = context.nearest_to_cursor()
        size = None if context.state.whole_image else context.size_hint(mouse)
        if self.note(image, mouse, size) or again:
            self._jobs.submit(
                FeatureJob(
                    model=settings.model,
                    device=settings.device,
                    image=image,
                    trust=settings.model in context.offer.files,
                    around=mouse.pixel,
                    size_hint=size,
                )
            )

    def note(self, image: ImagePlane, at: Click, size_hint: float | None) -> bool:
        """Know that the features of what a first click there looks at are being computed.

        Returns
        -------
        bool
            Whether that is something else than before.
        """
        context, settings = self._context, self._context.settings
        assert context.work is not None
        shape, (row, column) = context.work.session.plane_shape(context.position), at.pixel
        window = Box(0, 0, *shape)
        if not context.state.whole_image:
            window = first_window(shape, Box(row, column, row + 1, column + 1), size_hint)
        before = self._looked_at
        self._looked_at = (settings.model, settings.device, image.key, window)
        return self._looked_at != before

    def _forget(self) -> None:
        self._looked_at = None

    def _on_mouse(self) -> None:
        # Where the mouse goes, a click follows.
        if self._context.image is None:
            return
        if self.begun:
            self._settled.start()
        else:
            self.look()

    def _on_change(self) -> None:
        if self.begun:
            self._settled.start()
