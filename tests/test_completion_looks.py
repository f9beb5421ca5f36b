from __future__ import annotations

import numpy as np
import pytest
from fakes import BrightNetwork, frame_of_discs

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.completion.features import SeenTile, see
from napari_brs.completion.looks import look_of, ring_of
from napari_brs.completion.tiles import tiles_of
from napari_brs.masks import Box, Mask

IMAGE, LABELS = frame_of_discs((120, 120), dim=True)


@pytest.fixture
def seen() -> SeenTile:
    segmenter = BRSSegmenter(BrightNetwork(), "cpu")
    segmenter.set_image(IMAGE)
    (tile,) = tiles_of((120, 120), Box(0, 0, 120, 120), 19)
    return see(segmenter, tile)


def test_the_ring_surrounds_the_object_and_has_nothing_of_it() -> None:
    mask = Mask.of(LABELS == 5)
    ring = ring_of(mask)
    assert not (ring.full() & mask.full()).any()
    assert ring.box == mask.box.grown(2, (120, 120))


def test_an_object_that_fills_the_image_has_no_ring_and_no_contrast(seen: SeenTile) -> None:
    mask = Mask.of(np.ones((120, 120), bool))
    assert not ring_of(mask)
    assert not look_of(seen, mask, ring_of(mask)).contrast.any()


def test_figures_are_those_of_a_disc(seen: SeenTile) -> None:
    mask = Mask.of(LABELS == 5)
    look = look_of(seen, mask, ring_of(mask))
    assert (look.length, look.area) == (19, (LABELS == 5).sum())
    assert look.compactness == pytest.approx(np.sqrt(np.pi) / 2, rel=0.06)
    np.testing.assert_allclose(look.intensity, 110 / 255, atol=1e-6)
    np.testing.assert_allclose(look.contrast, 100 / 255, atol=1e-6)
    assert look.texture == pytest.approx(0, abs=1e-6)


def test_kin_are_closer_than_others(seen: SeenTile) -> None:
    looks = {
        n: look_of(seen, Mask.of(n == LABELS), ring_of(Mask.of(n == LABELS))) for n in (1, 2, 3)
    }
    assert looks[1].kinship @ looks[3].kinship > looks[1].kinship @ looks[2].kinship
    assert np.linalg.norm(looks[1].kinship) == pytest.approx(1)
