"""Sessions as JSON files: clicks, ids, planes, settings, and edits by hand."""

from __future__ import annotations

import hashlib
import json
import os
import reprlib
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from napari_brs.clicks import Click
from napari_brs.io.atomic import write_text
from napari_brs.io.json_files import read_json
from napari_brs.io.session_models import (
    FORMAT,
    HIGHEST_LABEL,
    VERSION,
    ImagePart,
    MaskPart,
    ObjectPart,
    PlanePart,
    SessionPart,
)
from napari_brs.masks import Box, Mask
from napari_brs.session import ObjectState, PlaneState, Position, Session

__all__ = [
    "HIGHEST_LABEL",
    "check_session_path",
    "from_dict",
    "labels_digest",
    "load_session",
    "read_session",
    "save_session",
    "to_dict",
    "to_json",
    "to_session",
]

LabelPixels: TypeAlias = Callable[[int, Position], Mask]
"""(id, plane) -> the pixels that the objects layer has of it."""
Predicted: TypeAlias = Callable[[PlaneState], Mask | None]
"""A state -> the mask that was predicted for its clicks; None if none was, or it is forgotten."""


def save_session(
    path: str | os.PathLike[str], session: Session, image_name: str = "", **more: Any
) -> Path:
    """Write a session; an old one is replaced only once the new one is complete.

    Parameters
    ----------
    path : str or path
    session : Session
    image_name : str
    **more
        As for `to_dict`.

    Raises
    ------
    ValueError
        If the file is there and no session that can be read: it would be lost.
    OSError
        If it cannot be written.
    """
    path = check_session_path(path)
    write_text(path, to_json(session, image_name, **more))
    return path


def check_session_path(path: str | os.PathLike[str]) -> Path:
    """A path that a session may be written to; errors as of `save_session`."""
    path = Path(path)
    if path.is_file() and path.stat().st_size:
        try:
            read_session(path)
        except ValueError as error:
            raise ValueError(f"cannot write {path}, which would be lost: {error}") from None
    return path


def to_json(session: Session, image_name: str = "", **more: Any) -> str:
    """What `save_session` writes."""
    content = to_dict(session, image_name, **more)
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def read_session(path: str | os.PathLike[str]) -> SessionPart:
    """All that a session file says.

    Raises
    ------
    ValueError
        If the file is not JSON, no session, of a later version, was changed since it was
        written, or holds a value that is not allowed. The message names it in one line.
    OSError
        If it cannot be read.
    """
    content = read_json(path)
    try:
        return from_dict(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_session(path: str | os.PathLike[str]) -> Session:
    """The session of a file, without history; errors as of `read_session`."""
    part = read_session(path)
    try:
        return to_session(part)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def to_dict(
    session: Session,
    image_name: str = "",
    *,
    image: ImagePart | None = None,
    device: str | None = None,
    weights_sha256: str | None = None,
    versions: dict[str, str] | None = None,
    pixels: LabelPixels | None = None,
    labels_sha256: str | None = None,
    predicted: Predicted = lambda state: None,
) -> dict[str, Any]:
    """A session as JSON can hold it.

    Parameters
    ----------
    session : Session
    image_name : str
        Of an image of which nothing else is known.
    image : ImagePart, optional
    device, weights_sha256, versions, labels_sha256 : optional
        See `SessionPart`.
    pixels : callable, optional
        What the objects layer has; without it, labels are as the masks give them.
    predicted : callable, optional
        What the session's model made of a state; it tells which predictions a mask follows.
    """
    try:
        known = image or ImagePart(name=image_name, shape=session.shape)
        part = _to_part(session, known, pixels, predicted)
    except ValidationError as error:
        raise ValueError(_first_problem(error)) from None
    found = {
        "versions": versions or {},
        "weights_sha256": weights_sha256,
        "device": device,
        "labels_sha256": labels_sha256,
    }
    content = part.model_copy(update=found).model_dump(mode="json", exclude={"digest"})
    return {**content, "digest": _digest(content)}


def _to_part(
    session: Session, image: ImagePart, pixels: LabelPixels | None, predicted: Predicted
) -> SessionPart:
    return SessionPart(
        format=FORMAT,
        version=VERSION,
        image=image,
        model=session.model,
        threshold=session.threshold,
        refine=session.refine,
        contrast_limits=session.contrast_limits,
        classes=dict(session.state.classes),
        objects=tuple(
            ObjectPart(
                label=found.label,
                name=found.name,
                class_name=found.class_name,
                confidence=found.confidence,
                planes=tuple(
                    _plane_part(found.label, position, plane, pixels, predicted)
                    for position, plane in found.planes.items()
                    if not plane.empty
                ),
            )
            for found in session.objects
            if not found.empty
        ),
    )


def _plane_part(
    label: int | None,
    position: Position,
    plane: PlaneState,
    pixels: LabelPixels | None,
    predicted: Predicted,
) -> PlanePart:
    given = plane.edited if isinstance(plane.edited, Mask) else predicted(plane)
    there = None if label is None or pixels is None else pixels(label, position)
    difference = None
    if there is not None and given is not None:
        difference = there.symmetric_difference(given) or None
    return PlanePart(
        position=position,
        clicks=tuple((click.row, click.column, click.positive) for click in plane.clicks),
        size_hint=plane.size_hint,
        box=_box_part(plane.box),
        steps=_steps(plane, predicted),
        start=_mask_part(plane.start_mask),
        edited=_mask_part(plane.edited),
        difference=_mask_part(difference),
        pixels=_mask_part(there if given is None else None),
    )


def _box_part(box: Box | None) -> tuple[int, int, int, int] | None:
    return None if box is None else (box.top, box.left, box.bottom, box.right)


def _steps(plane: PlaneState, predicted: Predicted) -> tuple[int, ...] | None:
    """How many clicks there were at each prediction up to that of all; None if not known."""
    before = [len(state.clicks) for state in plane.before() if predicted(state) is not None]
    steps = (*plane.steps, *reversed(before))
    known = steps or predicted(plane) is not None
    return (*steps, len(plane.clicks)) if known and plane.prompted else None


def _mask_part(mask: Any) -> MaskPart | None:
    return MaskPart.of(mask) if isinstance(mask, Mask) else None


def from_dict(content: Any) -> SessionPart:
    """Inverse of `to_dict`.

    Raises
    ------
    ValueError
        If it is no session, of a later version, was changed since it was written, or
        holds a value that is not allowed.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'not a session: "format" must be "{FORMAT}"')
    version = content.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(
            f"session version {reprlib.repr(version)} is not known; 1 to {VERSION} are allowed"
        )
    digest = content.get("digest")
    left = {name: value for name, value in content.items() if name != "digest"}
    if digest is not None and digest != _digest(left):
        raise ValueError("it was changed since it was written: its digest does not match")
    try:
        return SessionPart.model_validate(content)
    except ValidationError as error:
        raise ValueError(_first_problem(error)) from None


def _first_problem(error: ValidationError) -> str:
    """Where the first thing that is wrong stands, what it is, and what is allowed."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    more = error.error_count() - 1
    rest = f" (and {more} more)" if more else ""
    return f"{place} is {reprlib.repr(first['input'])}: {first['msg']}{rest}"


def to_session(part: SessionPart) -> Session:
    """The session that a file tells of, without history.

    Raises
    ------
    ValueError
        If an id is given twice, a click or mask lies outside its plane, or a position is
        no plane of the image.
    """
    session = Session(
        part.image.shape, part.model, part.threshold, part.contrast_limits, part.refine
    )
    session.restore((_object_state(session, each) for each in part.objects), part.classes)
    return session


def _object_state(session: Session, part: ObjectPart) -> ObjectState:
    planes = {plane.position: _plane_state(session, plane) for plane in part.planes}
    return ObjectState(
        -1,
        part.label,
        MappingProxyType(planes),
        name=part.name,
        class_name=part.class_name,
        confidence=part.confidence,
    )


def _plane_state(session: Session, part: PlanePart) -> PlaneState:
    shape = session.plane_shape(part.position)
    clicks = tuple(Click(*click) for click in part.clicks)
    return PlaneState(
        clicks,
        edited=None if part.edited is None else part.edited.mask(shape),
        start_mask=None if part.start is None else part.start.mask(shape),
        size_hint=part.size_hint,
        steps=() if part.steps is None else part.steps[:-1],
        box=None if part.box is None else Box(*part.box),
    )


def labels_digest(labels: NDArray[Any]) -> str:
    """SHA-256 of labels of any integer type: their shape as text, then uint32, little-endian."""
    found = hashlib.sha256(f"{labels.shape}".encode())
    found.update(np.ascontiguousarray(labels, "<u4").data)
    return found.hexdigest()


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
