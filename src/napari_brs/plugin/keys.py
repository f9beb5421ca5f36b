"""The keys, in one table, and where they are bound.

napari asks the active layer before the viewer, so a key is bound on our own layers
as well. What napari has on them is left alone, but for three keys:

- Undo and redo on the preview: there every stroke of the brush is a step of our history.
- Undo and redo on the objects layer: they go back in our history and in that of napari's
  strokes, whichever comes last. All else of that layer is napari's.
- Delete on points: selected points are deleted, as napari does; if none is selected,
  napari would do nothing, and the object is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

Target = Literal["viewer", "points", "preview", "objects"]
"""What a key is bound on."""


class Key(NamedTuple):
    """One key.

    Attributes
    ----------
    key : str
        As napari writes it.
    action : str
        What it does, by name.
    meaning : str
        One line for people.
    targets : tuple of Target
        What it is bound on.
    """

    key: str
    action: str
    meaning: str
    targets: tuple[Target, ...] = ("viewer", "points", "preview")


KEYS = (
    Key("T", "toggle_sign", "clicks add background instead of foreground, and back"),
    Key("D", "commit", "commit the object, begin the next"),
    Key("N", "new_object", "begin another object; the current one stays open"),
    Key("R", "reopen_under_cursor", "reopen the finished object under the mouse"),
    Key("Delete", "delete", "delete the object under the mouse, or else the open one"),
    Key("G", "segment", "segment now"),
    # Labels layers fill with it.
    Key("F", "find_rest", "find the rest: propose what is like the objects", ("viewer", "points")),
    Key("U", "where_next", "show the least certain place of the object, or else proposal"),
    Key("W", "accept", "accept the proposal under the mouse"),
    Key("Q", "reject", "reject the proposal under the mouse"),
    Key(".", "follow_forward", "follow the objects of this plane through the next ones"),
    Key(",", "follow_backward", "follow the objects of this plane through those before"),
    Key("/", "next_doubtful", "show the next frame in which a followed object is in doubt"),
    Key(
        "Control-Z",
        "undo",
        "undo: a click, a brush stroke, a commit, a deletion",
        ("viewer", "points", "preview", "objects"),
    ),
    Key("Control-Shift-Z", "redo", "redo", ("viewer", "points", "preview", "objects")),
    # Labels layers end a polygon with it.
    Key("Escape", "cancel", "cancel; the best mask so far stays", ("viewer", "points")),
    Key("Shift-R", "resume", "resume earlier work on this image"),
    Key("H", "show_keys", "show these keys"),
)

GESTURES = (
    ("Click", "add a click of the sign in use"),
    ("Shift+click, right-click", "add a click of the other sign"),
    ("Shift+drag", "draw a box around the object"),
    ("Ctrl+click", "collect clicks; they are segmented when you let go of Ctrl"),
    ("Ctrl+drag", "scribble: a line of clicks; with Shift, too, of the other sign"),
)
"""What the mouse does, and its meaning, for people; `mouse` tells them apart."""

_ACTIONS: dict[tuple[str, str], str] = {
    ("undo", "objects"): "undo_in_objects",
    ("redo", "objects"): "redo_in_objects",
    ("delete", "points"): "delete_in_points",
}
"""Actions that mean something else on some layers."""

Release = Callable[[], None]


def key_of(action: str) -> str:
    """The key of an action as people write it, or nothing."""
    keys = [key.key for key in KEYS if key.action == action]
    return written(keys[0]) if keys else ""


def written(key: str) -> str:
    """A key as people write it, such as ``Ctrl+Z``."""
    return key.replace("Control", "Ctrl").replace("-", "+")


def bind_keys(target: Any, actions: Mapping[str, Callable[[], Any]], kind: str) -> Release:
    """Bind the keys on a viewer or a layer.

    Parameters
    ----------
    target : viewer or layer
    actions : mapping
        Name -> what it does.
    kind : Target
        What the target is.

    Returns
    -------
    callable
        Gives the keys back to whoever had them.
    """
    before = {}
    for key in KEYS:
        if kind in key.targets:
            action = actions[_ACTIONS.get((key.action, kind), key.action)]
            before[key.key] = target.bind_key(key.key, _press(action), overwrite=True)

    def release() -> None:
        for name, function in before.items():
            target.bind_key(name, function, overwrite=True)

    return release


def _press(action: Callable[[], Any]) -> Callable[[Any], None]:
    def press(_target: Any) -> None:
        action()

    return press
