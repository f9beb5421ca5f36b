"""A section of the dock: a title that folds it, and controls in a form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, PushButton
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_brs.plugin.keys import key_of
from napari_brs.plugin.state import Choice, DockState
from napari_brs.plugin.text import CONTROLS, SECTIONS

PROBLEM_STYLE = "QComboBox { border: 1px solid #e0a030; }"


class Section:
    """Shows a part of the dock's state; what the user does goes out as signals.

    Parameters
    ----------
    name : str
        Of its title in `SECTIONS`.

    Attributes
    ----------
    native : QWidget
    controls : dict
        Name, as in `CONTROLS`, -> magicgui widget.
    """

    chosen = Signal(str, object)
    """(control, value) The user set a control."""

    pressed = Signal(str)
    """(control) The user pressed a button."""

    def __init__(self, name: str) -> None:
        self.controls: dict[str, Any] = {}
        self._choices: dict[str, tuple[Choice, ...]] = {}
        self._showing = False
        self.native = QWidget()
        self._title = QToolButton()
        self._title.setText(SECTIONS[name])
        self._title.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._title.setAutoRaise(True)
        self._title.setStyleSheet("font-weight: bold")
        self._title.setCheckable(True)
        self._title.toggled.connect(self._on_toggled)
        self._body = QWidget()
        self._form = QFormLayout(self._body)
        self._form.setContentsMargins(8, 0, 0, 2)
        self._form.setVerticalSpacing(3)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._title)
        layout.addWidget(self._body)
        self._title.setChecked(True)

    @property
    def folded(self) -> bool:
        """Whether only the title is there."""
        return not self._title.isChecked()

    @folded.setter
    def folded(self, folded: bool) -> None:
        self._title.setChecked(not folded)

    def show(self, state: DockState) -> None:
        """Show a state; nothing of it is taken for what the user does."""
        self._showing = True
        try:
            self._show(state)
        finally:
            self._showing = False

    def _show(self, state: DockState) -> None:
        raise NotImplementedError

    def _on_toggled(self, unfolded: bool) -> None:
        self._body.setVisible(unfolded)
        arrow = Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow
        self._title.setArrowType(arrow)

    # making controls

    def _add(self, name: str, control: Any) -> None:
        """A control that holds a value, with its label beside it."""
        self.controls[name] = control
        control.changed.connect(lambda value: self._on_changed(name, value))
        label = QLabel("" if isinstance(control, CheckBox) else CONTROLS[name].label)
        label.setToolTip(CONTROLS[name].tooltip)
        self._form.addRow(label, control.native)

    def _add_box(self, name: str, nullable: bool = False) -> None:
        """A box to choose from; what there is comes with the state."""
        self._choices[name] = ()
        box = ComboBox(
            choices=lambda _: self._choices[name],
            nullable=nullable,
            name=name,
            tooltip=CONTROLS[name].tooltip,
        )
        self._add(name, box)

    def _add_check(self, name: str) -> None:
        words = CONTROLS[name]
        self._add(name, CheckBox(name=name, text=words.label, tooltip=words.tooltip))

    def _add_buttons(self, *names: str) -> None:
        """Buttons side by side."""
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        for name in names:
            button = PushButton(name=name, text=CONTROLS[name].label, tooltip=tooltip(name))
            button.changed.connect(lambda _, name=name: self.pressed.emit(name))
            self.controls[name] = button
            layout.addWidget(button.native)
        self._form.addRow(row)

    def _on_changed(self, name: str, value: Any) -> None:
        if not self._showing:
            self.chosen.emit(name, value)

    # showing a state in them

    def _show_choice(self, name: str, choices: tuple[Choice, ...], value: Any) -> None:
        box = self.controls[name]
        # Rebuilding a box takes longer than all the rest, and is seldom needed.
        if self._choices[name] != choices:
            self._choices[name] = choices
            box.reset_choices()
        # While napari removes several layers, a chosen one may be gone already.
        if value in box.choices:
            box.value = value

    def _show_problem(self, name: str, reason: str) -> None:
        """Mark a control that cannot work as it is set; its tooltip says why."""
        control = self.controls[name]
        control.tooltip = reason or CONTROLS[name].tooltip
        style = PROBLEM_STYLE if reason else ""
        # To set one takes Qt milliseconds, even if it is the one there is.
        if control.native.styleSheet() != style:
            control.native.setStyleSheet(style)

    def _enable(self, **enabled: bool) -> None:
        for name, value in enabled.items():
            self.controls[name].enabled = value


def tooltip(name: str) -> str:
    """What a button does, and its key."""
    key = key_of(name)
    return f"{CONTROLS[name].tooltip} Key: {key}" if key else CONTROLS[name].tooltip


def align(sections: Sequence[Section]) -> None:
    """Give the labels of all sections one width."""
    labels = [
        item.widget()
        for section in sections
        for row in range(section._form.rowCount())
        if (item := section._form.itemAt(row, QFormLayout.ItemRole.LabelRole)) is not None
    ]
    width = max(label.sizeHint().width() for label in labels if label is not None)
    for label in labels:
        if label is not None:
            label.setMinimumWidth(width)
