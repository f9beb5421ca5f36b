"""The dialogs with which a network of the user's own is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_brs.converted.files import SUFFIXES
from napari_brs.plugin.text import MESSAGES


def ask_for_model(parent: Any) -> str | None:
    """Let the user choose a file, and say whether it is trusted.

    Parameters
    ----------
    parent : QWidget
        Over which the dialogs appear.

    Returns
    -------
    str or None
        Its path; None if none was chosen, or it is not trusted.
    """
    patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
    path, _ = QFileDialog.getOpenFileName(
        parent, MESSAGES["open a model"], "", f"{MESSAGES['model files']} ({patterns})"
    )
    if not path or not _is_trusted(parent, path):
        return None
    return path


def _is_trusted(parent: Any, path: str) -> bool:
    answer = QMessageBox.warning(
        parent,
        MESSAGES["open a model"],
        MESSAGES["runs code"].format(name=Path(path).name),
        QMessageBox.StandardButton.Open | QMessageBox.StandardButton.Cancel,
        QMessageBox.StandardButton.Cancel,
    )
    return bool(answer == QMessageBox.StandardButton.Open)
