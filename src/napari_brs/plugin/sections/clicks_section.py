"""What clicks mean, and what is computed from them."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import FloatSlider, RadioButtons

from napari_brs.plugin.sections.section import Section, tooltip
from napari_brs.plugin.state import DockState
from napari_brs.plugin.text import CONTROLS, SIGNS


class ClicksSection(Section):
    """The sign of a click, how it is segmented, and the history."""

    def __init__(self) -> None:
        super().__init__("clicks")
        sign: Any = RadioButtons(
            choices=SIGNS, orientation="horizontal", name="sign", tooltip=CONTROLS["sign"].tooltip
        )
        self._add("sign", sign)
        self._add_check("run_on_click")
        self._add_check("refine")
        words = CONTROLS["threshold"]
        self._add(
            "threshold",
            FloatSlider(min=0.05, max=0.95, step=0.05, name="threshold", tooltip=words.tooltip),
        )
        self._add_buttons("segment", "cancel")
        self._add_buttons("undo", "redo", "clear")

    def _show(self, state: DockState) -> None:
        settings = state.settings
        self.controls["sign"].value = SIGNS[0 if settings.positive else 1]
        self.controls["run_on_click"].value = settings.run_on_click
        self.controls["refine"].value = settings.refine
        self.controls["threshold"].value = settings.threshold
        self.controls["segment"].tooltip = next(iter(state.problems.values()), tooltip("segment"))
        self._enable(
            segment=state.can_segment,
            cancel=state.busy,
            undo=state.can_undo,
            redo=state.can_redo,
            clear=state.can_clear,
        )
