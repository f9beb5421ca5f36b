"""Sessions as JSON files: clicks, ids, planes and settings, no pixels."""

from __future__ import annotations

import json
import math
import os
import reprlib
from pathlib import Path
from typing import Any

from napari_brs.clicks import Click
from napari_brs.io.atomic import write_text
from napari_brs.io.json_files import read_json
from napari_brs.session import PlaneState, Position, Session

FORMAT = "napari-brs session"
VERSION = 1
HIGHEST_LABEL = 2**32 - 1
"""The highest id that a label image can hold."""


def save_session(path: str | os.PathLike[str], session: Session, image_name: str = "") -> Path:
    """Write a session; an old file is replaced only once the new one is complete."""
    path = Path(path)
    write_text(path, to_json(session, image_name))
    return path


def to_json(session: Session, image_name: str = "") -> str:
    """What `save_session` writes."""
    return json.dumps(to_dict(session, image_name), indent=1, allow_nan=False) + "\n"


def load_session(path: str | os.PathLike[str]) -> Session:
    """Read what `save_session` wrote.

    Raises
    ------
    ValueError
        If the file is not JSON, or not a session (see `from_dict`).
    OSError
        If it cannot be read.
    """
    content = read_json(path)
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
                        "size_hint": plane.size_hint,
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
            f"session version {_shown(content.get('version'))} is not known; {VERSION} is allowed"
        )
    image = _entry(content, "image", dict)
    shape = _integers(_entry(image, "shape", list), "image shape")
    threshold = _number(content.get("threshold"), "threshold")
    if not 0 < threshold < 1:
        raise ValueError(f"threshold is {threshold:g}; it must lie between 0 and 1")
    limits = content.get("contrast_limits")
    if limits is not None:
        if not isinstance(limits, list) or len(limits) != 2:
            raise ValueError(
                f"contrast_limits are {_shown(limits)}; null or [low, high] is allowed"
            )
        low, high = (_number(limit, "contrast limit") for limit in limits)
        limits = (low, high)
    session = Session(shape, _entry(content, "model", str), threshold, limits)
    session.restore([_read_object(entry) for entry in _entry(content, "objects", list)])
    return session


def _read_object(entry: Any) -> tuple[int | None, dict[Position, PlaneState]]:
    if not isinstance(entry, dict):
        raise ValueError(f"object {_shown(entry)} is not a mapping")
    label = entry.get("label")
    if label is not None and not (_is_integer(label) and 1 <= label <= HIGHEST_LABEL):
        raise ValueError(
            f"id {_shown(label)} is not allowed; null or an integer from 1 to {HIGHEST_LABEL} is"
        )
    planes: dict[Position, PlaneState] = {}
    for part in _entry(entry, "planes", list):
        if not isinstance(part, dict):
            raise ValueError(f"plane {_shown(part)} is not a mapping")
        raw = _entry(part, "position", list)
        if not all(index is None or _is_integer(index) for index in raw):
            raise ValueError(f"position {_shown(raw)} is not allowed; integers and null are")
        clicks = tuple(_read_click(click) for click in _entry(part, "clicks", list))
        size = part.get("size_hint")
        if size is not None and _number(size, "size_hint") <= 0:
            raise ValueError(f"size_hint is {_shown(size)}; null or a positive number is allowed")
        planes[tuple(raw)] = PlaneState(clicks, size_hint=None if size is None else float(size))
    return label, planes


def _entry(content: dict[str, Any], name: str, kind: type) -> Any:
    value = content.get(name)
    if not isinstance(value, kind):
        raise ValueError(f'"{name}" is {_shown(value)}; a {kind.__name__} is needed')
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integers(values: list[Any], name: str) -> tuple[int, ...]:
    if len(values) < 2 or not all(_is_integer(v) and v > 0 for v in values):
        raise ValueError(f"{name} is {_shown(values)}; at least two positive integers are needed")
    return tuple(values)


def _number(value: Any, name: str) -> float:
    try:
        if not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except (TypeError, OverflowError):  # no number, or an integer that no float can hold
        pass
    raise ValueError(f"{name} is {_shown(value)}; a finite number is needed")


def _read_click(value: Any) -> Click:
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[2], bool):
        raise ValueError(f"click {_shown(value)} is not allowed; [row, column, true or false] is")
    return Click(_number(value[0], "row"), _number(value[1], "column"), value[2])


def _shown(value: Any) -> str:
    """A value as an error message has room for it."""
    return reprlib.repr(value)
