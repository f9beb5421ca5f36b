from __future__ import annotations

import numpy as np
import pytest

from napari_brs.clicks import Click
from napari_brs.masks import Mask
from napari_brs.session.masks import split, union

FLAT = (None, None)


def dumb_bell() -> np.ndarray:
    """Two discs that a bridge joins at columns 18 to 22, and a speck near the right one."""
    rows, columns = np.mgrid[:30, :42]
    discs = [np.hypot(rows - 15, columns - at) < 9 for at in (10, 30)]
    pixels = discs[0] | discs[1]
    pixels[14:17, 10:30] = True
    pixels[1, 40] = True
    return pixels


def test_an_object_is_parted_at_its_waist_and_nothing_is_lost() -> None:
    mask = Mask.of(dumb_bell())
    left, right = (part.full() for part in split(mask, Click(15, 4), Click(15, 36)))
    assert not (left & right).any()
    assert np.array_equal(left | right, dumb_bell())
    assert left[:, :18].sum() == dumb_bell()[:, :18].sum()
    assert right[:, 23:].sum() == dumb_bell()[:, 23:].sum()


def test_the_part_of_the_foreground_click_comes_first() -> None:
    mask = Mask.of(dumb_bell())
    one, other = split(mask, Click(15, 36), Click(15, 4))
    assert one.holds(15, 36)
    assert other.holds(15, 4)


@pytest.mark.parametrize(
    ("clicks", "message"),
    [
        ((Click(0, 0), Click(15, 4)), r"click \(0, 0\) is not on the object"),
        ((Click(15, 4), Click(15.2, 4.1)), r"both clicks are on pixel \(15, 4\)"),
    ],
)
def test_clicks_that_part_nothing_are_refused(clicks: tuple[Click, Click], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split(Mask.of(dumb_bell()), *clicks)


def test_a_union_has_the_pixels_of_all_in_every_plane() -> None:
    one, two = Mask.of(np.eye(4, dtype=bool)), Mask.of(np.eye(4, dtype=bool)[::-1])
    merged = union([{FLAT: one}, {FLAT: two, (0, None): two}])
    assert np.array_equal(merged[FLAT].full(), one.full() | two.full())
    assert merged[0, None] == two
