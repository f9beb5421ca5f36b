"""Computing beside the window: one job at a time in another thread, the newest wins."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from napari.qt.threading import create_worker
from napari.utils.notifications import show_warning
from napari.utils.progress import progress
from qtpy.QtCore import QTimer

from napari_brs.segmenters import Segmenter, open_segmenter

if TYPE_CHECKING:
    from napari_brs.brs.prediction import Prediction, Progress
    from napari_brs.session import PlaneState, Position

BAR_MS = 300
"""What takes longer is shown by a bar: to draw one takes longer than to segment."""
REPORT_SECONDS = 0.05
"""Refinement tells of itself no more often than this; the window has other things to do."""


class ImagePlane(NamedTuple):
    """The pixels of a job.

    Attributes
    ----------
    key : tuple
        Equal for equal pixels and contrast limits.
    pixels : (H, W) or (H, W, C) array-like
    contrast_limits : (float, float) or None
    """

    key: tuple[Any, ...]
    pixels: Any
    contrast_limits: tuple[float, float] | None


@dataclass
class Job:
    """Something to compute: features only, or the mask of a plane's clicks.

    Attributes
    ----------
    model, device : str
    image : ImagePlane
    plane : PlaneState or None
        Whose clicks to segment; None to compute features only.
    position : Position or None
        Where it is.
    owner : int or None
        Key of the object that the clicks belong to.
    around : (int, int) or None
        Row and column at which features are wanted; None for the centre.
    size_hint : float or None
        About how long an object is there, in pixels, if that is known.
    trust : bool
        Whether a model from a file may run its code.
    asked : float
        When it was asked for, in seconds of `time.perf_counter`.
    by_user : bool
        Whether it was the user who stopped it.
    """

    model: str
    device: str
    image: ImagePlane
    plane: PlaneState | None = None
    position: Position | None = None
    owner: int | None = None
    refine: bool = True
    threshold: float = 0.5
    around: tuple[int, int] | None = None
    size_hint: float | None = None
    trust: bool = False
    asked: float = field(default_factory=time.perf_counter)
    stop: threading.Event = field(default_factory=threading.Event)
    by_user: bool = False


class Doing(NamedTuple):
    """News: what the job does now."""

    what: str


class Done(NamedTuple):
    """News: the job's result.

    Attributes
    ----------
    prediction : Prediction or None
        None if it only computed features.
    instances : (H, W) int array or None
        The objects of the plane, of networks that find them without clicks.
    """

    prediction: Prediction | None
    instances: Any = None


class Failed(NamedTuple):
    """News: why the job could not be done.

    Attributes
    ----------
    error : Exception
    expected : bool
        False if nobody foresaw it, so that its traceback is wanted.
    control : str
        The control that has to be set otherwise, if it is known.
    """

    error: Exception
    expected: bool
    control: str = ""


News = Any  # Doing, Progress, Done or Failed


class Engine:
    """The segmenters in use, and the image each of them holds.

    Touched by the running job alone.
    """

    def __init__(self) -> None:
        self._segmenters: dict[tuple[str, str], Segmenter] = {}
        self._images: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._proven: set[str] = set()

    def work(
        self, job: Job, report: Callable[[News], None], stopped: Callable[[], bool]
    ) -> Generator[News, None, None]:
        """Do a job; the generator of the worker thread.

        Parameters
        ----------
        job : Job
        report : callable
            Takes news from within a prediction, where a generator cannot yield.
        stopped : callable
            Whether to stop as soon as possible.
        """
        try:
            for news in self._steps(job, report, stopped):
                if isinstance(news, Done):
                    self._proven.add(job.model)
                yield news
        except (ValueError, OSError, MemoryError) as error:
            yield Failed(error, True, self._blamed(job))
        except Exception as error:
            # Left to itself, a RuntimeError would end the thread without a word.
            yield Failed(error, False, self._blamed(job))

    def _blamed(self, job: Job) -> str:
        """The model, if it could not be loaded, or is a file that never worked yet."""
        loaded = (job.model, job.device) in self._segmenters
        return "model" if not loaded or (job.trust and job.model not in self._proven) else ""

    def _steps(
        self, job: Job, report: Callable[[News], None], stopped: Callable[[], bool]
    ) -> Generator[News, None, None]:
        name = (job.model, job.device)
        if name not in self._segmenters:
            yield Doing(f"loading {job.model}")
            # Here, because this loads torch, which takes seconds.
            from napari_brs.brs.devices import choose_device

            try:
                choose_device(job.device)
            except ValueError as error:
                yield Failed(error, True, "device")
                return
            self._segmenters[name] = open_segmenter(*name, trust=job.trust)
        segmenter = self._segmenters[name]
        if stopped():
            return
        if self._images.get(name) != job.image.key:
            yield Doing("reading the image")
            # A failure half-way must not leave the old name on the new image.
            self._images.pop(name, None)
            segmenter.set_image(job.image.pixels, contrast_limits=job.image.contrast_limits)
            self._images[name] = job.image.key
        if stopped():
            return
        if job.plane is None:
            yield Doing("looking at the image")
            segmenter.encode(job.around, job.size_hint)
            yield Done(None, segmenter.instances())
            return
        yield Doing("segmenting")

        told = -math.inf

        def on_progress(progress: Progress) -> bool:
            nonlocal told
            if progress.prediction is not None or time.monotonic() - told > REPORT_SECONDS:
                told = time.monotonic()
                report(progress)
            return not stopped()

        prediction = segmenter.predict(
            job.plane.clicks,
            previous=job.plane.start_for(job.model),
            refine=job.refine,
            threshold=job.threshold,
            on_progress=on_progress,
            size_hint=job.plane.size_hint,
        )
        yield Done(prediction, segmenter.instances())


class Runner:
    """Runs one job at a time; a new one stops the old one and takes its place.

    Used on the main thread.

    Parameters
    ----------
    on_news : callable
        Gets (job, news) on the main thread.
    on_idle : callable
        Is called when nothing is left to do.
    """

    def __init__(self, on_news: Callable[[Job, News], None], on_idle: Callable[[], None]) -> None:
        self._engine = Engine()
        self._on_news = on_news
        self._on_idle = on_idle
        self.running: Job | None = None
        self._next: Job | None = None
        self._bar: progress | None = None
        self._advancing = False
        self._long = QTimer()
        self._long.setSingleShot(True)
        self._long.setInterval(BAR_MS)
        self._long.timeout.connect(self._show_bar)

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return self.running is not None

    @property
    def segmenting(self) -> bool:
        """Whether clicks are being segmented, or wait for it."""
        return any(job is not None and job.plane is not None for job in (self.running, self._next))

    def submit(self, job: Job) -> None:
        """Run a job now, or as soon as the one that runs has stopped."""
        if self.running is None:
            self._start(job)
        else:
            self._next = job
            self.running.stop.set()

    def cancel(self, by_user: bool = False) -> None:
        """Stop what runs, and forget what waits."""
        self._next = None
        if self.running is not None:
            self.running.by_user = by_user
            self.running.stop.set()

    def _start(self, job: Job) -> None:
        self.running = job
        self._long.start()
        workers: list[Any] = []  # the two functions are called only while it runs
        worker = create_worker(
            self._engine.work,
            job,
            # Signals may be emitted in any thread; their slots run on the main one.
            lambda news: workers[0].yielded.emit(news),
            # Closing the window makes napari ask the worker to quit.
            lambda: job.stop.is_set() or workers[0].abort_requested,
            _start_thread=False,
        )
        workers.append(worker)
        worker.yielded.connect(lambda news: self._tell(job, news))
        # napari's workers do not pass warnings on under PyQt6.
        worker.warned.connect(_show_warning)
        worker.finished.connect(self._finish)
        worker.start()

    def _show_bar(self) -> None:
        if self.running is not None and self._bar is None:
            doing = "features" if self.running.plane is None else "segmenting"
            self._bar = progress(total=0, desc=f"BRS: {doing}")

    def _tell(self, job: Job, news: News) -> None:
        self._on_news(job, news)
        # napari handles further events while it draws the bar, and they may bring
        # news as well: so the bar comes last, and is not drawn while it is drawn.
        limit, bar = getattr(news, "limit", 0), self._bar
        if limit and bar is not None and not self._advancing:
            self._advancing = True
            try:
                bar.total = limit
                bar.update(news.evaluation - bar.n)
            finally:
                self._advancing = False

    def _finish(self) -> None:
        self._long.stop()
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self.running, job, self._next = None, self._next, None
        if job is not None:
            self._start(job)
        else:
            self._on_idle()


def _show_warning(warning: tuple[Any, ...]) -> None:
    """Show a warning, given as to `warnings.showwarning`, if it is meant for users."""
    message, category = warning[:2]
    if issubclass(category, UserWarning | RuntimeWarning):
        show_warning(str(message))
