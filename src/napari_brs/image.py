"""Any image that napari shows, as RGB between 0 and 255, one window at a time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Channel: TypeAlias = int | str
"""An index, "mean" or "max"."""

# The grey values that an image's own limits are estimated from: at most this
# many, spread over the image; of lazy images at most this many blocks are read.
_SAMPLE_VALUES = 1_000_000
_SAMPLE_BLOCKS = 64
_BLOCK_SIDE = 512
_PERCENTILES = (0.1, 99.9)


class ImageSource:
    """Windows of an image as a network wants them: RGB, float32, 0 to 255.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array-like
        bool, integer or real; a numpy, dask or zarr array, or anything with
        ``shape``, ``dtype`` and slicing. It is neither copied nor read as a whole.
        C = 1 is grey, 3 RGB, 4 RGBA, whose alpha is dropped.
    contrast_limits : (low, high), optional
        Values that become 0 and 255, the same for all channels; values beyond are
        clipped. Without them bool and uint8 keep their scale, and so does real RGB
        within [0, 1]; other images are stretched between the 0.1 and 99.9
        percentiles of their finite values, or between the lowest and the highest
        where these two coincide. They are estimated from an even sample of a
        million values at most; of a lazy image, from 64 chunks at most.
    channel : int, "mean" or "max", optional
        Which channel to show in grey, or how to join them. Without it three and
        four channels are colours, and any other number is joined by "max".

    NaN becomes ``low``, infinities become ``low`` and ``high``; a warning says so once.

    Raises
    ------
    ValueError
        If the image is empty, complex or not of two or three dimensions, or if the
        contrast limits or the channel cannot be used.
    """

    def __init__(
        self,
        image: Any,
        contrast_limits: tuple[float, float] | None = None,
        channel: Channel | None = None,
    ) -> None:
        dims, self._dtype = _shape_and_dtype(image)
        self._image = image
        self.shape: tuple[int, int] = (dims[0], dims[1])
        self._projection, self._selection = _choose_channels(dims, channel)
        self._told_not_finite = False
        if contrast_limits is not None:
            self.contrast_limits: tuple[float, float] | None = _check_limits(contrast_limits)
        elif self._dtype == np.uint8:
            self.contrast_limits = None
        elif self._dtype == np.bool_:
            self.contrast_limits = (0.0, 1.0)
        else:
            self.contrast_limits = self._estimate_limits()

    def read(self, top: int, left: int, height: int, width: int) -> NDArray[np.float32]:
        """One window, (height, width, 3) float32 RGB in [0, 255]; nothing else is read.

        Raises
        ------
        ValueError
            If the window is empty or reaches over the image's edge.
        """
        rows, columns = self.shape
        if not (0 <= top < top + height <= rows and 0 <= left < left + width <= columns):
            raise ValueError(
                f"window (top {top}, left {left}, height {height}, width {width}) is not inside "
                f"the image; windows within {rows} rows and {columns} columns are allowed"
            )
        values = self._fetch(slice(top, top + height), slice(left, left + width))
        stretched = self._stretch(values)
        if self._projection == "max":
            stretched = stretched.max(axis=-1)
        elif self._projection == "mean":
            stretched = stretched.mean(axis=-1)
        if stretched.ndim == 2:
            return np.repeat(stretched[..., np.newaxis], 3, axis=-1)
        return stretched

    def _fetch(self, rows: slice, columns: slice) -> NDArray[Any]:
        """The chosen channels of one window: (h, w), or (h, w, C) if there are several."""
        return np.asarray(self._image[(rows, columns, *self._selection)])

    def _stretch(self, values: NDArray[Any]) -> NDArray[np.float32]:
        if self.contrast_limits is None:
            return values.astype(np.float32)
        low, high = self.contrast_limits
        # float32 holds 16-bit integers exactly; wider types, and wide limits, need more.
        widest = (values.dtype, np.min_scalar_type(low), np.min_scalar_type(high), np.float32)
        work = values.astype(np.result_type(*widest))
        if values.dtype.kind == "f":
            self._warn_unless_finite(values)
            work[np.isnan(work)] = low
        half = work.dtype.type(0.5 * high - 0.5 * low)  # high - low itself may overflow
        # A constant image, as far as its sample tells.
        if half == 0 or work.dtype.type(low) == work.dtype.type(high):
            return np.where(work > low, np.float32(255), np.float32(0))
        np.clip(work, low, high, out=work)
        work *= 0.5
        work -= 0.5 * low
        work /= half
        work *= 255
        return np.clip(work, 0, 255, out=work).astype(np.float32, copy=False)

    def _estimate_limits(self) -> tuple[float, float]:
        parts = [self._fetch(rows, columns).ravel() for rows, columns in self._sample_windows()]
        sample = np.concatenate(parts)
        if self._dtype.kind == "f":
            self._warn_unless_finite(sample)
            sample = sample[np.isfinite(sample)]
            if sample.size == 0:
                return 0.0, 1.0
            colours = self._selection == (slice(0, 3),) and self._projection is None
            if colours and sample.min() >= 0 and sample.max() <= 1:
                return 0.0, 1.0
        # Values that occur in the image: interpolated ones could overflow.
        low = np.percentile(sample, _PERCENTILES[0], method="lower")
        high = np.percentile(sample, _PERCENTILES[1], method="higher")
        if low == high:
            low, high = sample.min(), sample.max()
        if low == high:
            # Limits that can be given back, as those of any other image.
            return float(low), math.nextafter(float(high), math.inf)
        return float(low), float(high)

    def _sample_windows(self) -> Iterator[tuple[slice, slice]]:
        """Strided windows, spread over the image, with about `_SAMPLE_VALUES` values at most.

        An array in memory gives one pixel in so many. A stride alone would make a
        lazy array load all of its chunks: it gives evenly spread chunks instead, and
        of each one pixel in so many.
        """
        rows, columns = self.shape
        channels = self._image.shape[2] if len(self._image.shape) == 3 else 1
        budget = max(1, _SAMPLE_VALUES // channels)
        if isinstance(self._image, np.ndarray) or rows * columns <= budget:
            down, across = _steps(rows, columns, budget)
            yield slice(0, rows, down), slice(0, columns, across)
            return
        high, wide = _chunk_sides(self._image)
        high, wide = min(high, rows), min(wide, columns)
        blocks_down, blocks_across = math.ceil(rows / high), math.ceil(columns / wide)
        # As square a grid of at most _SAMPLE_BLOCKS blocks as the chunks allow.
        side = math.isqrt(_SAMPLE_BLOCKS)
        count_down = min(blocks_down, max(side, _SAMPLE_BLOCKS // blocks_across))
        count_across = min(blocks_across, _SAMPLE_BLOCKS // count_down)
        down, across = _steps(high, wide, max(1, budget // (count_down * count_across)))
        for i in _spread(blocks_down, count_down):
            for j in _spread(blocks_across, count_across):
                yield (
                    slice(i * high, min((i + 1) * high, rows), down),
                    slice(j * wide, min((j + 1) * wide, columns), across),
                )

    def _warn_unless_finite(self, values: NDArray[Any]) -> None:
        if not self._told_not_finite and not np.isfinite(values).all():
            self._told_not_finite = True
            warnings.warn(
                "the image has values that are not finite: NaN and -inf are taken as the lowest "
                "value shown, +inf as the highest",
                stacklevel=3,
            )


def _shape_and_dtype(image: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        dims = tuple(int(side) for side in image.shape)
        dtype = np.dtype(image.dtype)
    except (AttributeError, TypeError):
        raise ValueError(
            f"image is of type {type(image).__name__}; an array with shape and dtype is required"
        ) from None
    if len(dims) not in (2, 3):
        raise ValueError(
            f"image has shape {dims}; (rows, columns) and (rows, columns, channels) are allowed"
        )
    if 0 in dims:
        raise ValueError(f"image has shape {dims}; an image without pixels is not allowed")
    if dtype.kind not in "buif":
        raise ValueError(f"image has dtype {dtype}; bool, integer and real images are allowed")
    return dims, dtype


def _choose_channels(
    dims: tuple[int, ...], channel: Channel | None
) -> tuple[str | None, tuple[int | slice, ...]]:
    """How channels are joined (None: not at all), and what to index behind row and column."""
    count = dims[2] if len(dims) == 3 else 1
    if channel is None and count in (3, 4):
        return None, (slice(0, 3),)
    if channel in (None, "mean", "max"):
        if count == 1:
            return None, (0,) * (len(dims) - 2)
        return str(channel or "max"), (slice(None),)
    whole = isinstance(channel, int | np.integer) and not isinstance(channel, bool)
    if not (whole and 0 <= int(channel) < count):
        raise ValueError(
            f'channel is {channel!r}; "mean", "max" and indices from 0 to {count - 1} are allowed'
        )
    return None, (int(channel),) * (len(dims) - 2)


def _check_limits(limits: tuple[float, float]) -> tuple[float, float]:
    values = tuple(float(value) for value in limits)
    if len(values) != 2 or not all(map(math.isfinite, values)) or values[0] >= values[1]:
        raise ValueError(
            f"contrast_limits is {values}; two finite numbers (low, high) with low < high "
            "are allowed"
        )
    return values[0], values[1]


def _chunk_sides(image: Any) -> tuple[int, int]:
    """Rows and columns of a chunk of a dask (`chunksize`) or zarr (`chunks`) array."""
    chunks = getattr(image, "chunksize", None) or getattr(image, "chunks", None)
    try:
        return int(chunks[0]), int(chunks[1])  # type: ignore[index]
    except (TypeError, IndexError):
        return _BLOCK_SIDE, _BLOCK_SIDE


def _steps(height: int, width: int, limit: int) -> tuple[int, int]:
    """Strides down and across that leave about `limit` of height x width pixels at most."""
    surplus = height * width / limit
    down = min(math.ceil(math.sqrt(surplus)), height)
    across = min(math.ceil(surplus / down), width)
    return math.ceil(surplus / across), across


def _spread(count: int, wanted: int) -> Iterator[int]:
    """`wanted` of `count` indices, evenly spread."""
    for k in range(wanted):
        yield (2 * k + 1) * count // (2 * wanted)


class CurrentImage:
    """The image that a segmenter looks at, once there is one."""

    def __init__(self) -> None:
        self._source: ImageSource | None = None

    def take(
        self,
        image: Any,
        contrast_limits: tuple[float, float] | None = None,
        channel: Channel | None = None,
    ) -> None:
        """Hold an image; see `ImageSource` for the parameters and errors."""
        self._source = ImageSource(image, contrast_limits=contrast_limits, channel=channel)

    @property
    def source(self) -> ImageSource:
        """The image; RuntimeError if none was set."""
        if self._source is None:
            raise RuntimeError("no image was set; call set_image first")
        return self._source

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self.source.shape
