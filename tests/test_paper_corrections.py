from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_brs.clicks import Click
from paper.corrections import correct_image


@dataclass
class FakeWhole:
    """A segmentation that is a mask."""

    foreground: np.ndarray
    clicks_obeyed: tuple[bool, ...] = ()
    evaluations: int = 0
    stable: bool = True

    @property
    def probabilities(self) -> np.ndarray:
        return np.stack([1 - self.foreground, self.foreground]).astype(np.float32)

    def mask(self, target: int) -> np.ndarray:
        return self.probabilities[target] > 0.5


class SquareRepairer:
    """Every click sets the 3 × 3 pixels around it right; it remembers what it was asked."""

    def __init__(self, first: np.ndarray) -> None:
        self.first, self.asked = first, []

    def set_image(self, image: np.ndarray) -> None:
        self.asked.clear()

    def segment(self, clicks=(), targets=None, previous=None) -> FakeWhole:
        self.asked.append((tuple(clicks), targets, previous))
        if not clicks:
            return FakeWhole(self.first.astype(float))
        foreground = previous.foreground.copy()
        row, column = clicks[-1].pixel
        foreground[row - 1 : row + 2, column - 1 : column + 2] = clicks[-1].positive
        obeyed = tuple(bool(foreground[c.pixel]) == c.positive for c in clicks)
        return FakeWhole(foreground, obeyed, evaluations=3, stable=len(clicks) < 2)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Truth, and a segmentation that misses a 5 × 5 object and has a 3 × 3 one too many."""
    truth, first = np.zeros((2, 20, 30), bool)
    truth[3:8, 3:8] = truth[3:9, 15:21] = True
    first[3:9, 15:21] = first[14:17, 20:23] = True
    return truth, first


def test_clicks_go_to_the_largest_error_of_the_whole_image_with_its_sign():
    truth, first = scene()
    nothing = np.zeros_like(truth)
    segmenter = SquareRepairer(first)
    found = correct_image(segmenter, np.zeros((20, 30)), truth, nothing, target=1, max_clicks=2)
    assert found.clicks == [Click(5, 5, True), Click(15, 21, False)]
    assert [int((mask ^ truth).sum()) for mask in found.masks] == [34, 25, 16]
    assert found.obeyed == [1, 1]
    assert found.evaluations == [3, 3]
    assert found.stable == [True, False]
    # All clicks so far, their class, and what was there before.
    clicks, targets, previous = segmenter.asked[-1]
    assert clicks == tuple(found.clicks)
    assert targets == [1, 1]
    assert (previous.mask(1) == found.masks[1]).all()


def test_it_ends_when_no_error_is_left():
    truth, first = scene()
    ignore = np.zeros_like(truth)
    ignore[:10] = True
    found = correct_image(SquareRepairer(first), np.zeros((20, 30)), truth, ignore, target=1)
    assert len(found.clicks) == 1
    assert len(found.masks) == 2
    assert not (found.masks[-1] ^ truth)[~ignore].any()


def test_the_class_that_is_clicked_on_is_that_of_the_truth():
    truth, first = scene()
    found = correct_image(
        SquareRepairer(~first), np.zeros((20, 30)), truth, np.zeros_like(truth), target=0
    )
    assert (found.masks[0] == first).all()
