from __future__ import annotations

import re
import warnings
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_brs.image import ImageSource


def whole(image: Any, **options: Any) -> np.ndarray:
    source = ImageSource(image, **options)
    return source.read(0, 0, *source.shape)


class Watched:
    """A lazy array that counts the values it hands out and the chunks it would load."""

    def __init__(self, values: np.ndarray, chunks: tuple[int, int]) -> None:
        self._values, self.chunks = values, chunks
        self.shape, self.dtype = values.shape, values.dtype
        self.values_read = 0
        self.chunks_read: set[tuple[int, int]] = set()

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        part = self._values[key]
        self.values_read += part.size
        rows, columns = (range(size)[s] for size, s in zip(self.shape, key, strict=True))
        self.chunks_read |= {
            (r, c)
            for r in range(rows[0] // self.chunks[0], rows[-1] // self.chunks[0] + 1)
            for c in range(columns[0] // self.chunks[1], columns[-1] // self.chunks[1] + 1)
        }
        return part


RAMP = np.linspace(0, 1, 48).reshape(6, 8)


def test_uint8_rgb_comes_out_bit_exact() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    result = whole(image)
    assert result.dtype == np.float32
    assert np.array_equal(result, image)


def test_uint8_grey_keeps_its_scale_even_when_dark() -> None:
    image = np.array([[3, 9], [4, 12]], dtype=np.uint8)
    assert np.array_equal(whole(image), np.stack([image] * 3, axis=-1))


def test_alpha_is_dropped() -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (4, 5, 4), dtype=np.uint8)
    assert np.array_equal(whole(rgba), rgba[..., :3])


def test_bool_becomes_0_and_255() -> None:
    image = np.array([[True, False], [False, False]])
    assert np.array_equal(whole(image)[..., 0], [[255, 0], [0, 0]])
    assert not whole(np.zeros((3, 3), dtype=bool)).any()
    assert (whole(np.ones((3, 3), dtype=bool)) == 255).all()


@pytest.mark.parametrize(
    "dtype",
    [
        "int8",
        "uint16",
        ">u2",
        "int16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "f2",
        "f4",
        ">f8",
        "g",
    ],
)
def test_every_other_type_is_stretched_from_its_lowest_to_its_highest(dtype: str) -> None:
    image = (RAMP * 100 + 7).astype(dtype)
    result = whole(image)
    assert result.dtype == np.float32
    assert result.min() == 0
    assert result.max() == 255
    expected = (image.astype(float) - image.min()) / float(image.max() - image.min()) * 255
    np.testing.assert_allclose(result[..., 1], expected, atol=1e-3)


@pytest.mark.parametrize("dtype", ["int64", "uint64", "int32", "uint32", "float16", "float64"])
def test_the_extremes_of_a_type_do_not_overflow(dtype: str) -> None:
    limits = np.finfo(dtype) if dtype.startswith("f") else np.iinfo(dtype)
    result = whole(np.array([[limits.min, limits.max]], dtype=dtype))
    assert np.array_equal(result[0, :, 0], [0, 255])


@given(
    hnp.arrays(
        st.sampled_from([np.float16, np.float32, np.float64, np.int64, np.uint16, np.int8]),
        hnp.array_shapes(min_dims=2, max_dims=3, max_side=5),
    )
)
def test_any_values_come_out_finite_between_0_and_255_in_their_order(image: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the image has values that are not finite")
        result = whole(image, channel=0)[..., 0]
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 255
    first = image.reshape(*image.shape[:2], -1)[..., 0].ravel()
    finite = np.isfinite(first)
    order = np.argsort(first[finite])
    assert (np.diff(result.ravel()[finite][order]) >= 0).all()


def test_a_few_hot_pixels_do_not_darken_the_rest() -> None:
    image = np.random.default_rng(0).integers(100, 200, (200, 200)).astype(np.uint16)
    image[3, 4] = 65535
    result = whole(image)[..., 0]
    assert result[3, 4] == 255
    assert np.median(result) == pytest.approx(127, abs=5)


def test_rare_bright_pixels_on_an_even_ground_are_seen() -> None:
    image = np.zeros((100, 100), dtype=np.uint16)
    image[5, 5] = 900  # a ten-thousandth: both percentiles are 0
    assert whole(image)[5, 5, 0] == 255
    assert whole(image).sum() == 3 * 255


@pytest.mark.parametrize("value", [0, 7, -3.5, 1e300])
def test_a_constant_image_is_black_without_a_division_by_zero(value: float) -> None:
    assert not whole(np.full((4, 4), value)).any()


@pytest.mark.parametrize("value", [0, 7, -3.5, 1e300])
def test_limits_of_a_constant_image_can_be_given_back(value: float) -> None:
    image = np.full((4, 4), value)
    limits = ImageSource(image).contrast_limits
    brighter = np.append(image, [[value + 1 if abs(value) < 1e9 else 2 * value] * 4], axis=0)
    assert not whole(image, contrast_limits=limits).any()
    assert (whole(brighter, contrast_limits=limits)[4] == 255).all()


def test_one_pixel_is_an_image() -> None:
    assert whole(np.array([[200]], dtype=np.uint8)).tolist() == [[[200, 200, 200]]]
    assert whole(np.array([[200.0]])).shape == (1, 1, 3)


def test_real_rgb_within_0_and_1_keeps_its_scale() -> None:
    image = np.full((3, 3, 3), 0.25, dtype=np.float32)
    image[0, 0] = 0.5
    assert np.array_equal(whole(image), image * 255)
    assert whole(image * 2.5)[0, 0, 0] == 255  # beyond 1 it is stretched


def test_contrast_limits_map_to_0_and_255_and_clip_in_all_channels() -> None:
    image = np.array([[[0, 10, 15], [20, 30, 5]]], dtype=np.uint8)
    result = whole(image, contrast_limits=(10, 20))
    np.testing.assert_allclose(result, [[[0, 0, 127.5], [255, 255, 0]]])


def test_contrast_limits_beyond_the_type_are_used() -> None:
    image = np.array([[0.0, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(whole(image, contrast_limits=(-1, 1))[0, :, 0], [127.5, 255])
    assert np.allclose(whole(image, contrast_limits=(-1e300, 1e300)), 127.5)


@pytest.mark.parametrize("limits", [(2, 2), (3, 1), (0, np.nan), (-np.inf, 1), (0, 1, 2)])
def test_unusable_contrast_limits_are_named(limits: Any) -> None:
    with pytest.raises(ValueError, match=r"contrast_limits is \(.*low < high are allowed"):
        ImageSource(np.zeros((2, 2)), contrast_limits=limits)


def test_nan_and_infinities_are_left_out_of_the_range_and_one_warning_tells() -> None:
    image = RAMP.copy()
    image[0, :3] = np.nan, np.inf, -np.inf
    with pytest.warns(UserWarning, match="not finite"):
        source = ImageSource(image)
    result = source.read(0, 0, 6, 8)[..., 0]  # a second warning would be an error here
    assert source.contrast_limits == (RAMP[0, 3], 1.0)
    assert result[0, :3].tolist() == [0, 255, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_without_finite_values_is_flat(value: float) -> None:
    with pytest.warns(UserWarning, match="not finite"):
        result = whole(np.full((3, 3), value))
    assert np.unique(result).tolist() == [255 if value == np.inf else 0]


def test_nan_does_not_hide_the_other_channels() -> None:
    image = np.zeros((2, 2, 2))
    image[0, 0] = np.nan, 1
    with pytest.warns(UserWarning, match="not finite"):
        assert whole(image)[0, 0, 0] == 255


CHANNELS = np.array([[[0, 30, 60, 90, 240]]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("channel", "value"),
    [(None, 240), ("max", 240), ("mean", 84), (0, 0), (4, 240), (np.int64(2), 60)],
)
def test_several_channels_are_chosen_or_joined(channel: Any, value: int) -> None:
    assert whole(CHANNELS, channel=channel).tolist() == [[[value] * 3]]


@pytest.mark.parametrize(("channel", "value"), [("max", 60), ("mean", 30), (1, 30)])
def test_a_channel_of_an_rgb_image_can_be_asked_for(channel: Any, value: int) -> None:
    assert whole(CHANNELS[..., :3], channel=channel).tolist() == [[[value] * 3]]


def test_one_channel_is_grey() -> None:
    assert whole(CHANNELS[..., 1:2]).tolist() == [[[30, 30, 30]]]


@pytest.mark.parametrize("channel", [5, -1, "median", True, 1.0])
def test_a_channel_that_is_not_there_is_named_with_the_ones_that_are(channel: Any) -> None:
    with pytest.raises(ValueError, match=f"channel is {channel!r}; .* from 0 to 4"):
        ImageSource(CHANNELS, channel=channel)


@pytest.mark.parametrize("shape", [(), (5,), (2, 2, 2, 2), (1, 1, 1, 1, 1)])
def test_other_dimensions_are_refused_with_the_shape(shape: tuple[int, ...]) -> None:
    allowed = "; (rows, columns) and (rows, columns, channels) are allowed"
    with pytest.raises(ValueError, match=re.escape(f"shape {shape}{allowed}")):
        ImageSource(np.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (4, 4, 0)])
def test_an_empty_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="without pixels"):
        ImageSource(np.zeros(shape))


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "U3", "O", "M8[s]"])
def test_what_is_not_a_number_on_a_line_is_refused(dtype: str) -> None:
    with pytest.raises(ValueError, match=r"dtype .*; bool, integer and real images are allowed"):
        ImageSource(np.empty((2, 2), dtype=dtype))


def test_what_is_not_an_array_is_refused() -> None:
    with pytest.raises(ValueError, match="type list"):
        ImageSource([[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "window", [(-1, 0, 2, 2), (0, -1, 2, 2), (5, 0, 2, 2), (0, 7, 1, 2), (0, 0, 0, 1), (0, 0, 1, 0)]
)
def test_a_window_beyond_the_edge_is_refused(window: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="within 6 rows and 8 columns"):
        ImageSource(RAMP).read(*window)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3), (40, 50, 4), (40, 50, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_dask_zarr_and_numpy_give_the_same_windows(shape: tuple[int, ...], dtype: Any) -> None:
    image = (np.random.default_rng(0).random(shape) * 250).astype(dtype)
    window = (7, 11, 20, 30)
    expected = ImageSource(image).read(*window)
    for lazy in (
        da.from_array(image, chunks=16),
        zarr.array(image, chunks=(16, 16, 1)[: len(shape)]),
    ):
        assert np.array_equal(ImageSource(lazy).read(*window), expected)
    assert np.array_equal(whole(image)[7:27, 11:41], expected)


def test_the_given_array_is_neither_changed_nor_lent() -> None:
    for image in (RAMP.copy(), (RAMP * 255).astype(np.uint8), RAMP.astype(np.float32)):
        before = image.copy()
        result = whole(image, contrast_limits=None)
        result[:] = 7
        assert np.array_equal(image, before)


def test_reading_touches_the_window_only() -> None:
    image = Watched(np.zeros((900, 900), dtype=np.uint8), chunks=(100, 100))
    source = ImageSource(image)
    assert image.values_read == 0  # uint8 needs no estimate
    source.read(100, 250, 50, 100)
    assert image.values_read == 50 * 100


@pytest.mark.parametrize("chunks", [(100, 100), (1, 3000), (3000, 1), (3000, 3000), (7, 2000)])
def test_limits_of_a_lazy_image_come_from_few_chunks_and_values(chunks: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(1000, 100, (3000, 3000)).astype(np.float32)
    image = Watched(values, chunks)
    limits = ImageSource(image).contrast_limits
    assert 10_000 < image.values_read <= 1_050_000
    assert len(image.chunks_read) <= 64
    np.testing.assert_allclose(limits, np.percentile(values, (0.1, 99.9)), rtol=0.02)


@pytest.mark.parametrize("shape", [(1, 5_000_000), (5_000_000, 1), (2100, 2100)])
def test_limits_of_an_array_in_memory_come_from_a_bounded_sample(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    monkeypatch.setattr(
        "napari_brs.image.np.percentile",
        lambda sample, *_, **__: sizes.append(sample.size) or sample[0],
    )
    ImageSource(np.zeros(shape, dtype=np.uint16))
    assert all(100_000 < size <= 1_050_000 for size in sizes)
    assert len(sizes) == 2


def test_20000_by_20000_is_opened_and_read_in_parts() -> None:
    scene = zarr.create_array(
        {}, shape=(20_000, 20_000), chunks=(1000, 1000), dtype="uint16", fill_value=100
    )
    scene[8000:10_000, 8000:10_000] = np.tile(np.arange(2000, dtype=np.uint16), (2000, 1))
    source = ImageSource(scene)
    assert source.shape == (20_000, 20_000)
    window = source.read(9000, 8200, 64, 64)
    assert window.shape == (64, 64, 3)
    assert (np.diff(window[0, :, 0]) > 0).all()
    assert source.read(19_999, 19_999, 1, 1).max() < 30
