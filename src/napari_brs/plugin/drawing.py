"""Boxes and strokes drawn on the canvas."""

from __future__ import annotations

from itertools import product

import numpy as np

from napari_brs.clicks import Click
from napari_brs.masks import Box
from napari_brs.plugin.clicking import Clicking
from napari_brs.plugin.context import Context
from napari_brs.plugin.events import Events
from napari_brs.plugin.layers.points import BACKGROUND, FOREGROUND
from napari_brs.plugin.mouse import DRAG_PIXELS, Gesture
from napari_brs.plugin.text import MESSAGES
from napari_brs.plugin.trace import Trace
from napari_brs.prompts.stroke import stroke_clicks

SPACING = 25
"""Pixels on the screen between the clicks of a stroke: who zooms in wants more of them."""
MOST = 32
"""Clicks of one stroke."""


class Drawing:
    """Shows what is drawn, and makes prompts of it; each is one step of undo."""

    def __init__(self, context: Context, events: Events, clicking: Clicking) -> None:
        self._context = context
        self._clicking = clicking
        self._trace: Trace | None = None
        events.drawing.connect(self._on_drawing)
        events.drawn.connect(self._on_drawn)

    def add_box(self, box: Box) -> bool:
        """Put a box around the object; as `Controller.add_box`."""
        context = self._context
        try:
            position = context.position
            assert context.work is not None
            context.make_layers()
            context.take_paint()
            context.work.session.set_box(position, box)
        except ValueError as error:
            context.say(str(error))
            return False
        self._clicking.segment_changed()
        return True

    def _on_drawing(self, gesture: Gesture) -> None:
        if gesture.canvas is None:
            return
        if self._trace is None:
            positive = gesture.kind == "box" or self._positive(gesture)
            colour = FOREGROUND if positive else BACKGROUND
            self._trace = Trace(gesture.canvas, gesture, colour)
        self._trace.update()

    def _on_drawn(self, gesture: Gesture) -> None:
        if self._trace is not None:
            self._trace.end()
            self._trace = None
        try:
            if gesture.kind == "box":
                self._draw_box(gesture)
            else:
                self._draw_stroke(gesture)
        except ValueError as error:
            self._context.say(str(error))

    def _draw_box(self, gesture: Gesture) -> None:
        if min(abs(gesture.pixels[-1] - gesture.pixels[0])[:2]) <= DRAG_PIXELS:
            return  # a click on which the hand slipped
        # All four, as the image may lie askew in the world.
        corners = np.array([self._plane_point(at) for at in self._corners(gesture)])
        rows, columns = self._plane_shape()
        top, left = np.maximum(np.floor(corners.min(0) + 0.5), 0).astype(int).tolist()
        bottom, right = (np.floor(corners.max(0) + 0.5) + 1).astype(int).tolist()
        box = Box(top, left, min(bottom, rows), min(right, columns))
        if box.height < 1 or box.width < 1:
            raise ValueError(MESSAGES["outside"])
        self.add_box(box)

    def _draw_stroke(self, gesture: Gesture) -> None:
        context = self._context
        points = [self._plane_point(at) for at in gesture.world]
        length = np.hypot(*np.diff(np.array(gesture.pixels)[:, :2], axis=0).T).sum()
        count = int(np.clip(1 + round(length / SPACING), 2, MOST))
        shape = self._plane_shape()
        assert context.work is not None
        there = context.work.session.current.plane(context.position).clicks
        clicks = stroke_clicks(points, self._positive(gesture), count, shape, there)
        if not clicks:
            raise ValueError(MESSAGES["outside"])
        self._clicking.add_clicks(clicks, gesture.more)

    def _corners(self, gesture: Gesture) -> list[list[float]]:
        """The corners of a box in the world."""
        first, last = gesture.world[0], gesture.world[-1]
        down, across = self._context.viewer.dims.displayed
        found = []
        for vertical, horizontal in product((first, last), repeat=2):
            corner = list(first)
            corner[down], corner[across] = vertical[down], horizontal[across]
            found.append(corner)
        return found

    def _plane_point(self, world: object) -> tuple[float, float]:
        click: Click = self._context.to_plane(world, True)
        return click.row, click.column

    def _plane_shape(self) -> tuple[int, int]:
        assert self._context.work is not None
        return self._context.work.session.plane_shape(self._context.position)

    def _positive(self, gesture: Gesture) -> bool:
        return self._context.settings.positive != gesture.other_sign
