from __future__ import annotations

import pytest
from fakes import BrightNetwork, frame_of_discs

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.clicks import Click
from napari_brs.completion.candidates import BATCH, decode_clicks
from napari_brs.completion.features import SeenTile, see
from napari_brs.completion.tiles import tiles_of
from napari_brs.masks import Box

IMAGE, LABELS = frame_of_discs((150, 150))


@pytest.fixture
def segmenter() -> BRSSegmenter:
    segmenter = BRSSegmenter(BrightNetwork(), "cpu")
    segmenter.set_image(IMAGE)
    return segmenter


@pytest.fixture
def seen(segmenter: BRSSegmenter) -> SeenTile:
    (tile,) = tiles_of((150, 150), Box(0, 0, 150, 150), 19)
    return see(segmenter, tile)


def test_each_click_gets_the_object_under_it(segmenter: BRSSegmenter, seen: SeenTile) -> None:
    pixels = [(r, c) for r in range(20, 150, 40) for c in range(20, 150, 40)]
    assert len(pixels) > BATCH
    found = decode_clicks(segmenter.network, seen, [(Click(*pixel),) for pixel in pixels])
    assert [one.clicks[0].pixel for one in found] == pixels
    for one in found:
        truth = LABELS[one.clicks[0].pixel] == LABELS
        mask = one.mask.full()
        assert (mask & truth).sum() / (mask | truth).sum() > 0.8
        assert 0.5 < one.stability <= 1
        assert one.certainty > 0.9


def test_a_candidate_does_not_depend_on_the_others(segmenter: BRSSegmenter, seen: SeenTile) -> None:
    clicks = [(Click(60, 60),), (Click(20, 140),), (Click(100, 20),)]
    together = decode_clicks(segmenter.network, seen, clicks)
    alone = [decode_clicks(segmenter.network, seen, [own])[0] for own in clicks]
    assert [one.mask for one in together] == [one.mask for one in alone]


def test_a_click_on_nothing_gives_no_candidate(segmenter: BRSSegmenter, seen: SeenTile) -> None:
    assert decode_clicks(segmenter.network, seen, [(Click(40, 40),)]) == []
    assert decode_clicks(segmenter.network, seen, []) == []


def test_background_clicks_reach_the_network(segmenter: BRSSegmenter, seen: SeenTile) -> None:
    alone = (Click(60, 60),)
    beside = (*alone, Click(60, 64, positive=False))
    whole, cut = decode_clicks(segmenter.network, seen, [alone, beside])
    assert cut.mask.area < 0.9 * whole.mask.area
