"""One way to every segmenter, whatever stands behind a model's name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_brs.clicks import Click
    from napari_brs.image import Channel
    from napari_brs.prediction import Prediction, Progress


class InteractiveSegmenter(Protocol):
    """What turns clicks on an image into masks; `Segmenter` says what each part means."""

    @property
    def device(self) -> object:
        """Where it computes; as text one of ``cpu``, ``cuda``, ``mps``."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""

    def set_image(
        self,
        image: Any,
        contrast_limits: tuple[float, float] | None = None,
        channel: Channel | None = None,
    ) -> None:
        """Take an image."""

    def encode(self, around: tuple[float, float] | None = None) -> None:
        """Do beforehand what the first click would wait for."""

    def predict(
        self,
        clicks: Iterable[Click],
        previous: Prediction | NDArray[np.bool_] | None = None,
        refine: bool = True,
        threshold: float = 0.5,
        on_progress: Callable[[Progress], bool | None] | None = None,
    ) -> Prediction:
        """Mask of the object that the clicks mean."""


def open_segmenter(model: str | os.PathLike[str], device: str = "auto") -> InteractiveSegmenter:
    """The segmenter for a model; loads torch.

    Parameters
    ----------
    model : str or path
        A name from `list_models`, or a ``.safetensors`` file.
    device : str
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.

    Raises
    ------
    ValueError
        If the model or the device is unknown, or a weights file is damaged.
    FileNotFoundError
        If the file does not exist, or no weights are shipped under the name.
    """
    from napari_brs.segmenter import Segmenter

    return Segmenter(model, device)
