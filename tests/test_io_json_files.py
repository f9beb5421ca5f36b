from __future__ import annotations

from pathlib import Path

import pytest

from napari_brs.io import json_files
from napari_brs.io.json_files import parse_json, read_json


def test_what_is_json_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"µ": [1, 2.5, null]}', encoding="utf-8")
    assert read_json(path) == {"µ": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "can't decode byte"),
        (b"[1,", "Expecting value"),
        (b"[" * 200_000, "nested too deeply"),
        (b"9" * 5000, r"Exceeds the limit \(4300 digits\) .* 5000 digits$"),
    ],
)
def test_what_cannot_be_held_is_named_with_its_file(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.json is not a JSON file: .*{message}"):
        read_json(path)


def test_no_more_is_read_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_files, "LARGEST", 2**20)
    path = tmp_path / "a.json"
    path.write_bytes(b"0" + b" " * (2**20 - 1))
    assert read_json(path) == 0
    path.write_bytes(b"0" + b" " * 2**20)
    with pytest.raises(ValueError, match=r"a\.json is larger than 1 MiB"):
        read_json(path)


def test_a_text_that_is_nested_too_deeply_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * 200_000)
