from __future__ import annotations

import subprocess
import sys

import pytest

from napari_brs.clicks import Click
from napari_brs.masks import Box
from napari_brs.session import UNDO_LIMIT, PlaneState, Session

FLAT = (None, None)


def flat(**settings: object) -> Session:
    return Session((40, 50), **settings)  # type: ignore[arg-type]


def clicks(session: Session, position: tuple = FLAT) -> tuple[Click, ...]:
    return session.current.plane(position).clicks


def test_undo_and_redo_bring_back_the_very_states_of_the_clicks() -> None:
    session = flat()
    first = session.add_click(FLAT, Click(1, 2))
    second = session.add_click(FLAT, Click(3, 4, False))
    assert session.undo()
    assert clicks(session) == (Click(1, 2),)
    assert session.current.plane(FLAT) is first
    assert session.redo()
    assert session.current.plane(FLAT) is second
    assert second.previous is first
    assert session.undo()
    assert session.undo()
    assert not session.undo()
    assert clicks(session) == ()


def test_a_new_click_after_undo_forgets_what_could_be_redone() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    session.undo()
    session.add_click(FLAT, Click(5, 6))
    assert not session.redo()
    assert clicks(session) == (Click(5, 6),)


def test_states_never_change_afterwards() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    before = session.state
    session.add_click(FLAT, Click(3, 4))
    session.commit(1)
    assert before.objects[before.current].plane(FLAT).clicks == (Click(1, 2),)
    with pytest.raises(TypeError):
        before.objects[0] = None  # type: ignore[index]


@pytest.mark.parametrize("click", [Click(40, 0), Click(0, -0.6), Click(float("nan"), 0)])
def test_a_click_off_the_plane_is_refused_and_changes_nothing(click: Click) -> None:
    session = flat()
    with pytest.raises(ValueError, match=r"outside the image|not finite"):
        session.add_click(FLAT, click)
    assert not session.can_undo


def test_a_pixel_cannot_be_both_foreground_and_background() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    with pytest.raises(ValueError, match="foreground and as background"):
        session.add_click(FLAT, Click(1.2, 2.2, False))


def test_what_is_known_of_the_size_stays_with_the_first_click() -> None:
    session = Session((40, 50))
    session.add_click(FLAT, Click(3, 4), 12.5)
    session.add_click(FLAT, Click(5, 6), 99.0)
    assert session.current.plane(FLAT).size_hint == 12.5
    session.set_mask(FLAT, object())
    session.set_clicks(FLAT, [Click(7, 8)], 99.0)
    assert session.current.plane(FLAT).size_hint == 12.5
    session.clear()
    session.add_click(FLAT, Click(3, 4))
    assert session.current.plane(FLAT).size_hint is None


def test_a_further_click_continues_the_state_before_and_a_moved_one_does_not() -> None:
    session = flat()
    first = session.add_click(FLAT, Click(1, 2))
    assert session.add_click(FLAT, Click(3, 4)).previous is first
    assert session.set_clicks(FLAT, [Click(9, 9)]).previous is None


def test_clicks_after_a_mask_made_by_hand_start_from_it() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    painted = session.set_mask(FLAT, "painted")
    assert painted.by_hand
    assert painted.clicks == (Click(1, 2),)
    after = session.add_click(FLAT, Click(3, 4))
    assert (after.edited, after.start_mask, after.previous) == (None, "painted", None)
    assert session.add_click(FLAT, Click(5, 6)).start_mask == "painted"


def test_planes_of_a_stack_have_clicks_of_their_own() -> None:
    session = Session((3, 40, 50))
    session.add_click((0, None, None), Click(1, 2))
    session.add_click((2, None, None), Click(3, 4))
    session.add_click((None, 39, None), Click(2, 49))
    assert clicks(session, (0, None, None)) == (Click(1, 2),)
    assert clicks(session, (1, None, None)) == ()
    assert session.plane_shape((None, 39, None)) == (3, 50)


@pytest.mark.parametrize(
    "position", [(None, None), (3, None, None), (-1, None, None), (None, None, None), (0, 0, None)]
)
def test_what_is_no_plane_of_the_image_is_refused(position: tuple) -> None:
    with pytest.raises(ValueError, match="position"):
        Session((3, 40, 50)).add_click(position, Click(0, 0))


def test_commit_keeps_the_clicks_with_the_object_and_begins_another() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    key = session.current.key
    session.commit(7, "pixels")
    assert session.current.empty
    assert session.highest_label == 7
    session.open(key)
    assert clicks(session) == (Click(1, 2),)
    assert session.current.label == 7
    assert session.current.written == "pixels"


def test_an_id_is_given_once() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    session.commit(7)
    session.add_click(FLAT, Click(3, 4))
    with pytest.raises(ValueError, match="id 7 is taken"):
        session.commit(7)
    with pytest.raises(ValueError, match="ids begin at 1"):
        session.commit(0)


def test_opening_another_object_loses_none_and_leaves_no_empty_ones() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    first = session.current.key
    session.new_object()
    session.new_object()
    assert len(session.objects) == 2
    session.open(first)
    assert [found.key for found in session.objects] == [first]
    session.new_object()
    session.add_click(FLAT, Click(3, 4))
    assert [len(found.plane(FLAT).clicks) for found in session.objects] == [1, 1]
    with pytest.raises(ValueError, match="no object 99"):
        session.open(99)


def test_opening_with_masks_takes_what_was_changed_by_hand() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    key = session.current.key
    session.commit(1)
    session.open(key, {FLAT: "changed"})
    assert session.current.plane(FLAT).edited == "changed"
    assert clicks(session) == (Click(1, 2),)


def test_clear_empties_the_object_and_undo_fills_it_again() -> None:
    session = Session((3, 40, 50))
    session.add_click((0, None, None), Click(1, 2))
    session.clear()
    assert session.current.empty
    # The planes stay known: a committed object that is cleared must vanish from them.
    assert list(session.current.planes) == [(0, None, None)]
    session.undo()
    assert clicks(session, (0, None, None)) == (Click(1, 2),)


def test_history_is_bounded_and_finished_objects_become_light() -> None:
    session = flat()
    plane = session.add_click(FLAT, Click(1, 2))
    key = session.current.key
    session.commit(1, "pixels")
    for step in range(UNDO_LIMIT):
        session.add_click(FLAT, Click(step % 40, 5))
        assert session.state.objects[key].plane(FLAT).clicks == (Click(1, 2),)
    assert session.state.objects[key].written is None
    assert session.state.objects[key].plane(FLAT) is not plane
    undone = 0
    while session.undo():
        undone += 1
        assert session.state.objects[key].written is None
    assert undone == UNDO_LIMIT


def test_what_undo_can_still_reach_is_not_forgotten() -> None:
    session = flat()
    plane = session.add_click(FLAT, Click(1, 2))
    key = session.current.key
    session.commit(1, "pixels")
    for step in range(UNDO_LIMIT - 1):
        session.add_click(FLAT, Click(step % 40, 5))
    assert session.state.objects[key].written == "pixels"
    while session.undo():
        pass
    session.redo()
    assert session.state.objects[key].plane(FLAT) is plane


def test_states_with_equal_clicks_are_told_apart() -> None:
    assert PlaneState((Click(1, 2),)) != PlaneState((Click(1, 2),))


def test_the_session_loads_neither_napari_nor_qt_nor_torch() -> None:
    code = (
        "import sys, napari_brs.session;"
        "sys.exit(any(m in sys.modules for m in ('napari', 'qtpy', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_changes_made_as_one_step_are_undone_and_redone_at_once() -> None:
    session = Session((20, 20))
    with session.one_step():
        session.open_mask(7, FLAT, "mask")
        session.add_click(FLAT, Click(3, 3))
    assert session.current.label == 7
    session.undo()
    assert session.current.empty
    assert not session.can_undo
    session.redo()
    assert session.current.plane(FLAT).clicks == (Click(3, 3),)


def test_a_step_that_is_refused_in_the_middle_leaves_nothing_behind() -> None:
    session = Session((20, 20))

    def open_and_click_outside() -> None:
        with session.one_step():
            session.open_mask(7, FLAT, "mask")
            session.add_click(FLAT, Click(99, 3))

    with pytest.raises(ValueError, match="outside"):
        open_and_click_outside()
    assert session.current.empty
    assert not session.can_undo
    session.add_click(FLAT, Click(3, 3))
    session.add_click(FLAT, Click(4, 4))
    session.undo()
    assert session.current.plane(FLAT).clicks == (Click(3, 3),)


def test_a_removed_object_comes_back_with_its_clicks() -> None:
    session = Session((20, 20))
    session.add_click(FLAT, Click(3, 3))
    key = session.current.key
    session.remove(key)
    assert session.current.empty
    assert key not in session.state.objects
    session.undo()
    assert session.current.plane(FLAT).clicks == (Click(3, 3),)
    with pytest.raises(ValueError, match="no object 99"):
        session.remove(99)


def test_a_mask_that_was_only_found_is_not_one_made_by_hand() -> None:
    session = Session((20, 20))
    session.open_mask(7, FLAT, "mask")
    assert not session.current.plane(FLAT).by_hand
    session.set_mask(FLAT, "painted")
    assert session.current.plane(FLAT).by_hand


def test_what_belongs_to_no_object_is_forgotten_when_no_undo_reaches_it() -> None:
    session = Session((20, 20))
    session.note_written(FLAT, "pixels")
    for step in range(UNDO_LIMIT + 2):
        session.add_click(FLAT, Click(step % 20, step % 20))
    assert not session.state.written


def test_a_box_is_a_prompt_that_undo_takes_back_and_a_hand_edit_replaces() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    boxed = session.set_box(FLAT, Box(2, 3, 9, 9))
    assert (boxed.clicks, boxed.every_step) == ((Click(1, 2),), (0, 1))
    assert session.add_click(FLAT, Click(5, 5)).box == Box(2, 3, 9, 9)
    assert session.set_mask(FLAT, object()).box is None
    for _ in range(3):
        session.undo()
    assert session.current.plane(FLAT).box is None
    with pytest.raises(ValueError, match="box 0,0,41,9 is not allowed"):
        session.set_box(FLAT, Box(0, 0, 41, 9))
