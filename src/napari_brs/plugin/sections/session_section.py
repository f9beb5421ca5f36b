"""Earlier work on the image, and files to keep it in."""

from __future__ import annotations

from magicgui.widgets import Label

from napari_brs.plugin.sections.section import Section
from napari_brs.plugin.state import DockState
from napari_brs.plugin.text import CONTROLS


class SessionSection(Section):
    """Resumes earlier work, saves and loads sessions."""

    def __init__(self) -> None:
        super().__init__("session")
        self._add_buttons("resume")
        self._add_buttons("save_session", "load_session")
        self._add_box("recent", nullable=True)
        saved = Label(name="saved", tooltip=CONTROLS["saved"].tooltip)
        # Why it cannot be saved may be a long line.
        saved.native.setWordWrap(True)
        self._add("saved", saved)

    def _show(self, state: DockState) -> None:
        resume = CONTROLS["resume"].label
        text = f"{resume}: {state.resumable}" if state.resumable else resume
        if self.controls["resume"].text != text:
            self.controls["resume"].text = text
        self._show_choice("recent", state.recent, None)
        self.controls["saved"].value = state.saved
        there = state.image is not None
        self._enable(resume=bool(state.resumable), save_session=there, load_session=there)
