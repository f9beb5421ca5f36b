from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel
from napari.layers import Image

from napari_brs.clicks import Click
from napari_brs.image import ImageSource
from napari_brs.masks import Box, Mask
from napari_brs.plugin.layers.planes import (
    LazyPlane,
    displayed_position,
    fingerprint,
    image_pixels,
    plane_image,
    plane_shape,
    shown_mask,
    to_click,
    to_point,
)


def test_the_pixels_of_a_plane_lie_in_the_image_where_the_plane_does() -> None:
    mask = Mask.of(np.ones((2, 1), bool), Box(1, 2, 3, 3), (4, 5))
    assert [axis.tolist() for axis in image_pixels(mask, (None, 7, None))] == [
        [1, 2],
        [7, 7],
        [2, 2],
    ]
    assert [axis.tolist() for axis in image_pixels(mask, (None, None))] == [[1, 2], [2, 2]]
    assert plane_shape((4, 9, 5), (None, 7, None)) == (4, 5)


def test_nothing_shown_is_an_empty_mask_of_the_plane() -> None:
    assert shown_mask(None, (3, 4)) == Mask.empty((3, 4))
    some = Mask.of(np.eye(3))
    assert shown_mask(some, (3, 3)) is some


@pytest.mark.parametrize(
    ("position", "point"),
    [
        ((None, None), [1.5, 2.5]),
        ((7, None, None), [7, 1.5, 2.5]),
        ((None, 7, None), [1.5, 7, 2.5]),
        ((None, 3, None, 4), [1.5, 3, 2.5, 4]),
    ],
)
def test_clicks_become_points_and_return(position: tuple, point: list[float]) -> None:
    click = Click(1.5, 2.5, False)
    assert to_point(click, position) == point
    assert to_click(point, position, False) == click


class Recorder:
    """An array that is not numpy, and writes down what is read of it."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.read = values, []
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __getitem__(self, key: object) -> np.ndarray:
        self.read.append(key)
        return self.values[key]


@pytest.mark.parametrize("position", [(2, None, None), (None, 1, None), (None, None, 3)])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_a_lazy_plane_reads_the_asked_pixels_and_no_others(
    position: tuple, colours: tuple[int, ...]
) -> None:
    values = np.random.default_rng(0).integers(0, 255, (4, 5, 6, *colours))
    data = Recorder(values)
    plane = LazyPlane(data, position)
    assert not data.read
    expected = values[tuple(slice(None) if i is None else i for i in position)]
    assert plane.shape == expected.shape
    assert np.array_equal(plane[1:3, 2:4], expected[1:3, 2:4])
    assert np.array_equal(plane[1:3], expected[1:3])
    assert np.array_equal(np.asarray(plane[:, :]), expected)
    if colours:
        assert np.array_equal(plane[0:2, 0:2, 0:1], expected[0:2, 0:2, 0:1])
    source = ImageSource(plane, contrast_limits=(0, 255))
    assert source.read(1, 1, 2, 3).shape == (2, 3, 3)


def test_a_plane_of_a_numpy_image_is_a_view() -> None:
    data = np.zeros((3, 4, 5))
    assert np.shares_memory(plane_image(Image(data), (1, None, None)), data)


def test_a_flat_lazy_image_is_passed_on_as_it_is() -> None:
    zarr = pytest.importorskip("zarr")
    data = zarr.array(np.zeros((4, 5), np.uint8))
    assert plane_image(Image(data, contrast_limits=(0, 1)), (None, None)) is data


def test_the_displayed_plane_follows_scale_and_translation() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((5, 6, 7)), scale=(3, 1, 1), translate=(10, 0, 0))
    for index in range(5):
        viewer.dims.set_point(0, 10 + 3 * index)
        assert displayed_position(layer, viewer.dims) == (index, None, None)


@pytest.mark.parametrize("shape", [(300, 200), (300, 200, 3), (3000, 2000)])
def test_a_change_in_place_changes_the_fingerprint(shape: tuple[int, ...]) -> None:
    pixels = np.zeros(shape, np.uint8)
    before = fingerprint(pixels)
    assert fingerprint(pixels.copy()) == before
    pixels[100:110, 50:60] = 1
    assert fingerprint(pixels) != before


def test_of_a_small_plane_every_pixel_counts() -> None:
    pixels = np.zeros((999, 999), np.uint16)
    before = fingerprint(pixels)
    pixels[501, 777] = 1
    assert fingerprint(pixels) != before


def test_for_the_fingerprint_nothing_is_read_from_a_disk(tmp_path: Path) -> None:
    recorder = Recorder(np.zeros((20, 20)))
    assert fingerprint(recorder) is None
    assert not recorder.read
    mapped = np.memmap(tmp_path / "pixels", np.uint8, "w+", shape=(20, 20))
    assert fingerprint(mapped[2:]) is None
    assert fingerprint(np.asarray(mapped)) is None
