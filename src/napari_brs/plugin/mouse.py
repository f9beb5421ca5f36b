"""Clicks on the canvas: a press and a release at one place; a drag still moves the image."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

LEFT, RIGHT = 1, 2
DRAG_PIXELS = 5
"""A press that moves further on the screen is a drag."""


def click_callback(
    takes_clicks: Callable[[], bool], on_click: Callable[[Any, bool], None]
) -> Callable[[Any, Any], Generator[None, None, None]]:
    """A mouse drag callback for the viewer; Shift or the right button mean the other sign.

    Parameters
    ----------
    takes_clicks : callable
        Whether a click now is meant for us.
    on_click : callable
        Takes its world coordinates, and whether it is of the other sign.
    """

    def on_press(_viewer: Any, event: Any) -> Generator[None, None, None]:
        held = {str(getattr(key, "name", key)) for key in event.modifiers}
        # Alt draws napari's zoom box; Ctrl belongs to other tools.
        if event.button not in (LEFT, RIGHT) or held - {"Shift"} or not takes_clicks():
            return
        start = np.asarray(event.pos)
        where = event.position
        background = event.button == RIGHT or "Shift" in held
        yield
        while event.type == "mouse_move":
            if np.linalg.norm(np.asarray(event.pos) - start) > DRAG_PIXELS:
                return
            # Small movements during a click must not pan the image.
            event.handled = True
            yield
        on_click(where, background)

    return on_press
