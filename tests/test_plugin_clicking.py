"""Clicks: no window, and a segmenter that draws discs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import FakeSegmenter, untimed
from plugin_hands import click, disc, settle

pytest.importorskip("napari")


from napari_brs.clicks import Click


def test_a_click_gives_a_mask_in_the_preview_and_a_point(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
    assert len(controller.background_layer.data) == 0
    assert untimed(controller.state.status) == "object 1 · 1 FG · TIME · every click obeyed"
    click(controller, 20, 32, False)
    assert np.allclose(controller.background_layer.data, [[20, 32]])
    assert (
        untimed(controller.state.status)
        == "object 1 · 1 FG, 1 BG · TIME · 1 of 2 clicks not obeyed"
    )
    assert fake.predicted == [
        (Click(20, 30),),
        (Click(20, 30), Click(20, 32, False)),
    ]


def test_the_second_click_starts_from_the_first_mask(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    click(controller, 22, 30)
    assert fake.starts[0] is None
    assert fake.starts[1].clicks == (Click(20, 30),)


@pytest.mark.parametrize("place", [(-0.6, 3), (47.6, 3), (3, 63.6), (3, -7)])
def test_a_click_outside_is_not_added_and_says_so(
    place: tuple[float, float], controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    assert not controller.add_click(*place)
    assert controller.state.status == "outside the image; nothing was added"
    assert len(controller.foreground_layer.data) == 0
    assert not fake.predicted


def test_both_signs_on_one_pixel_are_refused_with_the_reason(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    assert not controller.add_click(20, 30, False)
    assert "foreground and as background" in controller.state.status
    assert len(controller.background_layer.data) == 0


def test_without_run_on_click_nothing_is_computed_until_segment(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    controller.set(run_on_click=False)
    controller.segment()
    assert controller.state.status == "click on an object first"
    click(controller, 20, 30)
    click(controller, 24, 30)
    assert not fake.predicted
    controller.segment()
    controller.wait(20)
    assert fake.predicted == [(Click(20, 30), Click(24, 30))]


def test_points_added_moved_and_deleted_with_naparis_own_tools_count(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    controller.foreground_layer.add([[20, 30]])
    controller.wait(20)
    assert fake.predicted[-1] == (Click(20, 30),)
    controller.background_layer.add([[30, 40]])
    controller.wait(20)
    assert fake.predicted[-1] == (Click(20, 30), Click(30, 40, False))
    controller.foreground_layer.data = [[25, 30]]
    controller.wait(20)
    assert set(fake.predicted[-1]) == {Click(25, 30), Click(30, 40, False)}
    # A moved point must not keep pulling at the mask from where it was.
    assert fake.starts[-1] is None
    controller.background_layer.selected_data = {0}
    controller.background_layer.remove_selected()
    controller.wait(20)
    assert fake.predicted[-1] == (Click(25, 30),)
    runs = len(fake.predicted)
    controller.undo()
    controller.undo()
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
    assert np.allclose(controller.background_layer.data, [[30, 40]])
    assert len(fake.predicted) == runs


def test_a_point_put_outside_the_image_does_not_stay(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    controller.foreground_layer.add([[20, 99]])
    assert "outside the image" in controller.state.status
    settle()
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
