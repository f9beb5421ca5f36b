"""The rest of a frame, proposed from its finished objects."""

from __future__ import annotations

from magicgui.widgets import FloatSlider

from napari_brs.plugin.sections.section import Section
from napari_brs.plugin.state import DockState
from napari_brs.plugin.text import CONTROLS


class ProposalsSection(Section):
    """Has objects proposed, and says which are accepted."""

    def __init__(self) -> None:
        super().__init__("proposals")
        tip = CONTROLS["confidence"].tooltip
        slider = FloatSlider(min=0.05, max=0.95, step=0.05, name="confidence", tooltip=tip)
        self._add("confidence", slider)
        self._add_buttons("find_rest", "accept_all", "discard")

    def _show(self, state: DockState) -> None:
        self.controls["confidence"].value = state.settings.confidence
        there = state.image is not None and not state.problems
        self._enable(find_rest=there, accept_all=bool(state.likely), discard=bool(state.proposed))
