"""Objects as a whole: names, classes, merging and splitting, all of it undone step by step."""

from __future__ import annotations

import pytest

from napari_brs.clicks import Click
from napari_brs.session import UNDO_LIMIT, Session

FLAT = (None, None)


def two_objects() -> tuple[Session, int, int]:
    """A session with two committed objects, and their keys."""
    session = Session((40, 50))
    keys = []
    for label in (1, 2):
        session.add_click(FLAT, Click(label, 2))
        keys.append(session.current.key)
        session.commit(label)
    return session, keys[0], keys[1]


def test_merging_keeps_the_first_object_and_undo_brings_the_other_back() -> None:
    session, one, two = two_objects()
    before = session.state
    session.merge([one, two], {FLAT: "both"}, "pixels")
    assert [o.label for o in session.objects if o.label] == [1]
    merged = session.state.objects[one]
    assert merged.plane(FLAT).edited == "both"
    assert merged.plane(FLAT).clicks == (Click(1, 2),)
    assert merged.written == "pixels"
    session.undo()
    assert session.state is before
    assert session.state.objects[two].plane(FLAT).clicks == (Click(2, 2),)


def test_merging_needs_two_objects_that_are_there() -> None:
    session, one, _ = two_objects()
    with pytest.raises(ValueError, match="1 objects cannot be merged"):
        session.merge([one, one], {})
    with pytest.raises(ValueError, match="no object 99"):
        session.merge([one, 99], {})


def test_an_object_that_takes_the_clicks_gives_them_to_the_one_it_is_merged_into() -> None:
    session, one, two = two_objects()
    session.open(two)
    session.merge([one, two], {FLAT: "both"})
    assert session.current.key == one


def test_splitting_gives_the_new_object_an_id_and_the_class_of_the_old() -> None:
    session, one, _ = two_objects()
    session.set_classes({"cell": "#ff0000"})
    session.set_class(one, "cell")
    session.rename(one, "mother")
    new = session.split(one, {FLAT: "left"}, {FLAT: "right"}, 3)
    old, parted = session.state.objects[one], session.state.objects[new]
    assert (old.label, old.name, old.plane(FLAT).edited) == (1, "mother", "left")
    assert (parted.label, parted.name, parted.plane(FLAT).edited) == (3, "", "right")
    assert parted.class_name == "cell"
    session.undo()
    assert new not in session.state.objects
    assert session.state.objects[one].plane(FLAT).edited is None


def test_a_split_into_an_id_that_is_taken_changes_nothing() -> None:
    session, one, _ = two_objects()
    before = session.state
    with pytest.raises(ValueError, match="id 2 is taken"):
        session.split(one, {FLAT: "left"}, {FLAT: "right"}, 2)
    assert session.state is before


def test_names_and_classes_leave_the_clicks_with_the_object_that_has_them() -> None:
    session, one, _ = two_objects()
    session.add_click(FLAT, Click(9, 9))
    current = session.current.key
    session.rename(one, "a")
    assert session.current.key == current


def test_a_class_that_goes_leaves_its_objects_without_one() -> None:
    session, one, two = two_objects()
    session.set_classes({"cell": "#ff0000", "debris": "#00ff00"})
    session.set_class(one, "cell")
    session.set_class(two, "debris")
    session.set_classes({"cell": "#ff0000"})
    assert session.state.objects[one].class_name == "cell"
    assert session.state.objects[two].class_name is None
    session.undo()
    assert session.state.objects[two].class_name == "debris"
    with pytest.raises(ValueError, match="class 'x' is not known; there are cell, debris"):
        session.set_class(one, "x")


@pytest.mark.parametrize("classes", [{"": "#ff0000"}, {" ": "#ff0000"}, {"a": "red"}, {"a": "#ff"}])
def test_a_class_without_name_or_colour_is_refused(classes: dict[str, str]) -> None:
    session = Session((4, 4))
    with pytest.raises(ValueError, match="class"):
        session.set_classes(classes)
    assert not session.can_undo


def test_confidence_is_that_of_the_committed_mask_and_open_once_it_changes() -> None:
    session = Session((40, 50))
    session.add_click(FLAT, Click(1, 2))
    key = session.current.key
    session.commit(1, confidence=0.9)
    assert session.state.objects[key].confidence == 0.9
    session.open(key)
    session.add_click(FLAT, Click(3, 4))
    assert session.current.confidence is None


def test_undo_goes_back_two_hundred_steps() -> None:
    session, one, _ = two_objects()
    for step in range(250):
        session.rename(one, str(step))
    while session.undo():
        pass
    assert session.state.objects[one].name == str(250 - UNDO_LIMIT - 1) == "49"
