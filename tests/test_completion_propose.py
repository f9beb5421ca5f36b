from __future__ import annotations

import numpy as np
import pytest
from fakes import BrightNetwork, frame_of_discs

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.completion.propose import propose
from napari_brs.masks import Box, Mask, overlap

IMAGE, LABELS = frame_of_discs((150, 150))
OBJECTS = {number: Mask.of(number == LABELS) for number in range(1, LABELS.max() + 1)}


@pytest.fixture
def segmenter() -> BRSSegmenter:
    segmenter = BRSSegmenter(BrightNetwork(), "cpu")
    segmenter.set_image(IMAGE)
    return segmenter


def found_in(proposals: list[Mask]) -> set[int]:
    """Numbers of the objects that a proposal shows."""
    return {
        number
        for number, true in OBJECTS.items()
        if any(overlap(true, mask) > 0.5 for mask in proposals)
    }


def test_the_objects_like_the_finished_ones_are_proposed(segmenter: BRSSegmenter) -> None:
    finished = [OBJECTS[6], OBJECTS[11]]
    proposals = list(propose(segmenter, finished))
    assert found_in([one.mask for one in proposals]) >= set(OBJECTS) - {6, 11}
    assert all(0 <= one.confidence <= 1 for one in proposals)
    assert all(one.clicks[0].positive and one.mask.holds(*one.clicks[0].pixel) for one in proposals)


def test_proposals_lie_neither_on_finished_objects_nor_on_one_another(
    segmenter: BRSSegmenter,
) -> None:
    finished = [OBJECTS[6], OBJECTS[11]]
    covered = sum(mask.full().astype(int) for mask in finished)
    for one in propose(segmenter, finished):
        covered = covered + one.mask.full()
    assert covered.max() == 1


def test_what_was_refused_is_not_proposed_again(segmenter: BRSSegmenter) -> None:
    finished, refused = [OBJECTS[6], OBJECTS[11]], OBJECTS[1]
    again = [one.mask for one in propose(segmenter, finished, rejected=[refused])]
    assert all(overlap(refused, mask) < 0.5 for mask in again)


def test_only_the_region_is_looked_at(segmenter: BRSSegmenter) -> None:
    region = Box(0, 0, 75, 150)
    for one in propose(segmenter, [OBJECTS[6]], region=region):
        row, _ = one.clicks[0].pixel
        assert row < 75


@pytest.mark.parametrize(
    ("finished", "region", "message"),
    [
        ([], None, "there is no finished object"),
        ([Mask.of(np.ones((9, 9), bool))], None, "shape"),
        ([OBJECTS[1]], Box(0, 0, 0, 9), "is empty or leaves the image"),
        ([OBJECTS[1]], Box(0, 0, 9, 151), "is empty or leaves the image"),
    ],
)
def test_what_cannot_be_used_is_refused(
    segmenter: BRSSegmenter, finished: list[Mask], region: Box | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        propose(segmenter, finished, region=region)
