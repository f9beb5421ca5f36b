"""Undo and redo: no window, and a segmenter that draws discs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import FakeSegmenter
from plugin_hands import click, disc

pytest.importorskip("napari")


from napari_brs.clicks import Click

# undo and redo


def test_undo_and_redo_of_clicks_and_commits_compute_nothing(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    click(controller, 24, 30)
    controller.commit()
    click(controller, 40, 55)
    runs = len(fake.predicted)
    objects, preview = controller.objects_layer, controller.preview_layer
    controller.undo()
    assert not preview.data.any()
    controller.undo()
    assert not objects.data.any()
    assert np.array_equal(preview.data != 0, disc(20, 30) | disc(24, 30))
    assert controller.state.label == 1
    controller.undo()
    assert np.array_equal(preview.data != 0, disc(20, 30))
    assert np.allclose(controller.foreground_layer.data, [[20, 30]])
    for _ in range(3):
        controller.redo()
    assert np.array_equal(objects.data == 1, disc(20, 30) | disc(24, 30))
    assert np.array_equal(preview.data != 0, disc(40, 55))
    assert len(fake.predicted) == runs
    # The warm start came back too.
    controller.undo()
    controller.undo()
    click(controller, 22, 34)
    assert fake.starts[-1].clicks == (Click(20, 30), Click(24, 30))


def test_naparis_own_undo_takes_a_commit_back(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    controller.commit()
    controller.objects_layer.undo()
    assert not controller.objects_layer.data.any()
    controller.undo()
    assert not controller.objects_layer.data.any()
    assert controller.state.has_clicks


def test_undo_leaves_pixels_alone_that_others_wrote_since(controller: Any, image: Any) -> None:
    click(controller, 20, 30)
    controller.commit()
    controller.objects_layer.data_setitem((np.array([20]), np.array([30])), 9)
    controller.undo()
    assert controller.objects_layer.data.sum() == 9


# undo over the objects layer


def test_undo_in_the_objects_layer_goes_back_in_the_order_things_were_done(
    controller: Any, image: Any
) -> None:
    objects = controller.objects_layer
    corner = (np.array([0]), np.array([0]))
    click(controller, 20, 30)
    objects.data_setitem(corner, 5)
    click(controller, 24, 30)
    objects.data_setitem(corner, 6)
    seen = []
    for _ in range(4):
        controller.history.undo_in_objects()
        clicks = len(controller.session.current.plane((None, None)).clicks)
        seen.append((int(objects.data[0, 0]), clicks))
    assert seen == [(5, 2), (5, 1), (0, 1), (0, 0)]
    for expected in [(0, 1), (5, 1), (5, 2), (6, 2)]:
        controller.history.redo_in_objects()
        clicks = len(controller.session.current.plane((None, None)).clicks)
        assert (int(objects.data[0, 0]), clicks) == expected


def test_undo_in_the_objects_layer_never_brings_back_what_undo_took(
    controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    controller.commit()
    for _ in range(5):
        controller.history.undo_in_objects()
    assert not controller.objects_layer.data.any()
    controller.history.redo_in_objects()
    controller.history.redo_in_objects()
    assert np.array_equal(controller.objects_layer.data == 1, disc(20, 30))
