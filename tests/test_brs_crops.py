from __future__ import annotations

import numpy as np
import pytest
import torch
from fakes import BrightNetwork

from napari_brs.brs.crops import COARSEST, crop_corner, cropped, padded, pasted
from napari_brs.brs.view import View
from napari_brs.masks import Box


def test_cropped_features_are_those_of_the_windows() -> None:
    features = BrightNetwork().encode(torch.rand(1, 3, 96, 128) * 255)
    batch = cropped(features, (96, 128), [(0, 0), (32, 64)], (64, 64))
    assert [level.shape[-2:] for level in batch] == [(16, 16), (8, 8)]
    torch.testing.assert_close(batch[0][1], features.s4[0, :, 8:24, 16:32])
    torch.testing.assert_close(batch[1][0], features.s8[0, :, :8, :8])


@pytest.mark.parametrize("centre", [(0.0, 0.0), (50.0, 70.0), (127.0, 95.0)])
def test_crops_begin_at_multiples_of_the_coarsest_stride_and_stay_inside(
    centre: tuple[float, float],
) -> None:
    corner = crop_corner(centre, (64, 64), (128, 96))
    assert all(at % COARSEST == 0 for at in corner)
    assert 0 <= corner[0] <= 64
    assert 0 <= corner[1] <= 32


def test_a_crop_comes_back_to_the_pixels_it_was_cut_from() -> None:
    view = View(Box(10, 20, 42, 84), (64, 128))
    assert padded(view.grid) == (64, 128)
    whole = torch.rand(1, 1, *view.grid)
    box, values = pasted(view, (32, 64), whole[0, :, 32:, 64:])
    expected = view.paste(whole).numpy()[box.within(view.box).slices]
    assert box.top >= 26 - 1
    np.testing.assert_allclose(values[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-5)
