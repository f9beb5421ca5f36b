"""What tests of saved sessions need: an image file, work on it, and all of it to compare."""

from __future__ import annotations

import hashlib
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from napari.layers._source import layer_source
from qtpy.QtWidgets import QApplication

from napari_brs.plugin.layers.planes import shown_mask

SHAPE = (96, 128)


def write_image(path: Path, seed: int = 1) -> Path:
    """A file with an image of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, SHAPE, np.uint8)
    tifffile.imwrite(path, pixels)
    return path


def pause(seconds: float) -> None:
    """Let timers go off, and threads run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def open_image(viewer: Any, controller: Any, path: Path) -> Any:
    """Open an image file as napari does, but without its readers, and work on it."""
    with layer_source(path=str(path)):
        layer = viewer.add_image(tifffile.imread(path), name=path.stem)
    controller.set_image_layer(layer, look=False)
    controller.wait(20)
    return layer


def paint(layer: Any, at: tuple[int, ...], value: int) -> None:
    """A stroke of the brush, as the mouse makes it."""
    with layer.block_history():
        layer.paint(at, value)


def everything(controller: Any, pending: bool = True) -> dict[str, Any]:
    """All that the user sees or can go back to, as text and numbers.

    Without the pending mask, that of the last click is left out.
    """
    session, work = controller.session, controller.context.work
    last = None if pending else session.current.plane((None, None))

    def pixels(where: Any, plane: Any) -> Any:
        shown = work.predictions.shown(plane, work.model)
        mask = shown_mask(shown, session.plane_shape(where))
        return mask.box, zlib.crc32(mask.pixels.tobytes())

    def described(state: Any) -> Any:
        return {
            key: (
                found.label,
                [
                    (where, plane.clicks, None if plane is last else pixels(where, plane))
                    for where, plane in found.planes.items()
                    if not plane.empty
                ],
            )
            for key, found in state.objects.items()
        }

    history = session.history
    return {
        "labels": controller.objects_layer.data.tobytes(),
        "current": history.state.current,
        "clicks": [
            np.asarray(layer.data).tolist()
            for layer in (controller.foreground_layer, controller.background_layer)
        ],
        "now": described(history.state),
        "past": [described(state) for state in history.past],
        "future": [described(state) for state in history.future],
        "settings": controller.settings,
        "limits": [float(limit) for limit in controller.image.contrast_limits],
    }


def digest(controller: Any, pending: bool = True) -> str:
    """Of everything, the same in all processes."""
    return hashlib.sha256(repr(everything(controller, pending)).encode()).hexdigest()[:16]
