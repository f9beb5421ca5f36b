"""Proposals in the dock: shown, accepted, rejected, and taken back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import User

pytest.importorskip("napari")

from fakes import discs

from napari_brs.clicks import Click
from napari_brs.masks import Box, Mask
from napari_brs.plugin.completing import LONGEST, region_of
from napari_brs.plugin.layers.proposals import FILL, OUTLINE, RIM
from napari_brs.plugin.text import MESSAGES

SHAPE = (48, 64)
LIKELY, UNLIKELY, SURE = (10, 30, 0.8), (30, 12, 0.3), (34, 50, 0.9)


def proposed(row: int, column: int, confidence: float) -> SimpleNamespace:
    return SimpleNamespace(mask=Mask.of(discs(SHAPE, [Click(row, column)])), confidence=confidence)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `propose` was asked with; it proposes two likely objects and an unlikely one."""
    import napari_brs.completion.propose as module

    calls: list[Any] = []

    def propose(segmenter: Any, finished: Any, rejected: Any, region: Any) -> Any:
        calls.append((finished, rejected, region))
        return iter([proposed(*one) for one in (LIKELY, UNLIKELY, SURE)])

    monkeypatch.setattr(module, "propose", propose)
    return calls


def finish_one(controller: Any, viewer: Any) -> None:
    image = viewer.add_image(np.zeros(SHAPE, np.uint8), name="cells")
    controller.set_image_layer(image, look=False)
    controller.add_click(10, 10)
    controller.wait()
    assert controller.commit() == 1


@pytest.fixture
def found(controller: Any, model: Any, asked: list[Any]) -> Any:
    """A controller with a finished object, and three proposals on display."""
    finish_one(controller, model)
    controller.actions["find_rest"]()
    controller.wait()
    return controller


def layer_of(viewer: Any) -> Any:
    return next(layer for layer in viewer.layers if layer.name.startswith("proposals"))


def labels(controller: Any) -> np.ndarray:
    return np.array(controller.objects_layer.data)


def test_the_finished_objects_are_the_examples(found: Any, asked: list[Any]) -> None:
    ((finished, rejected, region),) = asked
    assert [mask == Mask.of(labels(found) == 1) for mask in finished] == [True]
    assert rejected == ()
    assert region == Box(0, 0, *SHAPE)
    assert found.state.status == MESSAGES["proposed"].format(count=3)


def test_without_a_finished_object_nothing_is_asked(
    controller: Any, model: Any, asked: list[Any]
) -> None:
    controller.set_image_layer(model.add_image(np.zeros(SHAPE, np.uint8)), look=False)
    controller.actions["find_rest"]()
    controller.wait()
    assert controller.state.status == MESSAGES["no examples"]
    assert asked == []


def test_likely_ones_are_filled_the_others_outlines_as_the_slider_says(
    found: Any, model: Any
) -> None:
    shown = layer_of(model).data
    assert shown[10, 30] == shown[34, 50] == FILL
    assert (shown[30, 12], shown[30, 6], shown[10, 24]) == (0, OUTLINE, RIM)
    assert (found.state.proposed, found.state.likely) == (3, 2)
    found.set(confidence=0.25)
    assert layer_of(model).data[30, 12] == FILL
    assert found.state.likely == 3


def test_all_likely_ones_are_accepted_in_one_step_of_undo(found: Any, model: Any) -> None:
    before = labels(found)
    found.actions["accept_all"]()
    after = labels(found)
    assert (after[10, 30], after[34, 50], after[30, 12]) == (2, 3, 0)
    assert found.state.proposed == 0
    assert not [layer for layer in model.layers if layer.name.startswith("proposals")]
    found.undo()
    np.testing.assert_array_equal(labels(found), before)
    found.redo()
    np.testing.assert_array_equal(labels(found), after)


def test_one_is_accepted_under_the_mouse(found: Any, model: Any) -> None:
    model.cursor.position = (30, 12)
    found.actions["accept"]()
    assert labels(found)[30, 12] == 2
    assert labels(found)[10, 30] == 0
    assert (found.state.proposed, layer_of(model).data[30, 6]) == (2, 0)


def test_a_rejected_one_is_an_example_against_in_the_next_round(
    found: Any, model: Any, asked: list[Any]
) -> None:
    model.cursor.position = (10, 30)
    found.actions["reject"]()
    assert found.state.proposed == 2
    found.actions["find_rest"]()
    found.wait()
    assert asked[-1][1] == (proposed(*LIKELY).mask,)


def test_beside_all_proposals_nothing_is_accepted(found: Any, model: Any) -> None:
    model.cursor.position = (2, 60)
    before = labels(found)
    found.actions["accept"]()
    np.testing.assert_array_equal(labels(found), before)
    assert found.state.status == MESSAGES["no proposal here"]


def test_proposals_cannot_be_chosen_as_objects_layer(found: Any, model: Any) -> None:
    assert not found.context.can_be_objects(layer_of(model))


def test_of_a_large_image_only_what_is_on_display_is_completed() -> None:
    image = SimpleNamespace(corner_pixels=np.array([[0, 100, 200], [0, 899, 1199]]))
    image.multiscale = False
    large = (LONGEST + 1, LONGEST + 1)
    assert region_of(image, (0, None, None), large) == Box(100, 200, 900, 1200)
    assert region_of(image, (0, None, None), SHAPE) == Box(0, 0, *SHAPE)


def test_proposals_are_found_and_accepted_with_keys_in_a_window(
    viewer: Any, user: User, dock: Any, asked: list[Any]
) -> None:
    controller = dock.controller
    finish_one(controller, viewer)
    viewer.reset_view()
    user.wait(0.2)
    user.press("F")
    user.wait_for(lambda: controller.state.proposed == 3)
    controller.wait()
    assert dock.controls["accept_all"].enabled
    viewer.cursor.position = (10, 30)
    user.press("W")
    assert labels(controller)[10, 30] == 2
    dock.controls["accept_all"].native.click()
    assert labels(controller)[34, 50] == 3
    assert not dock.controls["accept_all"].enabled
