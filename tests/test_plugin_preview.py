from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image

from napari_brs.masks import Box, Mask
from napari_brs.plugin.layers.preview import LONG, WINDOW, Preview

FLAT = (None, None)


def block(shape: tuple[int, int], *corners: int) -> Mask:
    """A filled box of an image."""
    box = Box(*corners)
    return Mask.of(np.ones((box.height, box.width), bool), box, shape)


@pytest.fixture
def preview() -> Preview:
    return Preview(Image(np.zeros((10, 12))))


def test_only_what_changes_is_written(preview: Preview) -> None:
    preview.layer.data[9, 11] = 1  # not ours to touch
    first = block((10, 12), 1, 1, 3, 4)
    preview.show({FLAT: first})
    assert preview.layer.data.sum() == 7
    preview.show({FLAT: block((10, 12), 2, 2, 3, 3)})
    assert np.argwhere(preview.layer.data).tolist() == [[2, 2], [9, 11]]
    preview.show({})
    assert preview.layer.data.sum() == 1


def test_a_plane_that_goes_leaves_the_pixels_that_a_crossing_one_holds() -> None:
    preview = Preview(Image(np.zeros((3, 10, 12))))
    flat, across = (1, None, None), (None, 4, None)
    masks = {flat: block((10, 12), 2, 2, 6, 6), across: block((3, 12), 0, 2, 3, 6)}
    preview.show(masks)
    preview.show({flat: masks[flat]})
    assert np.array_equal(preview.layer.data[1] != 0, masks[flat].full())
    assert not preview.layer.data[[0, 2]].any()


def test_paint_is_told_from_what_is_shown(preview: Preview) -> None:
    preview.show({FLAT: block((10, 12), 0, 1, 1, 2)})
    assert preview.painted(FLAT) is None
    preview.layer.data[5, 5] = 2
    painted = preview.painted(FLAT)
    assert np.argwhere(painted.full()).tolist() == [[0, 1], [5, 5]]
    preview.take(FLAT, painted)
    assert preview.painted(FLAT) is None
    preview.layer.data[:] = 0
    assert preview.painted(FLAT) == Mask.empty((10, 12))


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
    monkeypatch.setattr("napari_brs.plugin.layers.preview.spatial_shape", lambda _: shape)
    return Preview(image)


def test_of_a_large_image_only_a_window_is_held_and_it_goes_where_the_object_is(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = large_preview(image, (20_000, LONG), monkeypatch)
    mask = block((20_000, LONG), 18_500, 12, 19_200, 312)
    preview.show({FLAT: mask})
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
    preview.show({FLAT: block((20_000, 20_000), 50, 60, 90, 100)})
    before = preview.layer.data
    preview.show({FLAT: block((20_000, 20_000), 70, 60, 160, 100)})
    assert preview.layer.data is before
    assert before.sum() == 90 * 40
    preview.show({FLAT: block((20_000, 20_000), 1000, 9000, 4000, 11_500)})
    assert preview.layer.data.shape >= (3000, 2500)
    assert preview.layer.data.sum() == 3000 * 2500


def test_the_layer_follows_the_image_wherever_its_window_is(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = large_preview(image, (9000, 8000), monkeypatch)
    image.scale, image.translate = (3, 0.25), (-1, 40)
    preview.follow(image)
    preview.show({FLAT: block((9000, 8000), 8000, 100, 8005, 105)})
    for place in ((8000, 100), (0, 0)):
        np.testing.assert_allclose(world_of(preview, place), image.data_to_world(place), atol=1e-6)


def test_paint_in_a_window_is_read_at_its_place_in_the_image(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = large_preview(image, (20_000, 20_000), monkeypatch)
    preview.show({FLAT: block((20_000, 20_000), 15_000, 500, 15_004, 504)})
    assert preview.painted(FLAT) is None
    top, left = np.subtract((15_006, 503), preview.origin)
    preview.layer.data[top, left] = 1
    painted = preview.painted(FLAT)
    assert painted is not None
    assert painted.box == Box(15_000, 500, 15_007, 504)
    assert painted.area == 17


def test_planes_beyond_the_window_have_no_paint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_brs.plugin.layers.preview.spatial_shape", lambda _: (LONG + 1000, 20, 20)
    )
    preview = Preview(Image(np.zeros((2, 2, 2))))
    first, last = (0, None, None), (LONG + 999, None, None)
    preview.show({last: block((20, 20), 3, 3, 5, 5)})
    assert preview.painted(first) is None
    assert preview.painted(last) is None
    preview.layer.data[last[0] - preview.origin[0], 9, 9] = 1
    painted = preview.painted(last)
    assert painted is not None
    assert painted.area == 5
