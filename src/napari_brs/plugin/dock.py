"""The dock: controls that show what the controller knows, and tell it what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSlider,
    Label,
    PushButton,
    RadioButtons,
)
from napari.layers import Image
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QSizePolicy

from napari_brs.models import list_models
from napari_brs.plugin.controller import Controller
from napari_brs.plugin.keys import key_of
from napari_brs.plugin.keys_dialog import KeysDialog
from napari_brs.plugin.model_files import ask_for_model
from napari_brs.plugin.text import CONTROLS, SIGNS, describe_object

if TYPE_CHECKING:
    import napari

DEVICES = ("auto", "cuda", "mps", "cpu")
PROBLEM_STYLE = "QComboBox { border: 1px solid #e0a030; }"


class Dock(Container):
    """The dock widget "BRS segmentation".

    Opening it loads no network: that waits for an image to be chosen, or for
    the mouse to come near it.

    Attributes
    ----------
    controller : Controller
        For programs; see `napari_brs.plugin.controller`.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        self.controller = Controller(napari_viewer)
        settings = self.controller.settings
        self._refreshing = False
        self._keys: KeysDialog | None = None
        self._shown: dict[str, list[tuple[str, Any]]] = {}
        self.image = ComboBox(choices=self._image_choices, nullable=True, **_words("image"))
        self.objects = ComboBox(choices=self._labels_choices, nullable=True, **_words("objects"))
        self.model = ComboBox(choices=self._model_choices, value=settings.model, **_words("model"))
        self.open_model, self.segment_image = _button("open_model"), _button("segment_image")
        self.show_keys = _button("show_keys")
        self.device = ComboBox(choices=DEVICES, value=settings.device, **_words("device"))
        self.refine = CheckBox(value=settings.refine, **_check("refine"))
        self.run_on_click = CheckBox(value=settings.run_on_click, **_check("run_on_click"))
        self.overwrite = CheckBox(value=settings.overwrite, **_check("overwrite"))
        self.threshold = FloatSlider(
            value=settings.threshold, min=0.05, max=0.95, step=0.05, **_words("threshold")
        )
        self.sign = RadioButtons(
            choices=SIGNS, value=SIGNS[0], orientation="horizontal", **_words("sign")
        )
        self.object = ComboBox(choices=self._object_choices, **_words("object"))
        self.segment, self.cancel = _button("segment"), _button("cancel")
        self.undo, self.redo, self.clear_clicks = _button("undo"), _button("redo"), _button("clear")
        self.new_object, self.commit = _button("new_object"), _button("commit")
        self.status = Label(value="", **_words("status"))
        # Filled afterwards: only then does magicgui give all labels one width.
        form = Container(labels=True)
        form.margins = (0, 0, 0, 0)
        form.extend(
            [
                self.image,
                self.objects,
                self.model,
                self.device,
                self.refine,
                self.run_on_click,
                self.overwrite,
                self.threshold,
                self.sign,
                self.object,
            ]
        )
        super().__init__(
            widgets=[
                form,
                _row(self.open_model, self.segment_image, self.show_keys),
                _row(self.segment, self.cancel),
                _row(self.undo, self.redo, self.clear_clicks),
                _row(self.new_object, self.commit),
                self.status,
            ],
            labels=False,
        )
        label = self.status.native
        label.setWordWrap(True)
        # Room for two lines, so that nothing moves when the line gets longer.
        label.setMinimumHeight(2 * label.fontMetrics().lineSpacing() + 4)
        label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        # napari 0.9 leaves the height to the widget: fill the panel, controls at the top.
        self.native.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.native.layout().addStretch()
        self._connect()
        self._guard = _Guard(self)
        self.native.installEventFilter(self._guard)
        self.native.destroyed.connect(self.controller.close)
        self._choose_first()
        self.refresh()

    def _connect(self) -> None:
        controller = self.controller
        controller.changed.connect(self.refresh)
        controller.keys_wanted.connect(self._on_keys_wanted)
        controller.viewer.layers.events.inserted.connect(self._on_inserted)
        self.image.changed.connect(self._on_image)
        self.objects.changed.connect(self._on_objects)
        self.object.changed.connect(self._on_object)
        for name in ("model", "device", "refine", "run_on_click", "overwrite", "threshold"):
            widget = getattr(self, name)
            widget.changed.connect(lambda value, name=name: self._on_setting(name, value))
        self.sign.changed.connect(lambda value: self._on_setting("positive", value == SIGNS[0]))
        for name in ("segment", "cancel", "undo", "redo", "new_object", "commit", "show_keys"):
            getattr(self, name).changed.connect(
                lambda _=None, name=name: getattr(controller, name)()
            )
        self.clear_clicks.changed.connect(lambda _=None: controller.clear())
        self.segment_image.changed.connect(lambda _=None: controller.converted.segment_image())
        self.open_model.changed.connect(self._on_open_model)

    # from the controls

    def _on_image(self, image: Any) -> None:
        if not self._refreshing:
            self.controller.set_image_layer(image)

    def _on_objects(self, layer: Any) -> None:
        if not self._refreshing and layer is not None:
            self.controller.set_objects_layer(layer)

    def _on_object(self, key: Any) -> None:
        if not self._refreshing and key is not None:
            self.controller.open_object(key)

    def _on_setting(self, name: str, value: Any) -> None:
        if not self._refreshing:
            self.controller.set(**{name: value})

    def _on_open_model(self, *_: Any) -> None:
        path = ask_for_model(self.native)
        if path is not None:
            self.controller.converted.open_file(path)

    def _on_keys_wanted(self) -> None:
        if self._keys is None:
            self._keys = KeysDialog(self.native)
        self._keys.setVisible(not self._keys.isVisible())

    # from the viewer

    def _choose_first(self) -> None:
        """Choose the active image, or the only one."""
        viewer = self.controller.viewer
        images = [layer for layer in viewer.layers if _is_image(layer)]
        active = viewer.layers.selection.active
        chosen = active if active is not None and _is_image(active) else None
        if chosen is None and len(images) == 1:
            chosen = images[0]
        if chosen is not None:
            self.controller.set_image_layer(chosen, look=False)

    def _on_inserted(self, *_: Any) -> None:
        # Later, when napari has finished with the new layer.
        if self.controller.image is None:
            QTimer.singleShot(0, self._choose_if_none)

    def _choose_if_none(self) -> None:
        if self.controller.image is None and not self.controller.closed:
            self._choose_first()

    # to the controls

    def reset_choices(self, *_: Any) -> None:
        """Called by napari when layers come, go or change their names."""
        self._shown.clear()
        self.refresh()

    def refresh(self) -> None:
        """Show what the controller knows."""
        controller = self.controller
        if controller.closed or self._refreshing:
            return
        self._refreshing = True
        try:
            for box, choices, value in (
                (self.image, self._image_choices, controller.image),
                (self.objects, self._labels_choices, controller.objects_layer),
                (self.object, self._object_choices, controller.session_key),
                (self.model, self._model_choices, controller.settings.model),
            ):
                self._show_choice(box, choices(box), value)
            self.sign.value = SIGNS[0 if controller.settings.positive else 1]
            self._enable()
            self.status.value = controller.status
        finally:
            self._refreshing = False

    def _show_choice(self, box: ComboBox, choices: list[tuple[str, Any]], value: Any) -> None:
        # Rebuilding a box takes longer than all the rest, and is seldom needed.
        if self._shown.get(box.name) != choices:
            box.reset_choices()
            self._shown[box.name] = choices
        # While napari removes several layers, a chosen one may be gone already.
        if value in box.choices:
            box.value = value

    def _enable(self) -> None:
        controller, session = self.controller, self.controller.session
        problems = controller.problems
        for name in ("image", "model", "device"):
            widget, reason = getattr(self, name), problems.get(name, "")
            widget.tooltip = reason or CONTROLS[name].tooltip
            style = PROBLEM_STYLE if reason else ""
            # To set one takes Qt milliseconds, even if it is the one there is.
            if widget.native.styleSheet() != style:
                widget.native.setStyleSheet(style)
        there = session is not None
        self.segment.enabled = not problems and controller.has_clicks
        self.segment.tooltip = next(iter(problems.values()), _tooltip("segment"))
        self.segment_image.enabled = not problems and controller.converted.in_use
        self.cancel.enabled = controller.busy
        self.undo.enabled = there and session.can_undo
        self.redo.enabled = there and session.can_redo
        self.commit.enabled = there and controller.has_mask
        self.clear_clicks.enabled = there and not all(
            plane.empty for plane in session.current.planes.values()
        )
        self.new_object.enabled = there and not session.current.empty
        self.objects.enabled = self.object.enabled = there

    def _image_choices(self, _widget: Any) -> list[tuple[str, Any]]:
        return [(x.name, _plain(x)) for x in self.controller.viewer.layers if _is_image(x)]

    def _labels_choices(self, _widget: Any) -> list[tuple[str, Any]]:
        controller = self.controller
        if controller.image is None:
            return []
        return [
            (layer.name, _plain(layer))
            for layer in controller.viewer.layers
            if controller.can_be_objects(layer)
        ]

    def _model_choices(self, _widget: Any) -> list[tuple[str, str]]:
        files = [(Path(path).name, path) for path in self.controller.converted.files]
        models = list_models()
        usable = [model.name for model in models if model.available]
        names = usable or [model.name for model in models]
        return [*((name, name) for name in names), *files]

    def _object_choices(self, _widget: Any) -> list[tuple[str, int]]:
        session = self.controller.session
        if session is None:
            return []
        return [(describe_object(found), found.key) for found in session.objects]


class _Guard(QObject):
    """Notices that the dock was closed: napari then takes the widget out of its parent."""

    def __init__(self, dock: Dock) -> None:
        super().__init__(dock.native)
        self._dock = dock

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ParentChange and watched.parent() is None:
            self._dock.controller.close()
        return False


def _is_image(layer: Any) -> bool:
    return isinstance(layer, Image) and layer.ndim >= 2


def _plain(layer: Any) -> Any:
    """A layer itself: Qt does not find wrapped ones among a box's choices."""
    return getattr(layer, "__wrapped__", layer)


def _words(name: str) -> dict[str, str]:
    control = CONTROLS[name]
    return {"name": name, "label": control.label, "tooltip": control.tooltip}


def _check(name: str) -> dict[str, str]:
    control = CONTROLS[name]
    return {"name": name, "text": control.label, "label": "", "tooltip": control.tooltip}


def _button(name: str) -> PushButton:
    return PushButton(name=name, text=CONTROLS[name].label, tooltip=_tooltip(name))


def _tooltip(name: str) -> str:
    key = key_of(name)
    return f"{CONTROLS[name].tooltip} Key: {key}" if key else CONTROLS[name].tooltip


def _row(*widgets: Any) -> Container:
    row = Container(widgets=list(widgets), layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row
