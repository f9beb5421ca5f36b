from __future__ import annotations

import numpy as np
import pytest
from fakes import BrightNetwork

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.masks import Box, Mask
from napari_brs.propagation.frame import follow_frame, merged, settle

SHAPE = (60, 80)


def _box(box: Box) -> Mask:
    return Mask.of(np.ones((box.height, box.width), bool), box, SHAPE)


class PreviousNetwork(BrightNetwork):
    uses_previous = True


@pytest.mark.parametrize("network", [BrightNetwork, PreviousNetwork])
def test_an_object_is_found_where_it_is_expected(network: type[BrightNetwork]) -> None:
    image = np.full(SHAPE, 10, np.uint8)
    image[20:32, 30:44] = 220
    segmenter = BRSSegmenter(network(), "cpu")
    segmenter.set_image(image)
    found = follow_frame(segmenter, {7: _box(Box(18, 28, 30, 42))})[7]
    truth = image > 100
    assert (found.mask.full() & truth).sum() / (found.mask.full() | truth).sum() > 0.8
    assert 0 < found.evidence.overlap < 1


def test_an_object_that_is_not_there_is_lost_and_says_so() -> None:
    segmenter = BRSSegmenter(PreviousNetwork(), "cpu")
    segmenter.set_image(np.full(SHAPE, 10, np.uint8))
    found = follow_frame(segmenter, {7: _box(Box(18, 28, 30, 42)), 8: Mask.empty(SHAPE)})
    assert {n: bool(one.mask) for n, one in found.items()} == {7: False, 8: False}
    assert not any(found[7].evidence)


def test_a_pixel_is_the_likelier_objects() -> None:
    first, second = Box(10, 10, 20, 22), Box(10, 18, 20, 30)
    answers = {
        1: (first, np.full((10, 12), 0.9, np.float32)),
        2: (second, np.full((10, 12), 0.6, np.float32)),
    }
    found = settle(answers, {1: _box(first), 2: _box(second)})
    assert found[1].mask == _box(first)
    assert found[2].mask == _box(Box(10, 22, 20, 30))


def test_parts_apart_from_the_expected_mask_are_left_out() -> None:
    box = Box(0, 0, 60, 80)
    values = np.zeros(SHAPE, np.float32)
    values[5:15, 5:15] = values[40:50, 60:70] = 0.9
    found = settle({1: (box, values)}, {1: _box(Box(5, 5, 12, 12))})
    assert found[1].mask == _box(Box(5, 5, 15, 15))


def test_two_probabilities_merge_by_weight_and_count_as_nothing_where_one_did_not_look() -> None:
    first = Box(0, 0, 4, 4), np.full((4, 4), 0.8, np.float32)
    second = Box(0, 2, 4, 6), np.full((4, 4), 0.4, np.float32)
    box, values = merged(first, second, 0.25)
    assert box == Box(0, 0, 4, 6)
    np.testing.assert_allclose(values[0], [0.6, 0.6, 0.7, 0.7, 0.1, 0.1], atol=1e-6)
