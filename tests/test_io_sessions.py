"""Sessions as JSON files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_brs.clicks import Click
from napari_brs.io.session_models import VERSION, schema
from napari_brs.io.sessions import labels_digest, load_session, read_session, save_session, to_dict
from napari_brs.masks import Box, Mask
from napari_brs.session import Session

FLAT = (None, None)


def flat() -> Session:
    return Session((40, 50))


def test_save_and_load_give_back_clicks_ids_planes_and_settings(tmp_path: Path) -> None:
    session = Session((3, 40, 50), "brs-densenet", 0.4, (10.0, 200.5))
    session.add_click((1, None, None), Click(1.25, 2), 17.5)
    session.add_click((2, None, None), Click(3, 4, False))
    session.commit(5)
    session.add_click((0, None, None), Click(6, 7))
    path = save_session(tmp_path / "s.json", session, "cells")
    assert list(tmp_path.iterdir()) == [path]
    again = load_session(path)
    assert to_dict(again, "cells") == to_dict(session, "cells")
    assert (again.model, again.threshold) == ("brs-densenet", 0.4)
    assert again.contrast_limits == (10.0, 200.5)
    assert again.current.plane((0, None, None)).clicks == (Click(6, 7),)
    assert again.objects[0].plane((1, None, None)).size_hint == 17.5
    assert again.highest_label == 5
    assert not again.can_undo


def test_a_box_is_saved_and_comes_back(tmp_path: Path) -> None:
    session = flat()
    session.set_box(FLAT, Box(3, 4, 20, 30))
    session.add_click(FLAT, Click(1, 2, False))
    again = load_session(save_session(tmp_path / "s.json", session))
    plane = again.current.plane(FLAT)
    assert (plane.box, plane.clicks) == (Box(3, 4, 20, 30), (Click(1, 2, False),))


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    content = json.loads(save_session(tmp_path / "s.json", flat()).read_text())
    assert content["format"] == "napari-brs session"
    assert content["version"] == VERSION == 3
    assert content["objects"] == []


def changed(**entries: object) -> dict:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    session.commit(1)
    content = to_dict(session) | entries
    del content["digest"]
    return content


OBJECT: dict = {"label": 1, "planes": [{"position": [None, None], "clicks": [[1, 2, True]]}]}


def plane(**entries: object) -> dict:
    return OBJECT | {"planes": [OBJECT["planes"][0] | entries]}


def mask(packed: str, bottom: int = 1) -> dict:
    return {"box": [0, 0, bottom, 1], "packed": packed}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "not a session"),
        ({"format": "other"}, "not a session"),
        (changed(version=4), "version 4 is not known; 1 to 3 are allowed"),
        (changed(version="1"), "version '1' is not known"),
        (changed(threshold=1.5), "threshold is 1.5: .* less than 1"),
        (changed(threshold="x"), "threshold is 'x': .* valid number"),
        (changed(threshold=10**400), "threshold is 1000.*000: "),
        (changed(model=None), "model is None: .* valid string"),
        (changed(image={"shape": [40]}), "image.shape is"),
        (changed(image={"shape": [40, 0]}), "image.shape.1 is 0"),
        (changed(contrast_limits=[1]), "contrast_limits"),
        (changed(objects={}), "objects is {}"),
        (changed(objects=[OBJECT, OBJECT]), "id 1 is given to two objects"),
        (changed(objects=[OBJECT | {"label": 0}]), "objects.0.label is 0: .* 1"),
        (changed(objects=[OBJECT | {"label": True}]), "objects.0.label is True"),
        (changed(objects=[OBJECT | {"class_name": "cat"}]), "class 'cat' is not known"),
        (changed(classes={"cat": "red"}), "colour 'red' is not allowed"),
        (changed(objects=[OBJECT | {"planes": [3]}]), "planes.0 is 3"),
        (changed(objects=[plane(position=[0])]), "position"),
        (changed(objects=[plane(position=[0, 0])]), "is no plane of an image"),
        (changed(objects=[plane(position=["a", None])]), "position.0 is 'a'"),
        (changed(objects=[plane(clicks=[[99, 0, True]])]), "outside the image"),
        (changed(objects=[plane(clicks=[[1, 2]])]), "clicks.0"),
        (changed(objects=[plane(size_hint=0)]), "size_hint is 0"),
        (changed(objects=[plane(box=[0, 0, 41, 9])]), "box 0,0,41,9 is not allowed"),
        (changed(objects=[plane(start=mask("x"))]), "is damaged"),
        (changed(objects=[plane(edited=mask("eJxjAAAAAQAB", 41))]), "does not fit a plane"),
        (changed(objects=[plane(edited=mask("eJxjAAAAAQAB", 20))]), "is damaged"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as raised:
        load_session(path)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(ValueError, match="is not a JSON file"):
        load_session(path)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = save_session(tmp_path / "s.json", flat())
    before = path.read_text()
    session = flat()
    session.contrast_limits = (0.0, float("nan"))
    with pytest.raises(ValueError, match=r"contrast_limits.1 is nan: .* finite"):
        save_session(path, session)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


VERSION_1 = """
{"format": "napari-brs session", "version": 1, "image": {"name": "a", "shape": [40, 50]},
 "contrast_limits": [0, 9.5], "model": "brs-live", "threshold": 0.5, "other": 1,
 "objects": [{"label": 3, "planes": [{"position": [null, null], "clicks": [[1, 2, true]]}]}]}
"""


def test_files_of_the_first_version_stay_readable(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(VERSION_1)
    session = load_session(path)
    assert session.contrast_limits == (0.0, 9.5)
    assert session.find_label(3).plane(FLAT).clicks == (Click(1, 2),)
    assert read_session(path).objects[0].planes[0].steps is None


def some_mask() -> Mask:
    return Mask.of(np.random.default_rng(0).random((7, 9)) > 0.4, Box(3, 4, 10, 13), (40, 50))


def test_names_classes_confidence_edits_and_settings_come_back(tmp_path: Path) -> None:
    session = Session((40, 50), refine=False)
    session.set_classes({"nucleus": "#00ff7f"})
    session.open_mask(1, FLAT, some_mask())
    session.add_click(FLAT, Click(1, 2), size_hint=30)
    session.set_mask(FLAT, Mask.empty((40, 50)))
    session.set_class(session.current.key, "nucleus")
    session.rename(session.current.key, "Zelle ü")
    session.commit(1, confidence=0.75)
    again = load_session(save_session(tmp_path / "s.json", session))
    found = again.find_label(1)
    assert (found.name, found.class_name, found.confidence) == ("Zelle ü", "nucleus", 0.75)
    assert found.plane(FLAT).edited == Mask.empty((40, 50))
    assert dict(again.state.classes) == {"nucleus": "#00ff7f"}
    assert not again.refine


def test_the_mask_that_clicks_start_from_comes_back(tmp_path: Path) -> None:
    session = flat()
    session.open_mask(1, FLAT, some_mask())
    session.add_click(FLAT, Click(1, 2))
    again = load_session(save_session(tmp_path / "s.json", session))
    assert again.find_label(1).plane(FLAT).start_mask == some_mask()


def test_what_labels_have_is_kept_as_the_difference_to_what_clicks_give() -> None:
    session = flat()
    state = session.add_click(FLAT, Click(1, 2))
    made = {state: some_mask()}
    session.commit(1)
    painted = some_mask().paste(Box(0, 0, 2, 2), np.ones((2, 2), bool))
    part = to_dict(session, pixels=lambda label, position: painted, predicted=made.get)["objects"][
        0
    ]["planes"][0]
    assert part["difference"]["box"] == [0, 0, 2, 2]
    assert part["pixels"] is None
    same = to_dict(session, pixels=lambda label, position: some_mask(), predicted=made.get)
    assert same["objects"][0]["planes"][0]["difference"] is None


def test_what_labels_have_is_kept_whole_where_nothing_is_known_of_the_clicks() -> None:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    session.commit(1)
    part = to_dict(session, pixels=lambda label, position: some_mask())["objects"][0]["planes"][0]
    box = some_mask().box
    assert part["pixels"]["box"] == [box.top, box.left, box.bottom, box.right]


def test_it_is_told_at_which_clicks_predictions_were_made(tmp_path: Path) -> None:
    session, made = flat(), {}

    def steps() -> list[int] | None:
        found = to_dict(session, predicted=made.get)["objects"][0]["planes"][0]["steps"]
        return None if found is None else list(found)

    made[session.add_click(FLAT, Click(1, 2))] = some_mask()
    session.add_click(FLAT, Click(3, 4))
    made[session.add_click(FLAT, Click(5, 6))] = some_mask()
    assert steps() == [1, 3]
    path = save_session(tmp_path / "s.json", session, predicted=made.get)
    again = load_session(path)
    assert again.current.plane(FLAT).steps == (1,)
    made[session.set_clicks(FLAT, [Click(5, 6), Click(7, 8)])] = some_mask()
    assert steps() == [2]


def test_a_changed_file_is_told_apart_from_one_as_it_was_written(tmp_path: Path) -> None:
    path = save_session(tmp_path / "s.json", flat())
    load_session(path)
    path.write_text(path.read_text().replace("0.5", "0.6"))
    with pytest.raises(ValueError, match="changed since it was written"):
        load_session(path)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(changed(version=99)),
        json.dumps(to_dict(flat()))[:-20],
        json.dumps(to_dict(flat())).replace("0.5", "0.6"),
        '{"my": "notes"}',
        "notes",
    ],
    ids=["newer", "truncated", "tampered", "foreign", "text"],
)
def test_what_cannot_be_read_is_never_overwritten(content: str, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="would be lost") as raised:
        save_session(path, flat())
    assert "\n" not in str(raised.value)
    assert path.read_text() == content


def test_the_schema_in_the_documentation_is_that_of_the_models() -> None:
    documented = Path(__file__).parents[1] / "docs" / "session.schema.json"
    assert json.loads(documented.read_text()) == schema(), "run scripts/session_schema.py"


def test_labels_of_any_type_have_one_digest_and_others_another() -> None:
    labels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert labels_digest(labels) == labels_digest(labels.astype(np.int64))
    assert labels_digest(labels) != labels_digest(labels.reshape(4, 3))
    assert labels_digest(labels) != labels_digest(labels[::-1])
