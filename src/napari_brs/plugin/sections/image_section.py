"""The image, and the model that segments it."""

from __future__ import annotations

from magicgui.widgets import ComboBox

from napari_brs.plugin.sections.section import Section
from napari_brs.plugin.state import DockState
from napari_brs.plugin.text import CONTROLS

DEVICES = ("auto", "cuda", "mps", "cpu")


class ImageSection(Section):
    """Image, model and device."""

    def __init__(self) -> None:
        super().__init__("image")
        self._add_box("image", nullable=True)
        self._add_box("model")
        self._add_buttons("open_model", "segment_image")
        words = CONTROLS["device"]
        self._add("device", ComboBox(choices=DEVICES, name="device", tooltip=words.tooltip))

    def _show(self, state: DockState) -> None:
        self._show_choice("image", state.images, state.image)
        self._show_choice("model", state.models, state.settings.model)
        self.controls["device"].value = state.settings.device
        for name in ("image", "model", "device"):
            self._show_problem(name, state.problems.get(name, ""))
        self._enable(segment_image=state.whole_image and not state.problems)
