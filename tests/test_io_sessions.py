"""Sessions as JSON files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_brs.clicks import Click
from napari_brs.io.sessions import load_session, save_session, to_dict
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


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    content = json.loads(save_session(tmp_path / "s.json", flat()).read_text())
    assert content["format"] == "napari-brs session"
    assert content["version"] == 1
    assert content["objects"] == []


def changed(**entries: object) -> dict:
    session = flat()
    session.add_click(FLAT, Click(1, 2))
    session.commit(1)
    return to_dict(session) | entries


OBJECT = {"label": 1, "planes": [{"position": [None, None], "clicks": [[1, 2, True]]}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "not a session"),
        ({"format": "other"}, "not a session"),
        (changed(version=2), "version 2 is not known; 1 is allowed"),
        (changed(threshold=1.5), "threshold is 1.5; it must lie between 0 and 1"),
        (changed(threshold="x"), "threshold is 'x'; a finite number is needed"),
        (changed(model=None), '"model" is None'),
        (changed(image={"shape": [40]}), "image shape"),
        (changed(image={"shape": [40, 0]}), "image shape"),
        (changed(contrast_limits=[1]), "contrast_limits"),
        (changed(objects={}), '"objects" is {}'),
        (changed(objects=[OBJECT, OBJECT]), "id 1 is given to two objects"),
        (changed(objects=[OBJECT | {"label": 0}]), "id 0 is not allowed"),
        (changed(objects=[OBJECT | {"label": True}]), "id True is not allowed"),
        (changed(objects=[OBJECT | {"planes": [3]}]), "plane 3 is not a mapping"),
        (
            changed(objects=[{"label": 1, "planes": [{"position": [0], "clicks": []}]}]),
            "is no plane of an image",
        ),
        (
            changed(objects=[{"label": 1, "planes": [{"position": ["a"], "clicks": []}]}]),
            "integers and null",
        ),
        (
            changed(
                objects=[
                    {"label": 1, "planes": [{"position": [None, None], "clicks": [[99, 0, True]]}]}
                ]
            ),
            "outside the image",
        ),
        (
            changed(
                objects=[{"label": 1, "planes": [{"position": [None, None], "clicks": [[1, 2]]}]}]
            ),
            r"click \[1, 2\] is not allowed",
        ),
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
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_session(path, session)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]
