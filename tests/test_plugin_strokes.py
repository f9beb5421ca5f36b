from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Labels

from napari_brs.clicks import Click
from napari_brs.plugin.layers.strokes import Strokes
from napari_brs.session import Session

FLAT = (None, None)


@pytest.fixture
def session() -> Session:
    return Session((6, 8))


@pytest.fixture
def layer() -> Labels:
    return Labels(np.zeros((6, 8), np.uint16))


def paint(layer: Labels, label: int) -> None:
    layer.data_setitem((np.array([0]), np.array([0])), label)


def test_a_stroke_is_undone_and_redone_if_it_came_last(session: Session, layer: Labels) -> None:
    strokes = Strokes(layer)
    session.add_click(FLAT, Click(1, 1))
    paint(layer, 3)
    strokes.note(session)
    assert strokes.undo(session)
    assert layer.data[0, 0] == 0
    assert strokes.redo(session)
    assert layer.data[0, 0] == 3


def test_a_step_of_the_session_after_a_stroke_goes_first(session: Session, layer: Labels) -> None:
    strokes = Strokes(layer)
    paint(layer, 3)
    strokes.note(session)
    session.add_click(FLAT, Click(1, 1))
    assert not strokes.undo(session)
    session.undo()
    assert strokes.undo(session)
    assert layer.data[0, 0] == 0


def test_strokes_under_what_the_dock_wrote_are_out_of_reach(
    session: Session, layer: Labels
) -> None:
    strokes = Strokes(layer)
    paint(layer, 3)
    strokes.note(session)
    paint(layer, 4)
    strokes.bury()
    assert not strokes.undo(session)
    assert not strokes.redo(session)
    assert layer.data[0, 0] == 4
