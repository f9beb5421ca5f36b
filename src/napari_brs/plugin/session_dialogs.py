"""The dialogs with which session files are chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog

from napari_brs.io.session_places import SUFFIX
from napari_brs.plugin.text import MESSAGES

_KIND = f"{MESSAGES['session files']} (*{SUFFIX})"


def ask_where_to_save(parent: Any, image: Any) -> str | None:
    """Let the user name a file for the session of an image layer; None if none was named."""
    there = Path(image.source.path or image.name)
    start = str(there.with_name(there.name + SUFFIX))
    path, _ = QFileDialog.getSaveFileName(parent, MESSAGES["save a session"], start, _KIND)
    return path or None


def ask_which_to_load(parent: Any, image: Any) -> str | None:
    """Let the user choose a session file; None if none was chosen."""
    there = image.source.path
    start = "" if there is None else str(Path(there).parent)
    path, _ = QFileDialog.getOpenFileName(parent, MESSAGES["load a session"], start, _KIND)
    return path or None
