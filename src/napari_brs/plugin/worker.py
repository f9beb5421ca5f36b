"""Computing beside the window: one job at a time in another thread, the newest wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker
from napari.utils.notifications import show_warning
from napari.utils.progress import progress
from qtpy.QtCore import QTimer

from napari_brs.plugin.engine import Engine, FeatureJob, Job, News

BAR_MS = 300
"""What takes longer is shown by a bar: to draw one takes longer than to segment."""


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
    def asked(self) -> bool:
        """Whether something that the user asked for runs or waits, not features only."""
        jobs = (self.running, self._next)
        return any(job is not None and not isinstance(job, FeatureJob) for job in jobs)

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
        job.begin()
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
            self._bar = progress(total=0, desc=f"BRS: {self.running.what}")

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
