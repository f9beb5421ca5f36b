from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image

from napari_brs.plugin.planes import NOTHING, Patch
from napari_brs.plugin.preview import LONG, WINDOW, Preview, same_mask

FLAT = (None, None)


@pytest.fixture
def preview() -> Preview:
    return Preview(Image(np.zeros((10, 12))))


def test_only_what_changes_is_written(preview: Preview) -> None:
    preview.layer.data[9, 11] = 1  # not ours to touch
    first = Patch(1, 1, np.ones((2, 3), bool))
    preview.show({FLAT: first})
    assert preview.layer.data.sum() == 7
    preview.show({FLAT: Patch(2, 2, np.ones((1, 1), bool))})
    assert np.argwhere(preview.layer.data).tolist() == [[2, 2], [9, 11]]
    preview.show({})
    assert preview.layer.data.sum() == 1


def test_paint_is_told_from_what_is_shown(preview: Preview) -> None:
    preview.show({FLAT: Patch(0, 0, np.array([[0, 1], [0, 0]], bool))})
    assert preview.painted(FLAT) is None
    preview.layer.data[5, 5] = 2
    patch = preview.painted(FLAT)
    assert np.argwhere(patch.full((10, 12))).tolist() == [[0, 1], [5, 5]]
    preview.take(FLAT, patch)
    assert preview.painted(FLAT) is None
    preview.layer.data[:] = 0
    assert same_mask(preview.painted(FLAT), NOTHING)


def test_equal_masks_are_equal_in_any_window() -> None:
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    tight = Patch(1, 2, np.ones((1, 1), bool))
    assert same_mask(tight, Patch(0, 0, mask))
    assert not same_mask(tight, Patch(1, 0, mask))
    assert not same_mask(NOTHING, Patch(0, 0, mask))
    assert same_mask(NOTHING, Patch(3, 3, np.zeros((2, 2), bool)))


def world_of(preview: Preview, place: tuple[int, int]) -> np.ndarray:
    """Where in the world the layer shows a pixel of the image."""
    return np.asarray(preview.layer.data_to_world(np.subtract(place, preview.origin)))


@pytest.fixture
def image() -> Image:
    """As placed as can be; its pixels are only claimed to be there."""
    return Image(
        np.zeros((2, 2)),
        scale=(0.5, 2),
        translate=(7, -3),
        rotate=20,
        affine=np.array([[1.1, 0.2, 5], [-0.1, 0.9, 1], [0, 0, 1]]),
    )


def large_preview(image: Image, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> Preview:
    monkeypatch.setattr("napari_brs.plugin.preview.spatial_shape", lambda _: shape)
    return Preview(image)


def test_of_a_large_image_only_a_window_is_held_and_it_goes_where_the_object_is(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = large_preview(image, (20_000, LONG), monkeypatch)
    patch = Patch(18_500, 12, np.ones((700, 300), bool))
    preview.show({FLAT: patch})
    assert preview.layer.data.shape == (WINDOW, LONG)
    top, left = np.argwhere(preview.layer.data)[0]
    assert (top + preview.origin[0], left + preview.origin[1]) == (18_500, 12)
    assert preview.layer.data.sum() == 700 * 300
    np.testing.assert_allclose(
        world_of(preview, (18_500, 12)), image.data_to_world((18_500, 12)), atol=1e-6
    )


def test_the_window_stays_while_the_object_is_in_it_and_grows_with_a_large_one(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = large_preview(image, (20_000, 20_000), monkeypatch)
    preview.show({FLAT: Patch(50, 60, np.ones((40, 40), bool))})
    before = preview.layer.data
    preview.show({FLAT: Patch(70, 60, np.ones((90, 40), bool))})
    assert preview.layer.data is before
    assert before.sum() == 90 * 40
    preview.show({FLAT: Patch(1000, 9000, np.ones((3000, 2500), bool))})
    assert preview.layer.data.shape >= (3000, 2500)
    assert preview.layer.data.sum() == 3000 * 2500


def test_the_layer_follows_the_image_wherever_its_window_is(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = large_preview(image, (9000, 8000), monkeypatch)
    image.scale, image.translate = (3, 0.25), (-1, 40)
    preview.follow(image)
    preview.show({FLAT: Patch(8000, 100, np.ones((5, 5), bool))})
    for place in ((8000, 100), (0, 0)):
        np.testing.assert_allclose(world_of(preview, place), image.data_to_world(place), atol=1e-6)


def test_paint_in_a_window_is_read_at_its_place_in_the_image(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = large_preview(image, (20_000, 20_000), monkeypatch)
    preview.show({FLAT: Patch(15_000, 500, np.ones((4, 4), bool))})
    assert preview.painted(FLAT) is None
    top, left = np.subtract((15_006, 503), preview.origin)
    preview.layer.data[top, left] = 1
    patch = preview.painted(FLAT)
    assert patch is not None
    assert (patch.top, patch.left, patch.mask.shape) == (15_000, 500, (7, 4))
    assert patch.mask.sum() == 17


def test_planes_beyond_the_window_have_no_paint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_brs.plugin.preview.spatial_shape", lambda _: (LONG + 1000, 20, 20))
    preview = Preview(Image(np.zeros((2, 2, 2))))
    first, last = (0, None, None), (LONG + 999, None, None)
    preview.show({last: Patch(3, 3, np.ones((2, 2), bool))})
    assert preview.painted(first) is None
    assert preview.painted(last) is None
    preview.layer.data[last[0] - preview.origin[0], 9, 9] = 1
    painted = preview.painted(last)
    assert painted is not None
    assert painted.mask.sum() == 5
