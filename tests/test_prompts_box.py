from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeSegmenter

from napari_brs.clicks import Click
from napari_brs.masks import Box, Mask, check_box
from napari_brs.prompts import box as prompts
from napari_brs.prompts.box import predict_in_box

BOX = Box(10, 20, 30, 50)


@pytest.fixture
def segmenter() -> FakeSegmenter:
    FakeSegmenter.reset()
    made = FakeSegmenter()
    made.set_image(np.zeros((60, 80), np.uint8))
    return made


def test_a_box_is_a_filled_mask_and_a_click_in_its_middle(segmenter: FakeSegmenter) -> None:
    found = predict_in_box(segmenter, BOX)
    assert segmenter.predicted[0] == (Click(19, 34),)
    filled = np.zeros((60, 80), bool)
    filled[BOX.slices] = True
    assert np.array_equal(segmenter.starts[0], filled)
    assert found.clicks == (Click(19, 34),)
    assert found.clicks_obeyed == (True,)
    assert found.mask[19, 34]


def test_nothing_lies_beyond_the_box_and_a_hair_but_what_was_clicked(
    segmenter: FakeSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = Mask.of(np.ones((60, 80), bool))
    predict = segmenter.predict

    def greedy(*args: object) -> object:
        from dataclasses import replace

        return replace(predict(*args), packed=everything)

    monkeypatch.setattr(segmenter, "predict", greedy)
    assert predict_in_box(segmenter, BOX).packed.box == BOX.grown(2, (60, 80))
    clicks = [Click(50, 60), Click(25, 25, False)]
    found = predict_in_box(segmenter, BOX, clicks)
    assert found.mask[50, 60]
    assert found.clicks == (Click(19, 34), *clicks)
    assert found.clicks_obeyed == (True, True, False)


def test_a_background_click_in_the_middle_takes_the_place_of_the_box_s(
    segmenter: FakeSegmenter,
) -> None:
    clicks = (Click(19, 34, False), Click(12, 22))
    predict_in_box(segmenter, BOX, clicks)
    assert segmenter.predicted[0] == clicks


@pytest.mark.parametrize("box", [Box(0, 0, 0, 5), Box(-1, 0, 5, 5), Box(0, 0, 61, 5)])
def test_a_box_that_holds_nothing_or_leaves_the_image_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match=f"box {box.top},0,{box.bottom},5 is not allowed"):
        check_box(box, (60, 80))


def test_the_first_prediction_starts_from_the_box_and_later_ones_from_the_one_before(
    segmenter: FakeSegmenter,
) -> None:
    first = prompts.predict(segmenter, box=BOX)
    assert np.array_equal(first.mask, predict_in_box(segmenter, BOX).mask)
    FakeSegmenter.reset()
    found = prompts.predict(segmenter, [Click(25, 25)], first, box=BOX)
    assert segmenter.predicted == [(Click(19, 34), Click(25, 25))]
    assert segmenter.starts == [first]
    assert found.mask[25, 25]


def test_without_a_box_clicks_are_predicted_as_ever(segmenter: FakeSegmenter) -> None:
    prompts.predict(segmenter, [Click(25, 25)], size_hint=17)
    assert segmenter.predicted == [(Click(25, 25),)]
    assert segmenter.sizes == [17]
