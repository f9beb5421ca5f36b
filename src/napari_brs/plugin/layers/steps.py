"""What changed in the layers between two states of a session."""

from __future__ import annotations

from napari_brs.plugin.layers.objects import Written
from napari_brs.session import ObjectState, Position, State


def written_between(before: State, after: State) -> list[tuple[Written | None, Written | None]]:
    """Pairs of what was written to the objects layer in either state, None for nothing."""

    def written(state: State, key: int) -> Written | None:
        found = state.objects.get(key)
        return None if found is None else found.written

    keys = {*before.objects, *after.objects}
    by_network = {*before.written, *after.written}
    return [
        *((written(before, key), written(after, key)) for key in keys),
        *((before.written.get(step), after.written.get(step)) for step in by_network),
    ]


def changed_plane(before: State, after: State) -> Position | None:
    """A plane in which masks or clicks differ between two states; None if there is none."""
    for position, _ in {*before.written} ^ {*after.written}:
        return position
    nothing = ObjectState(-1)
    for key in {*before.objects, *after.objects}:
        old, new = before.objects.get(key, nothing), after.objects.get(key, nothing)
        for position in {*old.planes, *new.planes}:
            if old.plane(position) is not new.plane(position):
                return position
    return None
