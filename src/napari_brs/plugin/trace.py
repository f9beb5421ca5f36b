"""A box or a stroke on the canvas while it is drawn."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_brs.plugin.mouse import Gesture

WIDTH = 2
"""Pixels on the screen."""


class Trace(QWidget):
    """Shows a gesture above the canvas; the mouse does not notice it.

    Parameters
    ----------
    canvas : QWidget
    gesture : Gesture
        It may grow; `update` shows it anew.
    colour : str
    """

    def __init__(self, canvas: QWidget, gesture: Gesture, colour: str) -> None:
        super().__init__(canvas)
        self._gesture = gesture
        self._colour = QColor(colour)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setGeometry(canvas.rect())
        self.show()

    def end(self) -> None:
        """Go away."""
        self.hide()
        self.deleteLater()

    def paintEvent(self, _event: Any) -> None:
        """Qt's hook."""
        places = [QPointF(*map(float, place[:2])) for place in self._gesture.pixels]
        painter = QPainter(self)
        painter.setPen(QPen(self._colour, WIDTH))
        if self._gesture.kind == "box":
            painter.drawRect(QRectF(places[0], places[-1]).normalized())
        else:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.drawPolyline(QPolygonF(places))
        painter.end()
