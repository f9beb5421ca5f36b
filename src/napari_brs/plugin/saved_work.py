"""One workspace on its way to the disk: what changed since it was last handed over.

On the main thread, changes are only collected: states are immutable, so that the saver's
thread can encode them later. Pixels of labels are not, and are copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from math import prod
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_brs.io.history_records import Made, Recorder
from napari_brs.io.journal import Batch, Record
from napari_brs.io.label_records import (
    AT_ONCE,
    Writing,
    bands,
    box_record,
    read_writing,
    writing_record,
)
from napari_brs.io.saver import Change, Saver, Snapshot
from napari_brs.io.session_models import ImagePart
from napari_brs.io.session_places import Place, claim, claim_again, identify
from napari_brs.io.track_records import tracks_record
from napari_brs.masks import Mask
from napari_brs.plugin.layers.objects import Written
from napari_brs.plugin.layers.workspace import Workspace
from napari_brs.plugin.predictions import Made as Predicted
from napari_brs.plugin.state import Settings
from napari_brs.session import Change as HistoryChange
from napari_brs.session import PlaneState, State, Track

Slices = tuple[slice, ...]


class SavedWork:
    """Collects what is done in a workspace, and hands it over to its saver.

    Parameters
    ----------
    work : Workspace
    image : Image
        Only looked at.
    settings : callable
        Gives those of the dock.
    on_change : callable
        Is called when there is something to hand over.
    on_problem : callable
        As of `Saver`: called in its thread.

    Attributes
    ----------
    saver : Saver or None
        None before the first change.
    problem : str
        Why it cannot be saved, as far as was told.
    """

    def __init__(
        self,
        work: Workspace,
        image: Image,
        settings: Callable[[], Settings],
        on_change: Callable[[], None],
        on_problem: Callable[[SavedWork, str], None],
    ) -> None:
        self.work = work
        self.image = image
        self.saver: Saver | None = None
        self.problem = ""
        self._settings = settings
        self._on_change = on_change
        self._on_problem = on_problem
        self._place: Place | None = None
        self._identity: ImagePart | None = None
        self._begin()
        self._state = work.session.state
        self._shown = self._all_settings()
        self._changes: list[Change] = []
        self._boxes: list[Slices] = []
        self._whole = False
        work.session.history.watchers.append(self._on_history)

    def identity(self) -> ImagePart:
        """What its image is known by; reads some of it. In any thread."""
        if self._identity is None:
            image = self.image
            pixels = image.data[0] if image.multiscale else image.data
            self._identity = identify(pixels, image.ndim, image.name, image.source.path)
        return self._identity

    # what there is to save

    def note_prediction(self, plane: PlaneState, model: str, mask: Mask) -> None:
        """Know what a model made of the clicks of a plane."""
        self._changes.append(partial(self._recorder.made, plane, model, mask))
        self._on_change()

    def note_labels(self, box: Slices | None) -> None:
        """Know that labels in a box may be others now, or anywhere."""
        self._boxes.append(box or tuple(slice(0, size) for size in self.work.session.shape))
        self._on_change()

    def note_tracks(self, axis: int, frame: int) -> None:
        """Know that more is known of followed objects in a frame along an axis."""
        there = self.work.tracks[axis].at(frame)
        self._changes.append(partial(_tracks_batch, axis, there))
        self._on_change()

    def note_settings(self) -> None:
        """Know that settings may be others now; without any work there is nothing to save."""
        settings = self._all_settings()
        if self.saver is not None and settings != self._shown:
            self._changes.append(partial(_settings_batch, settings))
            self._on_change()
        self._shown = settings

    def note_layer(self) -> None:
        """Know that the objects layer may be another one now."""
        if self.saver is not None and self.work.objects is not self._layers[0]:
            self.note_all()

    def note_all(self) -> None:
        """Know that more is different than a change can tell."""
        self._whole = True
        self._on_change()

    def hand_over(self) -> None:
        """Give what was collected to the saver."""
        if not (self._changes or self._boxes or self._whole):
            return
        if self.saver is None:
            self._whole = True
            claim = partial(self._claim, [self._place])
            self.saver = Saver(claim, partial(self._on_problem, self))
            self._place = None
        if self._whole or self.saver.wants_snapshot:
            self._layers[0] = self.work.objects
            self.saver.put(self._snapshot(self._recorder))
        else:
            self.saver.put([*self._changes, *self._labels_changes()])
        self._changes, self._boxes, self._whole = [], [], False

    def copy(self) -> Snapshot:
        """All there is now, for another file."""
        return self._snapshot(Recorder(partial(written_record, [self.work.objects])))

    def leave(self) -> None:
        """Save what is left; what is done from now on goes to another place."""
        self.hand_over()
        if self.saver is not None:
            # Without waiting: its thread goes on with a recorder that nobody else has.
            self.saver.close(0)
            self.saver = None
            self._begin()

    def go_on(self, place: Place | None) -> None:
        """Save all there is in a place, or in a new one."""
        self._place = place
        self.note_all()

    def close(self, timeout: float) -> None:
        """Save what is left, and stop; the work remembers where it was saved."""
        self.hand_over()
        self.work.session.history.watchers.remove(self._on_history)
        if self.saver is not None:
            self.saver.close(timeout)
            if self.saver.place is not None:
                self.work.saved_at = self.saver.place.path

    def _begin(self) -> None:
        """Records that need none that were made before."""
        self._layers: list[Labels | None] = [None]
        self._recorder = Recorder(partial(written_record, self._layers))

    def _on_history(self, change: HistoryChange, state: State) -> None:
        history = self.work.session.history
        # A step may have rewritten those before it: what undo cannot reach is forgotten.
        before = history.past[-1] if change == "push" else self._state
        self._state = state
        if change == "start":
            self._whole = True
        else:
            self._changes.append(partial(self._recorder.changed, change, before, state))
        self._on_change()

    def _all_settings(self) -> dict[str, Any]:
        session = self.work.session
        return {
            **asdict(self._settings()),
            "session": {
                "model": session.model,
                "threshold": session.threshold,
                "contrast_limits": session.contrast_limits,
                "refine": session.refine,
            },
        }

    def _labels_changes(self) -> Iterator[Change]:
        labels = self._labels()
        for box in self._boxes if labels is not None else ():
            if prod(part.stop - part.start for part in box) <= AT_ONCE:
                corner = [part.start for part in box]
                yield partial(_box_batch, corner, np.array(labels[box]))
            else:
                yield partial(_boxes_batch, labels, box)

    def _snapshot(self, recorder: Recorder) -> Snapshot:
        work, history = self.work, self.work.session.history
        settings = self._all_settings()
        past, state, future = list(history.past), history.state, list(history.future)
        predictions = work.predictions.all()
        tracks = {axis: found.copies() for axis, found in work.tracks.items()}
        labels = self._labels()

        def batches() -> Iterator[Batch]:
            yield _settings_batch(settings)
            yield from recorder.snapshot(past, state, future, _masks(predictions))
            for axis, of in tracks.items():
                for label, track in of.items():
                    yield _tracks_batch(axis, {label: track})
            if labels is not None:
                for box in bands(tuple(labels.shape)):
                    values = np.asarray(labels[box])
                    if values.any():
                        yield _box_batch([part.start for part in box], values)

        return Snapshot(lambda: {"image": self.identity().model_dump(mode="json")}, batches)

    def _labels(self) -> Any:
        """The array with the objects; None if there is none, or it has another shape now."""
        layer, shape = self.work.objects, self.work.session.shape
        fits = layer is not None and not layer.multiscale and tuple(layer.data.shape) == shape
        return layer.data if layer is not None and fits else None

    def _claim(self, places: list[Place | None]) -> Place:
        """Where to save: in the place that was given, where the work was saved before, or anew."""
        place = places.pop() if places else None
        before, self.work.saved_at = self.work.saved_at, None
        if place is None and before is not None:
            # Before the dock was closed; unless somebody else saves there now.
            with suppress(OSError):
                place = claim_again(before)
        return place or claim(self.identity())


def written_record(layers: Sequence[Labels | None], written: Written) -> Record:
    """What was written into the one layer that is saved; of another layer, only that it was."""
    record: Record = {"positions": written.positions}
    if written.layer is layers[0]:
        writing = Writing(written.indices, written.before, written.after)
        record |= writing_record(writing, written.shape)
    return record


def read_written(layer: Labels, record: Record) -> Written:
    """Inverse of `written_record`, for the layer that the labels are in now."""
    shape = tuple(layer.data.shape)
    nothing = np.zeros(0, np.intp)
    writing = Writing((nothing,) * len(shape), nothing, nothing)
    if "from" in record:
        writing = read_writing(record, shape, layer.data.dtype)
    positions = tuple(tuple(at) for at in record["positions"])
    return Written(layer, *writing, positions, shape)


def _masks(predictions: Mapping[PlaneState, Mapping[str, Predicted]]) -> dict[PlaneState, Made]:
    return {
        plane: {model: mask_of(made.prediction) for model, made in list(by_model.items())}
        for plane, by_model in predictions.items()
    }


def mask_of(prediction: Any) -> Mask:
    """The mask of a prediction, or of one that was restored."""
    found: Mask = prediction if isinstance(prediction, Mask) else prediction.packed
    return found


def _settings_batch(values: dict[str, Any]) -> Batch:
    return [{"is": "settings", "values": values}]


def _tracks_batch(axis: int, tracks: Mapping[int, Track]) -> Batch:
    return [tracks_record(axis, tracks)]


def _box_batch(corner: Sequence[int], values: NDArray[np.integer]) -> Batch:
    return [box_record(corner, values)]


def _boxes_batch(data: Any, box: Slices) -> Batch:
    """What is in a large box by now: it is read in the saver's thread, bit by bit."""
    records = []
    for inner in bands([part.stop - part.start for part in box]):
        part = tuple(
            slice(at.start + start.start, at.stop + start.start)
            for at, start in zip(inner, box, strict=True)
        )
        records.append(box_record([at.start for at in part], np.asarray(data[part])))
    return records
