"""The jobs of one dock: handed to the worker, and what comes of them as signals."""

from __future__ import annotations

from psygnal import Signal

from napari_brs.plugin.engine import Doing, Done, Failed, Found, Job, News, Stepped
from napari_brs.plugin.text import MESSAGES
from napari_brs.plugin.worker import Runner


class Jobs:
    """Runs jobs one by one, the newest first.

    Signals come on the main thread; whoever makes a kind of job listens for that kind.

    Attributes
    ----------
    activity : str
        What is being done now, for the status line.
    """

    changed = Signal()
    """What is being done is something else now; comes after the signals below."""

    advanced = Signal(object, object)
    """(Job, Progress) There is a first prediction, or a further evaluation."""

    found = Signal(object, object)
    """(Job, Found) An object is proposed."""

    stepped = Signal(object, object)
    """(Job, Stepped) Objects were followed into a further frame."""

    done = Signal(object, object)
    """(Job, Done) A job came to its end."""

    failed = Signal(object, object)
    """(Job, Failed) A job could not be done."""

    idle = Signal()
    """Nothing is left to do."""

    def __init__(self) -> None:
        self.activity = ""
        self._runner = Runner(self._on_news, self._on_idle)
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether anything is being computed."""
        return self._runner.busy

    @property
    def asked(self) -> bool:
        """Whether something that the user asked for runs or waits, not features only."""
        return self._runner.asked

    def submit(self, job: Job) -> None:
        """Run a job; what runs already gives way."""
        self._runner.submit(job)
        self.changed.emit()

    def cancel(self, by_user: bool = False) -> None:
        """Stop what runs, and forget what waits; the best mask so far is kept."""
        self._runner.cancel(by_user)

    def close(self) -> None:
        """Stop what runs, and tell of nothing any more."""
        self._closed = True
        self.cancel()

    def _on_news(self, job: Job, news: News) -> None:
        if self._closed:
            return
        if isinstance(news, Failed):
            self.failed.emit(job, news)
        elif isinstance(news, Doing):
            self.activity = news.what
        elif isinstance(news, Done):
            self.done.emit(job, news)
        elif isinstance(news, Found):
            self.found.emit(job, news)
        elif isinstance(news, Stepped):
            self.stepped.emit(job, news)
        else:
            if news.evaluation:
                self.activity = MESSAGES["refining"].format(done=news.evaluation, limit=news.limit)
            self.advanced.emit(job, news)
        self.changed.emit()

    def _on_idle(self) -> None:
        self.activity = ""
        if not self._closed:
            self.idle.emit()
            if not self.busy:
                self.changed.emit()
