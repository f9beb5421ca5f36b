"""The job that follows objects through the planes of an image."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image

from napari_brs.plugin.engine import Done, Job, News, Stepped
from napari_brs.plugin.layers.planes import plane_image
from napari_brs.plugin.tracks import Run
from napari_brs.segmenters import Segmenter
from napari_brs.session import Position


class LayerFrames:
    """The planes of an image along one axis, read when they are asked for.

    Parameters
    ----------
    image : Image
    position : Position
        One of the planes.
    axis : int
    """

    def __init__(self, image: Image, position: Position, axis: int) -> None:
        self._image = image
        self._position = position
        self._axis = axis
        data = image.data[0] if image.multiscale else image.data
        self._count = int(data.shape[axis])

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        """A plane, (H, W) or (H, W, C) array."""
        return np.asarray(plane_image(self._image, at(self._position, self._axis, index))[:])


@dataclass(kw_only=True)
class FollowJob(Job):
    """Follows objects through some runs, one after another.

    Attributes
    ----------
    frames : LayerFrames
    runs : sequence of Run
    position : Position
        A plane of the frames.
    axis : int
    threshold : float
    """

    what = "following objects"

    frames: LayerFrames
    runs: tuple[Run, ...]
    position: Position
    axis: int
    threshold: float

    def steps(
        self,
        segmenter: Segmenter,
        report: Callable[[News], None],
        stopped: Callable[[], bool],
    ) -> Generator[News, None, None]:
        # Here, because this loads torch.
        from napari_brs.propagation.propagate import Seeing, between, propagate

        seeing = Seeing(self.image.contrast_limits, None, self.threshold)
        try:
            for run in self.runs:
                if run.until:
                    first, last = (run.objects, run.until)
                    found = between(
                        segmenter, self.frames, run.start, run.stop, first, last, seeing
                    )
                else:
                    found = propagate(
                        segmenter, self.frames, run.start, run.objects, run.stop, seeing
                    )
                for step in found:
                    yield Stepped(step)
                    if stopped():
                        return
        finally:
            # The engine takes the plane on display to be the segmenter's.
            segmenter.set_image(self.image.pixels, contrast_limits=self.image.contrast_limits)
        yield Done(None)


def at(position: Position, axis: int, index: int) -> Position:
    """The plane at another index of an axis."""
    return tuple(index if i == axis else old for i, old in enumerate(position))
