"""The journal of a session, read: its history, predictions, labels and settings."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from napari_brs.io.history_records import Made
from napari_brs.io.history_replay import Replay
from napari_brs.io.journal import Record, read_journal
from napari_brs.io.label_records import label_type, put_box
from napari_brs.io.session_models import ImagePart
from napari_brs.io.track_records import put_tracks
from napari_brs.masks import Mask
from napari_brs.session import PlaneState, State, Track

REST = 0.0005
"""Seconds after each batch in which another thread may run."""


@dataclass(frozen=True)
class Restored:
    """What a journal tells.

    Attributes
    ----------
    image : ImagePart
    past, state, future
        As of `napari_brs.session.History`.
    made : dict
        What models predicted for the planes.
    labels : array or None
        Of the image's shape, as they were; None if there were none.
    tracks : dict
        Of objects that were followed: axis -> id -> `Track`.
    settings : dict
    kept : bool
        Whether it is a copy that the user saved, to stay as it is.
    torn : bool
        Whether a change that was never finished was dropped.
    """

    image: ImagePart
    past: list[State]
    state: State
    future: list[State]
    made: dict[PlaneState, Made] = field(repr=False)
    labels: NDArray[np.integer[Any]] | None = field(repr=False)
    tracks: dict[int, dict[int, Track]] = field(repr=False)
    settings: dict[str, Any]
    kept: bool
    torn: bool

    @property
    def objects(self) -> int:
        """Number of objects with clicks, masks or an id."""
        return sum(not found.empty for found in self.state.objects.values())

    @property
    def clicks(self) -> int:
        """Number of clicks of all objects."""
        planes = (plane for each in self.state.objects.values() for plane in each.planes.values())
        return sum(len(plane.clicks) for plane in planes)


def restore(
    path: str | os.PathLike[str], to_written: Callable[[Record], Any] = lambda record: record
) -> Restored:
    """Read a session back from its journal.

    Parameters
    ----------
    path : str or path
    to_written : callable
        As for `Replay`.

    Raises
    ------
    ValueError
        If the journal cannot be read, or says what cannot be. The message names it in one line.
    OSError
        If it cannot be read from the disk.
    """
    content = read_journal(path)
    try:
        image = ImagePart.model_validate(content.header.get("image"))
        replay = Replay(image.shape, to_written)
        labels: NDArray[Any] | None = None
        tracks: dict[int, dict[int, Track]] = {}
        settings: dict[str, Any] = {}
        for batch in content.batches:
            for record in batch:
                what = record.get("is")
                if what == "labels":
                    if labels is None or labels.dtype != label_type(record):
                        labels = np.zeros(image.shape, label_type(record))
                    put_box(labels, record)
                elif what == "tracks":
                    put_tracks(tracks, record, image.shape)
                elif what == "settings":
                    settings = dict(record["values"])
                elif not replay.take(record):
                    raise ValueError(f"a record is {what!r}, which is not known")
            time.sleep(REST)
    except ValidationError as error:
        raise ValueError(f"{path} is damaged: {error.errors()[0]['msg']}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    history = replay.history
    made: dict[PlaneState, dict[str, Mask]] = replay.made
    return Restored(
        image,
        list(history.past),
        history.state,
        list(history.future),
        dict(made),
        labels,
        tracks,
        settings,
        content.header.get("kept") is True,
        content.torn,
    )
