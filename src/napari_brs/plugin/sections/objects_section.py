"""The objects, and the layer that finished ones are written to."""

from __future__ import annotations

from napari_brs.plugin.sections.section import Section
from napari_brs.plugin.state import DockState


class ObjectsSection(Section):
    """Which object takes the clicks, and how it is finished."""

    def __init__(self) -> None:
        super().__init__("objects")
        self._add_box("objects", nullable=True)
        self._add_box("object")
        self._add_check("overwrite")
        self._add_buttons("new_object", "commit")

    def _show(self, state: DockState) -> None:
        self._show_choice("objects", state.labels, state.objects_layer)
        self._show_choice("object", state.objects, state.object)
        self.controls["overwrite"].value = state.settings.overwrite
        there = state.image is not None
        self._enable(
            objects=there, object=there, new_object=state.has_object, commit=state.has_mask
        )
