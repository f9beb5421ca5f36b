"""A small window that lists the keys."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

from napari_brs.plugin.keys import KEYS, written
from napari_brs.plugin.text import MESSAGES


class KeysDialog(QDialog):
    """The table of keys; clicking goes on beside it.

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
        for row, key in enumerate(KEYS):
            name = QLabel(written(key.key), self)
            name.setStyleSheet("font-weight: bold")
            grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(QLabel(key.meaning, self), row, 1)
