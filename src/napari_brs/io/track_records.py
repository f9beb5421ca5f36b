"""Followed objects as records of a journal: their keyframes, and confidence frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_brs.io.journal import Record
from napari_brs.session import Track


def tracks_record(axis: int, tracks: Mapping[int, Track]) -> Record:
    """Objects along an axis, or what is known of them in some of its frames.

    Parameters
    ----------
    axis : int
    tracks : mapping
        Id -> `Track`.
    """
    of = [
        [
            int(label),
            sorted(int(frame) for frame in track.keyframes),
            [[int(frame), float(value)] for frame, value in track.confidence.items()],
        ]
        for label, track in tracks.items()
    ]
    return {"is": "tracks", "axis": int(axis), "of": of}


def put_tracks(known: dict[int, dict[int, Track]], record: Record, shape: Sequence[int]) -> None:
    """Add to what is known: axis -> id -> `Track`; ValueError if the image has no such frame."""
    axis = record["axis"]
    if axis not in range(len(shape)):
        raise ValueError(f"axis {axis} is none of an image with {len(shape)} axes")
    for label, keyframes, found in record["of"]:
        confidence = {frame: float(value) for frame, value in found}
        for frame in [*keyframes, *confidence]:
            if frame not in range(shape[axis]):
                raise ValueError(f"frame {frame} lies outside 0 to {shape[axis] - 1}")
        track = known.setdefault(axis, {}).setdefault(label, Track())
        for frame in keyframes:
            track.set_keyframe(frame)
        track.confidence.update(confidence)
