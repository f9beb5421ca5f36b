"""Gestures on the canvas: clicks, boxes and strokes; a plain drag still moves the image.

| drag with | is |
|---|---|
| Shift | a box |
| Ctrl, or Ctrl and Shift, or Ctrl and the right button | a stroke |
| anything else, or in the 3D view | napari's: pan, zoom, the zoom box on Alt |
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from qtpy.QtWidgets import QApplication, QWidget

LEFT, RIGHT = 1, 2
DRAG_PIXELS = 5
"""A press that moves further on the screen is a drag."""

Kind = Literal["click", "box", "stroke"]


@dataclass
class Gesture:
    """What the mouse did between a press and its release.

    Attributes
    ----------
    kind : Kind
    other_sign : bool
        Whether Shift or the right button asked for the other sign.
    canvas : QWidget or None
        On which it is made.
    more : bool
        Whether Ctrl was still held at the end, so that more clicks are to come.
    pixels : list of (2,) array
        Where the mouse was on the canvas, (x, y).
    world : list of tuple of float
        Where it was in the viewer's world.
    """

    kind: Kind
    other_sign: bool
    canvas: QWidget | None = None
    more: bool = False
    pixels: list[Any] = field(default_factory=list)
    world: list[Any] = field(default_factory=list)

    def follow(self, event: Any) -> None:
        """Take in where the mouse is now."""
        self.pixels.append(np.array(event.pos))
        self.world.append(event.position)
        self.more = "Control" in _held(event)


def gesture_callback(
    takes_clicks: Callable[[], bool],
    on_draw: Callable[[Gesture], None],
    on_end: Callable[[Gesture], None],
) -> Callable[[Any, Any], Generator[None, None, None]]:
    """A mouse drag callback for the viewer.

    Parameters
    ----------
    takes_clicks : callable
        Whether a gesture now is meant for us.
    on_draw : callable
        Takes a box or a stroke each time that it grows.
    on_end : callable
        Takes every gesture once, at its end.
    """

    def on_press(viewer: Any, event: Any) -> Generator[None, None, None]:
        held = _held(event)
        # Alt draws napari's zoom box.
        if event.button not in (LEFT, RIGHT) or held - {"Shift", "Control"} or not takes_clicks():
            return
        drag = _meaning(event.button, held) if viewer.dims.ndisplay == 2 else None
        gesture = Gesture("click", event.button == RIGHT or "Shift" in held, _canvas(event))
        gesture.follow(event)
        yield
        while event.type == "mouse_move":
            if np.linalg.norm(np.asarray(event.pos) - gesture.pixels[0]) > DRAG_PIXELS:
                if drag is None:
                    return
                gesture.kind = drag
            # Small movements during a click must not pan the image.
            event.handled = True
            gesture.follow(event)
            if gesture.kind != "click":
                on_draw(gesture)
            yield
        gesture.follow(event)
        on_end(gesture)

    return on_press


def _canvas(event: Any) -> QWidget | None:
    """The widget under the mouse; an event of a program has none."""
    native = getattr(event, "native", None)
    return None if native is None else QApplication.widgetAt(native.globalPosition().toPoint())


def _held(event: Any) -> set[str]:
    return {str(getattr(key, "name", key)) for key in event.modifiers}


def _meaning(button: int, held: set[str]) -> Kind | None:
    """What a drag means; None if it is napari's."""
    if "Control" in held:
        return "stroke"
    return "box" if button == LEFT and held == {"Shift"} else None
