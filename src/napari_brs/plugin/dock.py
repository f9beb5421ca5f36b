"""The dock: sections that show the controller's state, and tell it what the user does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_brs.plugin.controller import Controller
from napari_brs.plugin.keys_dialog import KeysDialog
from napari_brs.plugin.model_files import ask_for_model
from napari_brs.plugin.offer import MORE
from napari_brs.plugin.resolve import is_image
from napari_brs.plugin.sections.clicks_section import ClicksSection
from napari_brs.plugin.sections.frames_section import FramesSection
from napari_brs.plugin.sections.image_section import ImageSection
from napari_brs.plugin.sections.objects_section import ObjectsSection
from napari_brs.plugin.sections.proposals_section import ProposalsSection
from napari_brs.plugin.sections.section import Section, align, tooltip
from napari_brs.plugin.sections.session_section import SessionSection
from napari_brs.plugin.session_dialogs import ask_where_to_save, ask_which_to_load
from napari_brs.plugin.state import DockState
from napari_brs.plugin.text import CONTROLS, SIGNS

if TYPE_CHECKING:
    import napari


class Dock(QWidget):
    """The dock widget "BRS segmentation".

    Opening it loads no network: that waits for an image to be chosen, or for
    the mouse to come near it.

    Attributes
    ----------
    controller : Controller
        For programs; see `napari_brs.plugin.controller`.
    sections : tuple of Section
        From above.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.controller = Controller(napari_viewer)
        self.sections: tuple[Section, ...] = (
            ImageSection(),
            ClicksSection(),
            ObjectsSection(),
            ProposalsSection(),
            FramesSection(),
            SessionSection(),
        )
        self._keys: KeysDialog | None = None
        self._handlers: dict[str, Callable[[Any], None]] = {
            "image": self.controller.set_image_layer,
            "objects": self.controller.set_objects_layer,
            "object": self.controller.open_object,
            "frame": self.controller.following.show,
            "model": self._on_model,
            "recent": self.controller.session_files.open,
            "sign": lambda sign: self.controller.set(positive=sign == SIGNS[0]),
        }
        self.status = QLabel()
        self._lay_out()
        for section in self.sections:
            section.chosen.connect(self._on_chosen)
            section.pressed.connect(self._on_pressed)
        self.controller.changed.connect(self._show_state)
        self.controller.keys_wanted.connect(self._on_keys_wanted)
        self.controller.viewer.layers.events.inserted.connect(self._on_inserted)
        self.destroyed.connect(self.controller.close)
        self._choose_first()
        self.reset_choices()

    @property
    def controls(self) -> dict[str, Any]:
        """Name, as in `CONTROLS`, -> widget of magicgui."""
        return {name: one for section in self.sections for name, one in section.controls.items()}

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(4)
        for section in self.sections:
            # What does not fit is scrolled to, not squeezed.
            section.native.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
            column.addWidget(section.native)
        column.addStretch()
        # With all sections unfolded on a small screen, the status line stays in sight.
        scroll = _Scroll()
        scroll.setWidget(inside)
        self.status.setToolTip(CONTROLS["status"].tooltip)
        self.status.setWordWrap(True)
        # Room for two lines, so that nothing moves when the line gets longer.
        self.status.setMinimumHeight(2 * self.status.fontMetrics().lineSpacing() + 4)
        self.status.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.status.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.show_keys = QPushButton(CONTROLS["show_keys"].label)
        self.show_keys.setToolTip(tooltip("show_keys"))
        self.show_keys.clicked.connect(self._on_keys_wanted)
        foot = QHBoxLayout()
        foot.addWidget(self.status)
        foot.addWidget(self.show_keys, alignment=Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll)
        layout.addLayout(foot)
        # napari 0.9 leaves the height to the widget: fill the panel, controls at the top.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    # from the controls

    def _on_chosen(self, name: str, value: Any) -> None:
        if name in self._handlers:
            # Of the boxes, only that of the images has a meaning for nothing.
            if value is not None or name == "image":
                self._handlers[name](value)
        else:
            self.controller.set(**{name: value})

    def _on_model(self, model: str) -> None:
        if model == MORE:
            self.controller.offer_all_methods()
        else:
            self.controller.set(model=model)

    def _on_pressed(self, name: str) -> None:
        if name == "open_model":
            path = ask_for_model(self)
            if path is not None:
                self.controller.open_model(path)
        elif name == "save_session":
            path = ask_where_to_save(self, self.controller.image)
            if path is not None:
                self.controller.session_files.save(path)
        elif name == "load_session":
            path = ask_which_to_load(self, self.controller.image)
            if path is not None:
                self.controller.resuming.load(path)
        else:
            self.controller.actions[name]()

    def _on_keys_wanted(self) -> None:
        if self._keys is None:
            self._keys = KeysDialog(self)
        self._keys.setVisible(not self._keys.isVisible())

    # from the viewer

    def _choose_first(self) -> None:
        """Choose the active image, or the only one."""
        viewer = self.controller.viewer
        images = [layer for layer in viewer.layers if is_image(layer)]
        active = viewer.layers.selection.active
        chosen = active if active is not None and is_image(active) else None
        if chosen is None and len(images) == 1:
            chosen = images[0]
        if chosen is not None:
            self.controller.set_image_layer(chosen, look=False)

    def _on_inserted(self, *_: Any) -> None:
        # Later, when napari has finished with the new layer.
        if self.controller.state.image is None:
            QTimer.singleShot(0, self._choose_if_none)

    def _choose_if_none(self) -> None:
        if self.controller.state.image is None and not self.controller.closed:
            self._choose_first()

    def event(self, event: QEvent | None) -> bool:
        """Notice that the dock was closed: napari then takes the widget out of its parent."""
        if event is not None and event.type() == QEvent.Type.ParentChange and not self.parent():
            self.controller.close()
        return super().event(event)

    def showEvent(self, event: QShowEvent | None) -> None:
        # How wide labels are is known once napari has given its style.
        align(self.sections)
        super().showEvent(event)

    # to the controls

    def reset_choices(self, *_: Any) -> None:
        """Called by napari when layers come, go or change their names."""
        self.controller.context.update()

    def _show_state(self, state: DockState) -> None:
        for section in self.sections:
            section.show(state)
        self.status.setText(state.status)


class _Scroll(QScrollArea):
    """Scrolls up and down only, and is never narrower than what is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._width(), super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        inside = self.widget()
        return QSize(self._width(), 0 if inside is None else inside.sizeHint().height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        # napari gives its style after the dock is made, and fonts and margins with it.
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def _width(self) -> int:
        inside, bar = self.widget(), self.verticalScrollBar()
        if inside is None or bar is None:
            return 0
        return inside.minimumSizeHint().width() + bar.sizeHint().width()
