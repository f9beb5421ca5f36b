"""The key that shows where to click next."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import User

pytest.importorskip("napari")

from napari_brs.brs import uncertainty
from napari_brs.plugin.text import MESSAGES


def test_the_key_moves_the_view_to_the_least_certain_place_of_the_object(
    viewer: Any, user: User, dock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.add_image(np.zeros((100, 100)), scale=(2, 2), translate=(10, 30))
    controller = dock.controller
    user.wait_for(lambda: controller.image is not None)
    viewer.fit_to_view()
    user.wait(0.1)
    user.press("U")
    assert dock.status.text() == MESSAGES["all certain"]
    user.click((10 + 2 * 50, 30 + 2 * 50))
    controller.wait(20)
    # Of the fake's probabilities, 0.9 and 0.1, only those inside are within this margin.
    monkeypatch.setattr(uncertainty, "MARGIN", 0.45)
    user.press("U")
    assert dock.status.text() == MESSAGES["least certain"]
    row, column = (np.array(viewer.scene.camera.center[-2:]) - (10, 30)) / 2
    assert np.hypot(row - 50, column - 50) >= uncertainty.APART - 1


def test_else_it_is_the_least_likely_proposal(controller: Any, model: Any) -> None:
    from types import SimpleNamespace

    from napari_brs.clicks import Click

    controller.set_image_layer(model.add_image(np.zeros((100, 100))))
    proposals = [
        SimpleNamespace(confidence=confidence, clicks=(Click(row, 20),))
        for confidence, row in ((0.9, 10), (0.2, 70), (0.5, 30))
    ]
    controller.looking._completing = SimpleNamespace(proposals=lambda _: proposals)
    controller.actions["where_next"]()
    assert tuple(model.scene.camera.center[-2:]) == (70, 20)
