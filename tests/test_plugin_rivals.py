"""Classical methods in the dock: chosen like networks, without weights and without refinement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_brs.models import list_models
from napari_brs.plugin.controller import Controller

RIVALS = [info.name for info in list_models() if info.kind == "classical"]


@pytest.fixture
def controller(model: Any) -> Iterator[Controller]:
    controller = Controller(model)
    controller.set(device="cpu")
    yield controller
    controller.close()
    controller.wait(30)


def scene() -> np.ndarray:
    """A bright rectangle on dark ground, with a little noise."""
    image = np.random.default_rng(0).normal(0.2, 0.02, (120, 160))
    image[40:80, 50:90] += 0.6
    return (image.clip(0, 1) * 65535).astype(np.uint16)


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_segments_and_commits_in_the_dock(
    name: str, model: Any, controller: Controller
) -> None:
    controller.set(model=name)
    controller.set_image_layer(model.add_image(scene()), look=False)
    assert not controller.state.problems
    assert controller.add_click(60, 70)
    controller.wait(60)
    truth = np.zeros((120, 160), bool)
    truth[40:80, 50:90] = True
    mask = controller.preview_layer.data != 0
    assert np.count_nonzero(mask ^ truth) < 0.05 * np.count_nonzero(truth), controller.state.status
    assert controller.state.status.endswith("every click obeyed")
    label = controller.commit()
    assert label == 1
    before = np.count_nonzero(controller.objects_layer.data == 1)
    assert before > 0.9 * np.count_nonzero(truth)


def test_refinement_off_or_on_gives_a_rivals_same_mask(model: Any, controller: Controller) -> None:
    controller.set(model="grow-cut")
    controller.set_image_layer(model.add_image(scene()), look=False)
    masks = []
    for refine in (True, False):
        controller.set(refine=refine)
        controller.add_click(60, 70)
        controller.wait(60)
        masks.append(controller.preview_layer.data != 0)
        controller.clear()
        controller.wait(60)
    assert masks[0].any()
    np.testing.assert_array_equal(*masks)


def test_without_any_weights_the_dock_starts_with_what_needs_none(
    model: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    import napari_brs.models

    monkeypatch.setattr(napari_brs.models, "WEIGHTS", tmp_path)
    controller = Controller(model)
    assert controller.settings.model == RIVALS[0]
    assert not controller.state.problems.get("model")
    controller.close()
    controller.wait(30)
