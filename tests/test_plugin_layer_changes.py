"""Images as people have them, and as they change: no window, and a segmenter that draws discs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import FakeSegmenter
from plugin_hands import SHAPE, click, pause

pytest.importorskip("napari")


# images as people have them


def test_lazy_images_are_read_only_where_they_are_looked_at(
    model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    import dask.array as da

    read: list[Any] = []

    def block(block_info: Any = None) -> np.ndarray:
        read.append(block_info[None]["chunk-location"])
        return np.ones((1, 48, 64), np.uint8)

    lazy = da.map_blocks(block, chunks=((1,) * 6, (48,), (64,)), dtype=np.uint8, meta=np.zeros(0))
    layer = model.add_image(lazy, contrast_limits=(0, 1), multiscale=False)
    controller.set_image_layer(layer, look=False)
    model.dims.set_point(0, 4)
    read.clear()
    click(controller, 20, 30)
    plane = fake.images[-1][0]
    assert plane.shape == SHAPE
    assert {location[0] for location in read} <= {4}
    assert np.asarray(plane[3:5, 6:8]).shape == (2, 2)
    assert {location[0] for location in read} == {4}


def test_multiscale_images_are_segmented_at_full_resolution(
    model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    full = np.zeros(SHAPE, np.uint8)
    layer = model.add_image([full, full[::2, ::2]], multiscale=True)
    controller.set_image_layer(layer, look=False)
    click(controller, 20, 30)
    assert fake.images[-1][0].shape == SHAPE
    assert controller.objects_layer.data.shape == SHAPE


def test_colour_images_keep_their_channels_and_have_flat_labels(
    model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    layer = model.add_image(np.zeros((*SHAPE, 3), np.uint8), rgb=True)
    controller.set_image_layer(layer, look=False)
    click(controller, 20, 30)
    pixels, limits = fake.images[-1]
    assert pixels.shape == (*SHAPE, 3)
    assert limits is None
    assert controller.objects_layer.data.shape == SHAPE


def test_contrast_limits_of_the_layer_are_what_the_network_sees(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    image.contrast_limits = (100, 900)
    click(controller, 20, 30)
    assert fake.images[-1][1] == (100, 900)
    assert controller.session.contrast_limits == (100, 900)
    click(controller, 21, 30)
    assert len(fake.images) == 1
    image.contrast_limits = (0, 500)
    click(controller, 22, 30)
    assert fake.images[-1][1] == (0, 500)


def test_new_pixels_are_read_again(controller: Any, image: Any, fake: Any) -> None:
    click(controller, 20, 30)
    image.data = np.ones(SHAPE, np.uint16)
    click(controller, 21, 30)
    assert fake.images[-1][0].max() == 1


def test_an_image_that_changes_its_shape_begins_anew(
    model: Any, controller: Any, image: Any
) -> None:
    click(controller, 20, 30)
    image.data = np.zeros((20, 20), np.uint16)
    controller.wait(20)
    assert controller.preview_layer.data.shape == (20, 20)
    click(controller, 5, 5)


# pixels that change in place


def test_pixels_changed_in_place_are_read_again_at_the_next_click(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    click(controller, 21, 30)
    assert len(fake.images) == 1
    image.data[10:20, 10:20] = 60_000
    click(controller, 22, 30)
    assert len(fake.images) == 2


def test_after_a_refresh_the_features_of_new_pixels_are_computed(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    encoded = fake.encoded
    image.refresh()
    pause(0.5)
    assert fake.encoded == encoded
    image.data[10:20, 10:20] = 60_000
    image.refresh()
    pause(0.5)
    controller.wait(20)
    assert fake.encoded == encoded + 1
    assert len(fake.images) == 2
