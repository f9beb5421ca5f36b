"""Predictions beside the states of the clicks that they were made for."""

from __future__ import annotations

import gc
import weakref

import pytest

from napari_brs.clicks import Click
from napari_brs.plugin.predictions import Predictions
from napari_brs.session import UNDO_LIMIT, Session

FLAT = (None, None)


class Heavy:
    """Something that one would notice if it stayed in memory."""


@pytest.fixture
def session() -> Session:
    return Session((40, 50))


@pytest.fixture
def predictions() -> Predictions:
    return Predictions()


def test_undo_and_redo_find_what_was_computed(session: Session, predictions: Predictions) -> None:
    predictions.put(session.add_click(FLAT, Click(1, 2)), "m", "mask of one click", 0.5)
    predictions.put(session.add_click(FLAT, Click(3, 4, False)), "m", "mask of two clicks")
    session.undo()
    first = session.current.plane(FLAT)
    assert predictions.shown(first, "m") == "mask of one click"
    assert predictions.get(first, "m").waited == 0.5
    session.redo()
    second = session.current.plane(FLAT)
    assert predictions.shown(second, "m") == "mask of two clicks"
    assert predictions.start(second, "m") == "mask of one click"


def test_a_further_click_starts_from_the_mask_and_a_changed_one_starts_afresh(
    session: Session, predictions: Predictions
) -> None:
    predictions.put(session.add_click(FLAT, Click(1, 2)), "m", "mask")
    more = session.add_click(FLAT, Click(3, 4))
    assert predictions.start(more, "m") == "mask"
    assert predictions.shown(more, "m") == "mask"
    assert not predictions.complete(more, "m")
    moved = session.set_clicks(FLAT, [Click(9, 9)])
    assert predictions.start(moved, "m") is None
    assert predictions.shown(moved, "m") is None


def test_clicks_made_meanwhile_start_from_a_prediction_that_comes_later(
    session: Session, predictions: Predictions
) -> None:
    first = session.add_click(FLAT, Click(1, 2))
    session.add_click(FLAT, Click(3, 4))
    third = session.add_click(FLAT, Click(5, 6))
    assert predictions.start(third, "m") is None
    predictions.put(first, "m", "mask of one click")
    assert predictions.start(third, "m") == "mask of one click"
    assert predictions.start(third, "other") is None


def test_models_keep_their_own_masks_of_the_same_clicks(
    session: Session, predictions: Predictions
) -> None:
    plane = session.add_click(FLAT, Click(1, 2))
    predictions.put(plane, "a", "mask of a")
    assert predictions.complete(plane, "a")
    assert not predictions.complete(plane, "b")
    assert predictions.shown(plane, "b") is None


def test_a_mask_made_by_hand_goes_before_predictions_and_starts_the_next_one(
    session: Session, predictions: Predictions
) -> None:
    predictions.put(session.add_click(FLAT, Click(1, 2)), "m", "predicted")
    painted = session.set_mask(FLAT, "painted")
    assert predictions.shown(painted, "m") == "painted"
    assert predictions.start(session.add_click(FLAT, Click(3, 4)), "m") == "painted"
    session.undo()
    session.undo()
    assert predictions.shown(session.current.plane(FLAT), "m") == "predicted"


def test_predictions_of_finished_objects_that_undo_cannot_reach_leave_the_memory(
    session: Session, predictions: Predictions
) -> None:
    heavy = Heavy()
    kept = weakref.ref(heavy)
    predictions.put(session.add_click(FLAT, Click(1, 2)), "m", heavy)
    del heavy
    session.commit(1, "pixels")
    for step in range(UNDO_LIMIT):
        assert kept() is not None
        session.add_click(FLAT, Click(step % 40, 5))
    gc.collect()
    assert kept() is None


def test_of_an_object_with_many_clicks_only_what_undo_reaches_is_kept(
    session: Session, predictions: Predictions
) -> None:
    made = []
    for step in range(2 * UNDO_LIMIT):
        heavy = Heavy()
        made.append(weakref.ref(heavy))
        predictions.put(session.add_click(FLAT, Click(step % 40, step // 40)), "m", heavy)
    del heavy
    gc.collect()
    kept = [one() is not None for one in made]
    assert sum(kept) == UNDO_LIMIT + 1
    assert all(kept[-UNDO_LIMIT - 1 :])
