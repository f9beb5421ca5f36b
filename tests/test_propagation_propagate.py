from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from fakes import BrightNetwork

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.masks import Mask
from napari_brs.propagation.propagate import Seeing, between, propagate

SHAPE = (64, 96)


class PreviousNetwork(BrightNetwork):
    uses_previous = True


@pytest.fixture
def segmenter() -> BRSSegmenter:
    return BRSSegmenter(PreviousNetwork(), "cpu")


def _film(count: int = 6, step: int = 4) -> tuple[np.ndarray, list[dict[int, Mask]]]:
    """Two squares that move: one to the right, one up."""
    film = np.full((count, *SHAPE), 10, np.uint8)
    masks = []
    for t in range(count):
        squares = {1: (8, 8 + step * t), 2: (44 - step * t // 2, 70)}
        found = {}
        for number, (row, column) in squares.items():
            film[t, row : row + 12, column : column + 12] = 220
            pixels = np.zeros(SHAPE, bool)
            pixels[row : row + 12, column : column + 12] = True
            found[number] = Mask.of(pixels)
        masks.append(found)
    return film, masks


def _overlaps(found: Any, truth: dict[int, Mask]) -> list[float]:
    return [
        (found[n].mask.full() & truth[n].full()).sum()
        / (found[n].mask.full() | truth[n].full()).sum()
        for n in truth
    ]


@pytest.mark.parametrize(("start", "stop"), [(0, 6), (5, -1)])
def test_objects_are_followed_forward_and_backward(
    segmenter: BRSSegmenter, start: int, stop: int
) -> None:
    film, truth = _film()
    steps = list(propagate(segmenter, film, start, truth[start], stop))
    assert [s.frame for s in steps] == list(range(start, stop, 1 if stop > start else -1))[1:]
    for step in steps:
        assert min(_overlaps(step.objects, truth[step.frame])) > 0.8
        assert all(0 <= value <= 1 for value in step.confidence.values())


def test_the_same_film_gives_the_same_masks(segmenter: BRSSegmenter) -> None:
    film, truth = _film()
    first, again = (list(propagate(segmenter, film, 0, truth[0], 6)) for _ in range(2))
    assert [[one.mask for one in s.objects.values()] for s in first] == [
        [one.mask for one in s.objects.values()] for s in again
    ]


def test_a_lost_object_is_reported_once_and_the_others_go_on(segmenter: BRSSegmenter) -> None:
    film, truth = _film()
    film[2:, 8:20] = 10
    steps = list(propagate(segmenter, film, 0, truth[0], 6))
    assert [sorted(step.objects) for step in steps] == [[1, 2], [1, 2], [2], [2], [2]]
    assert not steps[1].objects[1].mask
    assert steps[1].confidence[1] == 0


def test_it_ends_when_all_are_lost(segmenter: BRSSegmenter) -> None:
    film, truth = _film()
    film[2:] = 10
    assert [s.frame for s in propagate(segmenter, film, 0, truth[0], 6)] == [1, 2]


def test_frames_are_read_once_each_at_most_one_ahead_and_not_by_the_caller(
    segmenter: BRSSegmenter,
) -> None:
    film, truth = _film()
    read: list[tuple[int, bool]] = []

    class Lazy:
        def __len__(self) -> int:
            return 2000

        def __getitem__(self, index: int) -> np.ndarray:
            read.append((index, threading.current_thread() is threading.main_thread()))
            return film[min(index, 5)]

    steps = propagate(segmenter, Lazy(), 0, truth[0], 2000)
    assert next(steps).frame == 1
    assert [index for index, _ in read] in ([0, 1], [0, 1, 2])
    assert not any(by_caller for _, by_caller in read)
    steps.close()


def test_between_two_known_frames_both_count(segmenter: BRSSegmenter) -> None:
    film, truth = _film()
    steps = list(between(segmenter, film, 0, 5, truth[0], truth[5]))
    assert [step.frame for step in steps] == [4, 3, 2, 1]
    for step in steps:
        assert min(_overlaps(step.objects, truth[step.frame])) > 0.8


def test_what_one_side_lost_is_the_other_sides(segmenter: BRSSegmenter) -> None:
    film, truth = _film()
    film[2, 8:20] = 10
    found = {s.frame: s.objects for s in between(segmenter, film, 0, 5, truth[0], truth[5])}
    assert [bool(found[frame][1].mask) for frame in (1, 2, 3, 4)] == [True, False, True, True]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": 9}, "frame 9 does not exist: 0 to 5 are allowed"),
        ({"stop": 8}, "the end 8 is not allowed; -1 to 6 are"),
        ({"objects": {}}, "none was given"),
        ({"objects": {3: Mask.empty(SHAPE)}}, r"\[3\]"),
        ({"objects": {3: Mask.of(np.ones((4, 4), bool))}}, r"\(64, 96\) pixels; \(4, 4\)"),
    ],
)
def test_bad_input_is_named(segmenter: BRSSegmenter, change: dict[str, Any], words: str) -> None:
    film, truth = _film()
    given: dict[str, Any] = {"start": 0, "objects": truth[0], "stop": 6} | change
    with pytest.raises(ValueError, match=words):
        list(propagate(segmenter, film, **given))


def test_a_frame_of_another_size_or_that_cannot_be_read_is_named(segmenter: BRSSegmenter) -> None:
    film, truth = _film()
    with pytest.raises(ValueError, match=r"frame 2 has \(30, 96\) pixels"):
        list(propagate(segmenter, [*film[:2], film[2, :30]], 0, truth[0], 3))

    class Broken(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            if index == 3:
                raise OSError("no such file")
            return film[index]

    with pytest.raises(ValueError, match="frame 3 cannot be read: no such file"):
        list(propagate(segmenter, Broken(film), 0, truth[0], 6))


def test_frames_with_nan_and_of_16_bits_are_followed(segmenter: BRSSegmenter) -> None:
    film, truth = _film()
    deep = film.astype(np.float32) * 200
    deep[1:, 22:24, 8:60] = np.nan
    seeing = Seeing(contrast_limits=(0, 51000))
    with pytest.warns(UserWarning, match="not finite"):
        steps = list(propagate(segmenter, deep, 0, truth[0], 6, seeing))
    assert min(_overlaps(steps[-1].objects, truth[5])) > 0.8
