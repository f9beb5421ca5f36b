"""From clicks to jobs, and from the worker's news back to the session."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import notification_manager

from napari_brs.brs.windows import first_window
from napari_brs.clicks import Click
from napari_brs.masks import Box
from napari_brs.plugin.planes import fingerprint, plane_image
from napari_brs.plugin.text import MESSAGES
from napari_brs.plugin.worker import Doing, Done, Failed, ImagePlane, Job, News, Runner

if TYPE_CHECKING:
    from napari_brs.plugin.controller import Controller


class Computing:
    """Runs the jobs of one dock.

    Attributes
    ----------
    activity : str
        What is being done now, for the status line.
    note : str
        A remark on the last result.
    bad_devices : dict
        Device -> why it cannot be used here.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._runner = Runner(self._on_news, self._on_idle)
        self._looked_at: tuple[Any, ...] | None = None
        self._data_version = 0
        self.activity = ""
        self.note = ""
        self.bad_devices: dict[str, str] = {}

    @property
    def busy(self) -> bool:
        """Whether anything is being computed."""
        return self._runner.busy

    @property
    def begun(self) -> bool:
        """Whether anything was computed for the chosen image yet."""
        return self._looked_at is not None

    def forget(self) -> None:
        """Know that another image was chosen."""
        self._looked_at = None

    def outdate(self) -> None:
        """Know that the image has other pixels now."""
        self._data_version += 1

    def look(self, again: bool = False) -> None:
        """Compute the features of the plane on display in the background, after what runs.

        Once for each window, unless it is wanted again: the one that a click would look at
        where the mouse is.
        """
        controller = self._controller
        if controller.closed or controller.problems or self._runner.segmenting:
            return
        settings, image = controller.settings, self._image_plane()
        mouse, size = controller.mouse, None
        if not controller.converted.in_use:
            size = controller.size_hint(mouse)
        key = (settings.model, settings.device, image.key, self._window(mouse, size))
        if key != self._looked_at or again:
            self._looked_at = key
            trust = settings.model in controller.converted.files
            self._runner.submit(
                Job(
                    settings.model,
                    settings.device,
                    image,
                    around=mouse.pixel,
                    size_hint=size,
                    trust=trust,
                )
            )

    def run(self) -> None:
        """Segment the clicks on display; what runs already gives way.

        Once more means from the same start, so that equal settings give equal masks.
        """
        controller = self._controller
        assert controller.work is not None
        session, settings = controller.work.session, controller.settings
        position = controller.position
        plane = session.current.plane(position)
        if plane.edited is not None:
            plane = session.set_clicks(position, plane.clicks)
        image = self._image_plane()
        session.model, session.threshold = settings.model, settings.threshold
        session.contrast_limits = image.contrast_limits
        window = self._window(plane.clicks[0], plane.size_hint)
        self._looked_at = (settings.model, settings.device, image.key, window)
        self._runner.submit(
            Job(
                settings.model,
                settings.device,
                image,
                plane=plane,
                position=position,
                owner=session.current.key,
                refine=settings.refine,
                threshold=settings.threshold,
                trust=settings.model in controller.converted.files,
            )
        )
        controller.changed.emit()

    @property
    def follows_mouse(self) -> bool:
        """Whether features are those around the mouse: the image is not seen as a whole."""
        controller = self._controller
        if controller.work is None or controller.problems or controller.converted.in_use:
            return False
        shape = controller.work.session.plane_shape(controller.position)
        mouse = controller.mouse
        return self._window(mouse, controller.size_hint(mouse)) != Box(0, 0, *shape)

    def _window(self, at: Click, size_hint: float | None) -> Box:
        """What a first click there looks at."""
        controller = self._controller
        assert controller.work is not None
        row, column = at.pixel
        shape = controller.work.session.plane_shape(controller.position)
        return first_window(shape, Box(row, column, row + 1, column + 1), size_hint)

    def cancel(self, by_user: bool = False) -> None:
        """Stop what runs, and forget what waits; the best mask so far is kept."""
        self._runner.cancel(by_user)

    def _image_plane(self) -> ImagePlane:
        controller = self._controller
        image, position = controller.image, controller.position
        assert image is not None
        limits = None
        if not image.rgb:
            low, high = (float(limit) for limit in image.contrast_limits)
            if math.isfinite(low) and math.isfinite(high) and low < high:
                limits = (low, high)
        pixels = plane_image(image, position)
        # Pixels can be changed in place, without napari telling of it.
        content = (self._data_version, fingerprint(pixels))
        return ImagePlane((image.unique_id, content, position, limits), pixels, limits)

    def is_of_image(self, job: Job) -> bool:
        """Whether a job belongs to the chosen image and the array it has now."""
        image, (unique_id, content, *_) = self._controller.image, job.image.key
        there = image is not None and image.unique_id == unique_id
        return there and content[0] == self._data_version

    def _on_news(self, job: Job, news: News) -> None:
        if self._controller.closed:
            return
        if isinstance(news, Failed):
            self._on_failure(job, news)
        elif isinstance(news, Doing):
            self.activity = news.what
        elif isinstance(news, Done):
            self.note = MESSAGES["cancelled"] if job.by_user else ""
            self._take(job, news.prediction)
            if job.plane is not None:
                job.plane.waited[job.model] = time.perf_counter() - job.asked
            if news.instances is not None:
                self._controller.converted.take(job, news.instances)
        else:
            if news.evaluation:
                self.activity = MESSAGES["refining"].format(done=news.evaluation, limit=news.limit)
            self._take(job, news.prediction)
        self._controller.changed.emit()

    def _take(self, job: Job, prediction: Any) -> None:
        if job.plane is None or job.position is None or prediction is None:
            return
        job.plane.predictions[job.model] = prediction
        controller = self._controller
        work = controller.work
        if (
            work is not None
            and self.is_of_image(job)
            and work.model == job.model
            and work.session.current.key == job.owner
        ):
            work.pass_on(job.plane, job.position, prediction)
        controller.show()

    def _on_failure(self, job: Job, failed: Failed) -> None:
        error = failed.error
        self._controller.message = reason = str(error) or type(error).__name__
        if failed.control == "device":
            self.bad_devices[job.device] = reason
        elif failed.control == "model":
            self._controller.give_up_model(job.model, reason)
        if not failed.expected:
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _on_idle(self) -> None:
        self.activity = ""
        if not self._controller.closed:
            self.look()
            self._controller.changed.emit()
