"""One way to every segmenter, whatever stands behind a model's name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_brs.brs.prediction import Prediction, Previous, Progress
    from napari_brs.clicks import Click
    from napari_brs.image import Channel


class Segmenter(Protocol):
    """What turns clicks on an image into masks, whatever stands behind it.

    Use one from one thread at a time. `open_segmenter` makes them; each kind of model has its
    own: `brs.segmenter.BRSSegmenter`, `converted.segmenter.ConvertedSegmenter`,
    `classical.segmenter.ClassicalSegmenter`.
    """

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
        """Take an image, (H, W) or (H, W, C) array-like; see `ImageSource` for the parameters.

        Nothing is computed yet.
        """

    def encode(
        self, around: tuple[float, float] | None = None, size_hint: float | None = None
    ) -> None:
        """Do beforehand what the first click would wait for, around a (row, column)."""

    def instances(self) -> NDArray[np.int32] | None:
        """What the model finds without clicks, (H, W) int32: 0 background, 1..n objects.

        None for models that need clicks.
        """

    def predict(
        self,
        clicks: Iterable[Click],
        previous: Previous = None,
        refine: bool = True,
        threshold: float = 0.5,
        on_progress: Callable[[Progress], bool | None] | None = None,
        size_hint: float | None = None,
    ) -> Prediction:
        """Mask of the object that the clicks mean; `BRSSegmenter.predict` says more.

        `Prediction.stable` tells whether the clicks left alone what lies far from them.
        """


def open_segmenter(
    model: str | os.PathLike[str], device: str = "auto", trust: bool = False
) -> Segmenter:
    """The segmenter for a model; loads torch.

    Parameters
    ----------
    model : str or path
        A name from `list_models`, a ``.safetensors`` file, or a file that
        `own_models.load_own_model` takes.
    device : str
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.
    trust : bool
        Whether a file that somebody brings may run its code.

    Raises
    ------
    ValueError
        If the model or the device is unknown, a weights file is damaged, or a file
        would run code without being trusted.
    FileNotFoundError
        If the file does not exist, or no weights are shipped under the name.
    """
    from napari_brs.brs.devices import choose_device
    from napari_brs.brs.segmenter import BRSSegmenter
    from napari_brs.converted.files import is_own_model, load_own_model
    from napari_brs.models import list_models

    if is_own_model(model):
        from napari_brs.converted.segmenter import ConvertedSegmenter

        return ConvertedSegmenter(load_own_model(model, trust), device)
    name = _architecture(model)
    kind = next((info.kind for info in list_models() if info.name == name), "network")
    if kind == "classical":
        from napari_brs.classical.segmenter import ClassicalSegmenter

        choose_device(device)  # refused here as everywhere, though they all run on the CPU
        return ClassicalSegmenter(str(model))
    if kind == "converted":
        from napari_brs.converted.segmenter import open_converted

        return open_converted(model, device)
    return BRSSegmenter(model, device)


def _architecture(model: str | os.PathLike[str]) -> str:
    """The name that a model goes by in the registry; that of its network for a weights file."""
    path = Path(model)
    if path.suffix != ".safetensors" or not path.is_file():
        return str(model)
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return str((file.metadata() or {}).get("architecture"))
    except SafetensorError:
        return str(model)  # loading it says what is wrong
