"""A small window that lists what the mouse and the keys do."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

from napari_brs.plugin.keys import GESTURES, KEYS, written
from napari_brs.plugin.text import MESSAGES


class KeysDialog(QDialog):
    """The table of gestures and keys; clicking goes on beside it.

    Parameters
    ----------
    parent : QWidget
        Whose colours it has.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(MESSAGES["keys"])
        self.setModal(False)
        grid = QGridLayout(self)
        grid.setHorizontalSpacing(16)
        lines = [*GESTURES, *((written(key.key), key.meaning) for key in KEYS)]
        for row, (how, meaning) in enumerate(lines):
            name = QLabel(how, self)
            name.setStyleSheet("font-weight: bold")
            grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(QLabel(meaning, self), row, 1)
