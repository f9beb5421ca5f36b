"""What the dock shows is looked up once for each change."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from plugin_hands import click, settle

from napari_brs.plugin import status


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often problems and the plane on display were looked up."""
    counts = {"problems": 0, "displayed_position": 0}

    def counted(name: str) -> Any:
        function = getattr(status, name)

        def call(*args: Any) -> Any:
            counts[name] += 1
            return function(*args)

        return call

    for name in counts:
        monkeypatch.setattr(status, name, counted(name))
    return counts


def act(controller: Any, model: Any, action: str) -> None:
    if action == "click":
        click(controller, 20, 30)
    elif action == "commit":
        controller.commit()
    elif action == "undo":
        controller.undo()
    elif action == "slice":
        model.dims.set_point(0, 2)
    elif action == "setting":
        controller.set(refine=False)
    elif action == "delete":
        controller.delete()
    settle()


@pytest.mark.parametrize("action", ["click", "commit", "undo", "slice", "setting", "delete"])
def test_problems_and_plane_are_looked_up_once_for_each_change(
    action: str, model: Any, controller: Any, counts: dict[str, int]
) -> None:
    controller.set_image_layer(model.add_image(np.zeros((3, 48, 64), np.uint16)), look=False)
    click(controller, 20, 20)
    told: list[Any] = []
    controller.changed.connect(told.append)
    counts.update(problems=0, displayed_position=0)
    act(controller, model, action)
    assert told
    assert counts == {"problems": len(told), "displayed_position": len(told)}


def test_a_click_is_few_changes(model: Any, controller: Any) -> None:
    """The click, the job, what the worker tells, and its end."""
    controller.set_image_layer(model.add_image(np.zeros((48, 64), np.uint16)), look=False)
    click(controller, 20, 20)
    told: list[Any] = []
    controller.changed.connect(told.append)
    click(controller, 20, 30)
    assert len(told) <= 6


def test_a_state_is_what_was_then_and_cannot_be_changed(model: Any, controller: Any) -> None:
    controller.set_image_layer(model.add_image(np.zeros((48, 64), np.uint16)), look=False)
    before = controller.state
    click(controller, 20, 30)
    assert not before.has_clicks
    assert controller.state.has_clicks
    with pytest.raises(FrozenInstanceError):
        controller.state.label = 7
    with pytest.raises(TypeError):
        controller.state.problems["model"] = "none"
    with pytest.raises(FrozenInstanceError):
        controller.settings.model = "other"
