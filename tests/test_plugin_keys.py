"""The table of keys, held against napari's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import User

pytest.importorskip("napari")

from napari.components import ViewerModel
from napari.layers import Image, Labels, Points
from napari.utils.key_bindings import coerce_keybinding

from napari_brs.plugin.controller import Controller
from napari_brs.plugin.keys import GESTURES, KEYS, Key, bind_keys, key_of
from napari_brs.plugin.text import CONTROLS


def taken(kind: type) -> set[str]:
    """Keys that napari binds on a kind of layer, or on the viewer."""
    # napari fills the tables when its key bindings are registered with the viewer.
    import napari.components.viewer_model  # noqa: F401
    from napari.utils.action_manager import action_manager
    from napari.utils.shortcuts import default_shortcuts

    found = {str(key) for cls in kind.__mro__ for key in getattr(cls, "class_keymap", {})}
    for name, keys in default_shortcuts.items():
        action = action_manager._actions.get(name)
        if action is not None and action.keymapprovider in kind.__mro__:
            found |= {str(key) for key in keys}
    return found


def names(keys: list[Key]) -> set[str]:
    return {str(coerce_keybinding(key.key)) for key in keys}


def test_the_comparison_sees_keys_that_napari_binds() -> None:
    assert {"P", "S", "Delete", "Shift+A"} <= taken(Points)
    assert {"M", "E", "Escape", "Ctrl+Z"} <= taken(Labels)
    assert {"V", "Ctrl+G", "Space"} <= taken(ViewerModel)
    assert "C" in taken(Image)


@pytest.mark.parametrize("kind", [ViewerModel, Image])
def test_no_key_is_taken_from_napari(kind: type) -> None:
    assert not names(list(KEYS)) & taken(kind)


@pytest.mark.parametrize(
    ("target", "kind", "allowed"),
    [
        ("points", Points, {"delete"}),
        ("preview", Labels, {"undo", "redo"}),
        ("objects", Labels, {"undo", "redo"}),
    ],
)
def test_on_our_layers_only_these_are_taken_over(
    target: str, kind: type, allowed: set[str]
) -> None:
    bound = [key for key in KEYS if target in key.targets]
    assert {key.action for key in bound if names([key]) & taken(kind)} <= allowed


def test_no_key_is_used_twice_and_every_action_exists(controller: Controller) -> None:
    assert len(names(list(KEYS))) == len(KEYS)
    for key in KEYS:
        assert callable(controller.actions[key.action])


def test_keys_are_given_back() -> None:
    layer = Points()

    def others(_: Points) -> None:
        """Somebody else's."""

    layer.bind_key("T", others)
    actions = dict.fromkeys([*(key.action for key in KEYS), "delete_in_points"], others)
    release = bind_keys(layer, actions, "points")
    assert len(layer.keymap) == len(KEYS)
    release()
    assert list(layer.keymap.values()) == [others]


def test_tooltips_name_the_key(dock: object, viewer: object) -> None:
    dock.controller.set_image_layer(viewer.add_image(np.zeros((9, 9))), look=False)
    for name in ("undo", "redo", "segment", "cancel", "new_object", "commit"):
        assert dock.controls[name].tooltip.endswith(f"Key: {key_of(name)}")
        assert key_of(name)
    assert set(CONTROLS) >= {"undo", "commit"}


@pytest.mark.parametrize(
    "active", ["image", "foreground_layer", "background_layer", "preview_layer"]
)
def test_keys_work_whichever_of_our_layers_is_active(
    active: str, dock: object, viewer: object, user: User
) -> None:
    viewer.add_image(np.zeros((64, 64)))
    controller = dock.controller
    user.wait()
    viewer.layers.selection.active = getattr(controller, active)
    controller.add_click(20, 20)
    controller.wait()
    user.press("Z", "Control")
    assert not controller.state.has_clicks
    user.press("Z", "Control+Shift")
    assert controller.state.has_clicks
    before = controller.settings.positive
    user.press("T")
    assert controller.settings.positive != before
    assert dock.controls["sign"].value == ("background" if before else "foreground")
    user.press("N")
    assert len(controller.session.objects) == 2
    controller.add_click(40, 40, True)
    controller.wait()
    user.press("D")
    assert controller.objects_layer.data[40, 40] == 1


def test_the_users_guide_lists_the_gestures_and_the_keys() -> None:
    guide = (Path(__file__).parents[1] / "docs" / "using.md").read_text(encoding="utf-8")
    table = guide.split("## Keys", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    keys = [[key_of(key.action), key.meaning] for key in KEYS]
    assert rows[1:] == [*map(list, GESTURES), *keys]
