"""What a press, moves and a release mean, without a window."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from napari_brs.plugin.mouse import LEFT, RIGHT, Gesture, gesture_callback


def do(
    places: list[tuple[float, float]],
    held: str = "",
    button: int = LEFT,
    ndisplay: int = 2,
    held_at_end: str | None = None,
) -> tuple[list[Gesture], bool]:
    """The gestures that a mouse on these canvas pixels gives; whether it still moves the image."""
    ended: list[Gesture] = []
    callback = gesture_callback(lambda: True, lambda _: None, ended.append)
    viewer = SimpleNamespace(dims=SimpleNamespace(ndisplay=ndisplay))
    event: Any = SimpleNamespace(type="mouse_press", button=button, handled=False)
    moves = callback(viewer, event)
    handled = False
    for number, place in enumerate([*places, places[-1]]):
        last = number == len(places)
        if number:
            event.type = "mouse_release" if last else "mouse_move"
        names = held_at_end if last and held_at_end is not None else held
        event.modifiers = names.split("+") if names else []
        event.pos, event.position, event.handled = place, (place[1] / 2, place[0] / 2), False
        next(moves, None)
        handled |= event.handled
    return ended, not handled


FAR = [(0.0, 0.0), (20.0, 0.0), (20.0, 30.0)]


@pytest.mark.parametrize(
    ("held", "button", "kind", "other"),
    [
        ("Shift", LEFT, "box", True),
        ("Control", LEFT, "stroke", False),
        ("Control+Shift", LEFT, "stroke", True),
        ("Control", RIGHT, "stroke", True),
    ],
)
def test_modifiers_say_what_a_drag_draws(held: str, button: int, kind: str, other: bool) -> None:
    (gesture,), moves_image = do(FAR, held, button)
    assert (gesture.kind, gesture.other_sign) == (kind, other)
    assert gesture.world == [(0, 0), (0, 10), (15, 10), (15, 10)]
    assert not moves_image


@pytest.mark.parametrize(
    ("held", "button", "ndisplay"),
    [("", LEFT, 2), ("", RIGHT, 2), ("Alt", LEFT, 2), ("Shift", RIGHT, 2), ("Shift", LEFT, 3)],
)
def test_every_other_drag_is_left_to_napari(held: str, button: int, ndisplay: int) -> None:
    assert do(FAR, held, button, ndisplay) == ([], True)


@pytest.mark.parametrize("held", ["", "Shift", "Control"])
def test_a_hand_that_trembles_still_clicks(held: str) -> None:
    (gesture,), _ = do([(0.0, 0.0), (3.0, 0.0), (2.0, 2.0)], held)
    assert gesture.kind == "click"
    assert gesture.world[0] == (0, 0)


@pytest.mark.parametrize(
    ("held", "held_at_end", "more"), [("Control", "", False), ("Control", "Control", True)]
)
def test_more_clicks_are_to_come_if_ctrl_is_still_held_at_the_end(
    held: str, held_at_end: str, more: bool
) -> None:
    (gesture,), _ = do(FAR, held, held_at_end=held_at_end)
    assert gesture.more == more
