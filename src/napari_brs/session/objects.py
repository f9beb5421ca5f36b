"""What is done to whole objects of a session: state -> state, nothing computed again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from napari_brs.session.states import ObjectState, Position, State


def find(state: State, key: int) -> ObjectState:
    """The object with a key; ValueError if there is none."""
    if key not in state.objects:
        raise ValueError(f"no object {key}; there are {list(state.objects)}")
    return state.objects[key]


def check_label(state: State, label: int, key: int | None = None) -> None:
    """Raise ValueError unless an id is positive, and free or that of the object."""
    if label < 1:
        raise ValueError(f"id {label} is not allowed; ids begin at 1")
    if any(found.label == label and found.key != key for found in state.objects.values()):
        raise ValueError(f"id {label} is taken by another object")


def merge(
    state: State, keys: Iterable[int], masks: Mapping[Position, Any], written: Any = None
) -> State:
    """Make several objects one: the first, which keeps its id, name, class and clicks.

    Parameters
    ----------
    state : State
    keys : iterable of int
        Two or more objects.
    masks : mapping
        Position -> what the first one is from now on, such as `session.masks.union`
        gives; a mask made by hand.
    written : object, optional
        What `ObjectState.written` is to be.

    Raises
    ------
    ValueError
        If there are fewer than two, or there is no such object.
    """
    merging = [find(state, key) for key in dict.fromkeys(keys)]
    if len(merging) < 2:
        raise ValueError(f"{len(merging)} objects cannot be merged; two or more are needed")
    first, *others = merging
    gone = {found.key for found in others}
    objects = {key: found for key, found in state.objects.items() if key not in gone}
    objects[first.key] = replace(_masked(first, masks), written=written)
    current = first.key if state.current in gone else state.current
    return replace(state, objects=MappingProxyType(objects), current=current)


def split(
    state: State,
    key: int,
    kept: Mapping[Position, Any],
    parted: Mapping[Position, Any],
    new: ObjectState,
    written: Any = None,
) -> State:
    """Part an object in two; the new one has no clicks, and the class of the old one.

    Parameters
    ----------
    state : State
    key : int
        The object; it keeps its id, name and clicks.
    kept, parted : mapping
        Position -> what belongs to the old and to the new object from now on, such as
        `session.masks.split` gives; masks made by hand.
    new : ObjectState
        Key and id of the new object.
    written : object, optional
        What `ObjectState.written` of the old one is to be: pixels of both.

    Raises
    ------
    ValueError
        If there is no such object, or the id is not positive or taken.
    """
    old = find(state, key)
    check_label(state, new.label or 0)
    objects = {
        **state.objects,
        key: replace(_masked(old, kept), written=written),
        new.key: _masked(replace(new, class_name=old.class_name), parted),
    }
    return replace(state, objects=MappingProxyType(objects))


def rename(state: State, key: int, name: str) -> State:
    """Give an object a name; ValueError if there is no such object."""
    return _with(state, replace(find(state, key), name=name))


def set_class(state: State, key: int, class_name: str | None) -> State:
    """Say of which class an object is; ValueError if object or class is not known."""
    check_class(class_name, state.classes)
    return _with(state, replace(find(state, key), class_name=class_name))


def set_classes(state: State, classes: Mapping[str, str]) -> State:
    """Replace the classes that there are; objects of one that is gone have none.

    Parameters
    ----------
    state : State
    classes : mapping
        Name -> colour, ``#rrggbb``.

    Raises
    ------
    ValueError
        If a name is empty, or a colour is none.
    """
    check_classes(classes)
    objects = {
        key: found if found.class_name in (None, *classes) else replace(found, class_name=None)
        for key, found in state.objects.items()
    }
    return replace(
        state, objects=MappingProxyType(objects), classes=MappingProxyType(dict(classes))
    )


def check_classes(classes: Mapping[str, str]) -> None:
    """Raise ValueError if a name is empty or a colour is none."""
    for name, colour in classes.items():
        if not name.strip():
            raise ValueError(f"the name of a class is {name!r}; it must not be empty")
        if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
            raise ValueError(f"class {name}: colour {colour!r} is not allowed; #rrggbb is")


def check_class(name: str | None, classes: Mapping[str, str]) -> None:
    """Raise ValueError if there is no such class; None is none."""
    if name is not None and name not in classes:
        raise ValueError(f"class {name!r} is not known; there are {', '.join(classes) or 'none'}")


def _with(state: State, changed: ObjectState) -> State:
    return replace(state, objects=MappingProxyType({**state.objects, changed.key: changed}))


def _masked(found: ObjectState, masks: Mapping[Position, Any]) -> ObjectState:
    for position, mask in masks.items():
        found = found.with_plane(position, found.plane(position).masked(mask))
    return found
