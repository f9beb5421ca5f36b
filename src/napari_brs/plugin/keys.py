"""The keys, in one table, and where they are bound.

napari asks the active layer before the viewer, so a key is bound on our own layers
as well. None of them is taken by napari on the layers it is bound on, but for undo
and redo on the preview: there every stroke of the brush is a step of our own history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from napari_brs.plugin.controller import Controller


class Key(NamedTuple):
    """One key.

    Attributes
    ----------
    key : str
        As napari writes it.
    action : str
        The method of the controller.
    on_preview : bool
        Whether it is bound on the preview, a labels layer, too.
    """

    key: str
    action: str
    on_preview: bool = True


KEYS = (
    Key("T", "toggle_sign"),
    Key("D", "commit"),
    Key("N", "new_object"),
    Key("R", "reopen_under_cursor"),
    Key("G", "segment"),
    Key("Control-Z", "undo"),
    Key("Control-Shift-Z", "redo"),
    # Labels layers end a polygon with it.
    Key("Escape", "cancel", on_preview=False),
)

Release = Callable[[], None]


def key_of(action: str) -> str:
    """The key of an action as people write it, or nothing."""
    keys = [key.key for key in KEYS if key.action == action]
    return keys[0].replace("Control", "Ctrl").replace("-", "+") if keys else ""


def bind_keys(target: Any, controller: Controller, preview: bool = False) -> Release:
    """Bind the keys on a viewer or a layer.

    Returns
    -------
    callable
        Gives the keys back to whoever had them.
    """
    before = {}
    for key in KEYS:
        if not preview or key.on_preview:
            before[key.key] = target.bind_key(
                key.key, _press(controller, key.action), overwrite=True
            )

    def release() -> None:
        for name, function in before.items():
            target.bind_key(name, function, overwrite=True)

    return release


def _press(controller: Controller, action: str) -> Callable[[Any], None]:
    def press(_target: Any) -> None:
        getattr(controller, action)()

    return press
