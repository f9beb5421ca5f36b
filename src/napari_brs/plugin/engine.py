"""What a job does in the worker's thread: load the model, read the image, compute."""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from napari_brs.plugin.layers.planes import ImagePlane
from napari_brs.plugin.predictions import Predictions
from napari_brs.prompts.box import predict
from napari_brs.segmenters import Segmenter, open_segmenter
from napari_brs.session import PlaneState

if TYPE_CHECKING:
    from napari_brs.brs.prediction import Prediction, Progress

REPORT_SECONDS = 0.05
"""Refinement reports no more often than this, so that drawing its progress costs little."""


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


class Found(NamedTuple):
    """News: an object that is proposed.

    Attributes
    ----------
    proposal : Proposal
    """

    proposal: Any


class Stepped(NamedTuple):
    """News: objects were followed into a further frame.

    Attributes
    ----------
    step : Step
    """

    step: Any


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


News: TypeAlias = Any  # Doing, Progress, Found, Stepped, Done or Failed


@dataclass(kw_only=True)
class Job(ABC):
    """Something to compute on one plane of an image; each kind has its own `steps`.

    Attributes
    ----------
    model, device : str
    image : ImagePlane
    trust : bool
        Whether a model from a file may run its code.
    asked : float
        When it was asked for, in seconds of `time.perf_counter`.
    stop : threading.Event
        Set when it is to end as soon as possible.
    by_user : bool
        Whether it was the user who stopped it.
    """

    what: ClassVar[str]
    """What its progress bar says."""

    model: str
    device: str
    image: ImagePlane
    trust: bool = False
    asked: float = field(default_factory=time.perf_counter)
    stop: threading.Event = field(default_factory=threading.Event)
    by_user: bool = False

    def begin(self) -> None:  # noqa: B027
        """Called on the main thread when its turn has come."""

    @abstractmethod
    def steps(
        self,
        segmenter: Segmenter,
        report: Callable[[News], None],
        stopped: Callable[[], bool],
    ) -> Generator[News, None, None]:
        """Compute, in the worker's thread; the last news is `Done`.

        Parameters
        ----------
        segmenter : Segmenter
            It holds the image.
        report : callable
            Takes news from within a prediction, where a generator cannot yield.
        stopped : callable
            Whether to stop as soon as possible.
        """


@dataclass(kw_only=True)
class FeatureJob(Job):
    """Computes features only, so that the next click need not.

    Attributes
    ----------
    around : (int, int) or None
        Row and column at which features are wanted; None for the centre.
    size_hint : float or None
        About how long an object is there, in pixels, if that is known.
    """

    what = "features"

    around: tuple[int, int] | None = None
    size_hint: float | None = None

    def steps(
        self,
        segmenter: Segmenter,
        report: Callable[[News], None],
        stopped: Callable[[], bool],
    ) -> Generator[News, None, None]:
        yield Doing("looking at the image")
        segmenter.encode(self.around, self.size_hint)
        yield Done(None, segmenter.instances())


@dataclass(kw_only=True)
class SegmentJob(Job):
    """Computes the mask of a plane's clicks and box.

    Attributes
    ----------
    plane : PlaneState
    predictions : Predictions
        Where the result belongs, and the start comes from.
    refine : bool
    threshold : float
    start : object
        Prediction, mask or nothing to start from; the newest when its turn has come.
    """

    what = "segmenting"

    plane: PlaneState
    predictions: Predictions
    refine: bool = True
    threshold: float = 0.5
    start: Any = None

    def begin(self) -> None:
        self.start = self.predictions.start(self.plane, self.model)

    def steps(
        self,
        segmenter: Segmenter,
        report: Callable[[News], None],
        stopped: Callable[[], bool],
    ) -> Generator[News, None, None]:
        yield Doing("segmenting")
        told = -math.inf

        def on_progress(progress: Progress) -> bool:
            nonlocal told
            if progress.prediction is not None or time.monotonic() - told > REPORT_SECONDS:
                told = time.monotonic()
                report(progress)
            return not stopped()

        prediction = predict(
            segmenter,
            self.plane.clicks,
            previous=self.start,
            refine=self.refine,
            threshold=self.threshold,
            on_progress=on_progress,
            size_hint=self.plane.size_hint,
            box=self.plane.box,
        )
        yield Done(prediction, segmenter.instances())


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
        yield from job.steps(segmenter, report, stopped)
