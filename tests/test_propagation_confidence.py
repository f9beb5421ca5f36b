from __future__ import annotations

import numpy as np
import pytest

from napari_brs.masks import Box, Mask
from napari_brs.propagation.confidence import DOUBTFUL, chance, reason
from napari_brs.propagation.frame import Evidence

SURE = Evidence(0.97, 0.97, 0.9, 0.97)
INSIDE = Mask.of(np.ones((4, 4), bool), Box(5, 5, 9, 9), (20, 20))


def test_a_sure_mask_is_not_doubtful_and_a_lost_one_has_no_chance() -> None:
    assert chance(SURE) > DOUBTFUL
    assert chance(Evidence(0.0, 0.0, 0.0, 0.0)) == 0


@pytest.mark.parametrize("kind", Evidence._fields)
def test_less_of_any_evidence_is_less_confidence(kind: str) -> None:
    assert chance(SURE._replace(**{kind: 0.5})) < chance(SURE)


def test_the_reason_names_what_speaks_against_a_mask() -> None:
    assert reason(Mask.empty((20, 20)), SURE) == "it was lost"
    assert reason(Mask.of(np.ones((4, 4), bool), None, None), SURE) == "it is at the image's border"
    assert reason(INSIDE, SURE._replace(stability=0.4)) == "its outline is unsure"
    assert reason(INSIDE, SURE._replace(size=0.2)) == "its size changed"
