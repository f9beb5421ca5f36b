"""What tests of saved sessions need: an image file, work on it, and all of it to compare."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from qtpy.QtWidgets import QApplication

from napari_brs.plugin.layers.planes import shown_mask

SHAPE = (96, 128)


def write_image(path: Path, shape: tuple[int, ...] = SHAPE) -> Path:
    """A file with an image of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.random.default_rng(1).integers(0, 255, shape, np.uint8))
    return path


def pause(seconds: float) -> None:
    """Let timers go off, and threads run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def open_image(viewer: Any, controller: Any, path: Path) -> Any:
    """Open an image file, and work on it."""
    (layer,) = viewer.open(str(path), plugin="napari")
    controller.set_image_layer(layer, look=False)
    controller.wait(20)
    return layer


def paint(layer: Any, at: tuple[int, ...], value: int) -> None:
    """A stroke of the brush, as the mouse makes it."""
    with layer.block_history():
        layer.paint(at, value)
    pause(0.02)


def _planes(controller: Any, state: Any) -> Any:
    """Objects of a state with clicks and masks, in a form that can be compared."""
    work = controller.context.work
    return {
        found.key: (
            found.label,
            {
                where: (
                    tuple((c.row, c.column, c.positive) for c in plane.clicks),
                    _pixels(work, where, plane),
                )
                for where, plane in found.planes.items()
                if not plane.empty
            },
        )
        for found in state.objects.values()
    }


def _pixels(work: Any, where: Any, plane: Any) -> bytes:
    shape = work.session.plane_shape(where)
    return shown_mask(work.predictions.shown(plane, work.model), shape).full().tobytes()


def everything(controller: Any) -> dict[str, Any]:
    """All that the user sees or can go back to."""
    history = controller.session.history
    return {
        "labels": controller.objects_layer.data.tolist(),
        "preview": (controller.preview_layer.data != 0).tolist(),
        "clicks": [
            np.asarray(layer.data).tolist()
            for layer in (controller.foreground_layer, controller.background_layer)
        ],
        "now": (history.state.current, _planes(controller, history.state)),
        "past": [_planes(controller, state) for state in history.past],
        "future": [_planes(controller, state) for state in history.future],
        "settings": controller.settings,
        "limits": controller.image.contrast_limits,
    }
