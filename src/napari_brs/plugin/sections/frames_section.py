"""Through time or depth: objects followed, and how each frame stands."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_brs.plugin.sections.section import Section
from napari_brs.plugin.state import DockState, FrameMark
from napari_brs.plugin.text import CONTROLS
from napari_brs.plugin.tracks import DOUBTFUL

# Of the palette of Okabe and Ito, which colour-blind people tell apart.
SURE, IN_DOUBT = QColor("#0072b2"), QColor("#e69f00")
BY_HAND, NOTHING, HERE = QColor("#ffffff"), QColor("#808080"), QColor("#000000")
HEIGHT = 18


class FramesSection(Section):
    """Has objects followed; shows the frames as a strip that is clicked to go to one."""

    def __init__(self) -> None:
        super().__init__("frames")
        self._add_buttons("follow_backward", "follow_both", "follow_forward")
        self.strip = Strip(lambda frame: self.chosen.emit("frame", frame))
        self._form.addRow(self.strip)
        self._add_buttons("next_doubtful")

    def _show(self, state: DockState) -> None:
        there = state.can_follow and not state.problems
        self._enable(
            follow_backward=there,
            follow_both=there,
            follow_forward=there,
            next_doubtful=bool(state.frames),
        )
        self.strip.show_marks(state.frames, state.frame)


class Strip(QWidget):
    """A row of frames, each coloured by how it stands.

    Parameters
    ----------
    on_chosen : callable
        Gets the frame that was clicked on.
    """

    def __init__(self, on_chosen: Callable[[int], None]) -> None:
        super().__init__()
        self._on_chosen = on_chosen
        self._marks: tuple[FrameMark, ...] = ()
        self._frame = 0
        self.setToolTip(CONTROLS["frames"].tooltip)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(120, HEIGHT)

    def show_marks(self, marks: tuple[FrameMark, ...], frame: int) -> None:
        """Show frames, and which of them is on display."""
        if (marks, frame) != (self._marks, self._frame):
            self._marks, self._frame = marks, frame
            self.setVisible(bool(marks))
            self.update()

    def frame_at(self, x: float) -> int:
        """The frame at a horizontal position in the widget."""
        return min(max(0, int(x * len(self._marks) / max(1, self.width()))), len(self._marks) - 1)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        count = len(self._marks)
        edges = [round(i * self.width() / max(1, count)) for i in range(count + 1)]
        for i, mark in enumerate(self._marks):
            left, width = edges[i], max(1, edges[i + 1] - edges[i])
            gap = 1 if width > 3 else 0
            painter.fillRect(left, 0, width - gap, HEIGHT, colour_of(mark))
        if self._marks:
            left, right = edges[self._frame], edges[self._frame + 1]
            painter.setPen(HERE)
            painter.drawRect(left, 0, max(2, right - left - 1), HEIGHT - 1)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and self._marks and event.button() == Qt.MouseButton.LeftButton:
            self._on_chosen(self.frame_at(event.position().x()))


def colour_of(mark: FrameMark) -> QColor:
    """What a frame looks like; doubt goes before all else."""
    if mark.confidence is not None and mark.confidence < DOUBTFUL:
        return IN_DOUBT
    if mark.keyframe:
        return BY_HAND
    return NOTHING if mark.confidence is None else SURE
