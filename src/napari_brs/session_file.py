"""Sessions as JSON files: clicks, ids, planes and settings, no pixels."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from napari_brs.clicks import Click
from napari_brs.io.atomic import write_text
from napari_brs.session import Position, Session

FORMAT = "napari-brs session"
VERSION = 1


def save_session(path: str | os.PathLike[str], session: Session, image_name: str = "") -> Path:
    """Write a session; an old file is replaced only once the new one is complete."""
    path = Path(path)
    write_text(path, json.dumps(to_dict(session, image_name), indent=1, allow_nan=False) + "\n")
    return path


def load_session(path: str | os.PathLike[str]) -> Session:
    """Read what `save_session` wrote.

    Raises
    ------
    ValueError
        If the file is not JSON, or not a session (see `from_dict`).
    OSError
        If it cannot be read.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from None
    try:
        return from_dict(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def to_dict(session: Session, image_name: str = "") -> dict[str, Any]:
    """A session as JSON can hold it."""
    limits = session.contrast_limits
    return {
        "format": FORMAT,
        "version": VERSION,
        "image": {"name": image_name, "shape": list(session.shape)},
        "contrast_limits": None if limits is None else list(limits),
        "model": session.model,
        "threshold": session.threshold,
        "objects": [
            {
                "label": o.label,
                "planes": [
                    {
                        "position": list(position),
                        "clicks": [[c.row, c.column, c.positive] for c in plane.clicks],
                    }
                    for position, plane in o.planes.items()
                    if plane.clicks
                ],
            }
            for o in session.objects
            if not o.empty
        ],
    }


def from_dict(content: Any) -> Session:
    """Inverse of `to_dict`.

    Raises
    ------
    ValueError
        If it is no session, of a later version, or holds a value that is not allowed.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'not a session: "format" must be "{FORMAT}"')
    if content.get("version") != VERSION:
        raise ValueError(
            f"session version {content.get('version')!r} is not known; {VERSION} is allowed"
        )
    image = _entry(content, "image", dict)
    shape = _integers(_entry(image, "shape", list), "image shape")
    threshold = _number(content.get("threshold"), "threshold")
    if not 0 < threshold < 1:
        raise ValueError(f"threshold is {threshold:g}; it must lie between 0 and 1")
    limits = content.get("contrast_limits")
    if limits is not None:
        if not isinstance(limits, list) or len(limits) != 2:
            raise ValueError(f"contrast_limits are {limits!r}; null or [low, high] is allowed")
        low, high = (_number(limit, "contrast limit") for limit in limits)
        limits = (low, high)
    session = Session(shape, _entry(content, "model", str), threshold, limits)
    session.restore([_read_object(entry) for entry in _entry(content, "objects", list)])
    return session


def _read_object(entry: Any) -> tuple[int | None, dict[Position, tuple[Click, ...]]]:
    if not isinstance(entry, dict):
        raise ValueError(f"object {entry!r} is not a mapping")
    label = entry.get("label")
    if label is not None and (not _is_integer(label) or label < 1):
        raise ValueError(f"id {label!r} is not allowed; null or an integer from 1 is")
    planes: dict[Position, tuple[Click, ...]] = {}
    for part in _entry(entry, "planes", list):
        if not isinstance(part, dict):
            raise ValueError(f"plane {part!r} is not a mapping")
        raw = _entry(part, "position", list)
        if not all(index is None or _is_integer(index) for index in raw):
            raise ValueError(f"position {raw!r} is not allowed; integers and null are")
        planes[tuple(raw)] = tuple(_read_click(click) for click in _entry(part, "clicks", list))
    return label, planes


def _entry(content: dict[str, Any], name: str, kind: type) -> Any:
    value = content.get(name)
    if not isinstance(value, kind):
        raise ValueError(f'"{name}" is {value!r}; a {kind.__name__} is needed')
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integers(values: list[Any], name: str) -> tuple[int, ...]:
    if len(values) < 2 or not all(_is_integer(v) and v > 0 for v in values):
        raise ValueError(f"{name} is {values!r}; at least two positive integers are needed")
    return tuple(values)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}; a finite number is needed")
    return float(value)


def _read_click(value: Any) -> Click:
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[2], bool):
        raise ValueError(f"click {value!r} is not allowed; [row, column, true or false] is")
    return Click(_number(value[0], "row"), _number(value[1], "column"), value[2])
