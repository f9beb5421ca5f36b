"""What is known of followed objects along one axis: keyframes, confidence, what is to be redone.

A frame in which a person made, accepted or corrected an object is a keyframe of it. What was
followed lies between keyframes, and is followed anew when one of them is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from napari_brs.masks import Mask
from napari_brs.plugin.state import FrameMark
from napari_brs.session import Position, Track

DOUBTFUL = 0.7
"""Confidence below which a frame is marked; `propagation.confidence` says what it means."""

Masks = Callable[[Iterable[int], int], Mapping[int, Mask]]
"""(objects, frame) -> the masks that they have there, of those that have one."""


@dataclass(frozen=True)
class Run:
    """Objects to be followed from one frame until before another.

    Attributes
    ----------
    start, stop : int
        As of `propagation.propagate`.
    objects : mapping
        Id -> Mask in ``start``.
    until : mapping
        Id -> Mask in ``stop``, where the objects are known: they are followed from both
        sides. Then ``start`` comes before ``stop``. Empty if they are not known there.
    """

    start: int
    stop: int
    objects: Mapping[int, Mask]
    until: Mapping[int, Mask] = field(default_factory=dict)


class Tracks:
    """Those of the objects of an image along one axis.

    Parameters
    ----------
    axis, count : int
        The axis, and how many frames there are.
    """

    def __init__(self, axis: int, count: int) -> None:
        self.axis = axis
        self.count = count
        self._of: dict[int, Track] = {}
        self._marks = [FrameMark(None, False)] * count

    def frame_of(self, position: Position) -> int:
        """The frame of a plane."""
        index = position[self.axis]
        assert index is not None
        return index

    def set_keyframe(self, label: int, frame: int) -> None:
        """Know that a person vouches for an object in a frame."""
        self._of.setdefault(label, Track()).set_keyframe(frame)
        self._mark(frame)

    def note(self, frame: int, confidence: Mapping[int, float]) -> None:
        """Know what was found in a frame, by object."""
        for label, value in confidence.items():
            self._of.setdefault(label, Track()).confidence[frame] = value
        self._mark(frame)

    def at(self, frame: int) -> dict[int, Track]:
        """What is known of the objects in one frame, by id."""
        return {
            label: Track(
                track.keyframes & {frame},
                {frame: track.confidence[frame]} if frame in track.confidence else {},
            )
            for label, track in self._of.items()
            if frame in track.keyframes or frame in track.confidence
        }

    def copies(self) -> dict[int, Track]:
        """All that is known of the objects now, by id."""
        return {
            label: Track(set(track.keyframes), dict(track.confidence))
            for label, track in self._of.items()
        }

    def put(self, tracks: Mapping[int, Track]) -> None:
        """Know what was known of objects before, and nothing else."""
        self._of = dict(tracks)
        for frame in range(self.count):
            self._mark(frame)

    def was_followed(self, label: int, frame: int) -> bool:
        """Whether an object in a frame is what following found."""
        return label in self._of and frame in self._of[label].confidence

    def doubtful(self, frame: int) -> list[int]:
        """The objects that are in doubt in a frame."""
        return sorted(
            label for label, one in self._of.items() if one.confidence.get(frame, 1) < DOUBTFUL
        )

    def next_doubtful(self, frame: int) -> int | None:
        """The next frame with an object in doubt, after the last one from the beginning."""
        order = [*range(frame + 1, self.count), *range(frame + 1)]
        return next((other for other in order if self.doubtful(other)), None)

    def marks(self) -> tuple[FrameMark, ...]:
        """How each frame stands: as the object in most doubt; none before anything was followed."""
        return tuple(self._marks) if self._of else ()

    def _mark(self, frame: int) -> None:
        tracks = self._of.values()
        found = [track.confidence[frame] for track in tracks if frame in track.confidence]
        keyframe = any(frame in track.keyframes for track in tracks)
        self._marks[frame] = FrameMark(min(found, default=None), keyframe)

    def runs(self, labels: Iterable[int], frame: int, step: int, masks: Masks) -> list[Run]:
        """What is to be followed from a keyframe of some objects.

        Objects with the same next keyframe are followed together, and exclude one another.

        Parameters
        ----------
        labels : iterable of int
        frame : int
        step : int
            1 forward, -1 backward.
        masks : callable
        """
        of_end: dict[int, list[int]] = {}
        for label in labels:
            of_end.setdefault(self._end(label, frame, step), []).append(label)
        found = []
        for end, group in of_end.items():
            here = masks(group, frame)
            if abs(end - frame) < 2 or not here:
                continue
            known = 0 <= end < self.count
            there = masks(here, end) if known else {}
            both = {label: here[label] for label in here if label in there}
            alone = {label: mask for label, mask in here.items() if label not in there}
            if alone:
                found.append(Run(frame, end, alone))
            if both and step > 0:
                found.append(Run(frame, end, both, there))
            elif both:
                found.append(Run(end, frame, there, both))
        return found

    def _end(self, label: int, frame: int, step: int) -> int:
        """The next keyframe of an object, or the frame beyond the last one."""
        ahead = [f for f in self._of[label].keyframes if (f - frame) * step > 0]
        if step > 0:
            return min(ahead, default=self.count)
        return max(ahead, default=-1)


class AxisTracks(dict[int, Tracks]):
    """Axis -> `Tracks` along it, made when they are asked for.

    Parameters
    ----------
    shape : tuple of int
        Of the image, without colours.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._shape = shape

    def __missing__(self, axis: int) -> Tracks:
        self[axis] = Tracks(axis, self._shape[axis])
        return self[axis]
