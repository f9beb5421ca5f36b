"""Windows in which an image is looked at that is too large to be seen at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_brs.masks import Box

SIDE = 1024
"""Longest side of a tile in pixels."""
OVERLAP = 128
"""Pixels that neighbouring tiles share."""


def covering(
    shape: tuple[int, int], size: tuple[int, int] | None = None
) -> Iterator[tuple[Box, Box]]:
    """Overlapping tiles of an image, each with the part in which it counts.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    size : (int, int), optional
        Of a tile; default `SIDE` both ways.

    Yields
    ------
    (Box, Box)
        A tile, and its inner part. The inner parts cover every pixel once.
    """
    rows, columns = (
        list(_intervals(length, side))
        for length, side in zip(shape, size or (SIDE, SIDE), strict=True)
    )
    for (top, bottom), (first, last) in rows:
        for (left, right), (start, stop) in columns:
            yield Box(top, left, bottom, right), Box(first, start, last, stop)


def tile_around(
    pixels: Sequence[tuple[int, int]], shape: tuple[int, int], size: tuple[int, int] | None = None
) -> Box:
    """A tile with the middle of some pixels at its centre, as far as the image allows."""
    begins, ends = [], []
    for axis, (length, side) in enumerate(zip(shape, size or (SIDE, SIDE), strict=True)):
        places = [pixel[axis] for pixel in pixels]
        middle = (min(places) + max(places)) // 2
        begin = min(max(0, middle - side // 2), max(0, length - side))
        begins.append(begin)
        ends.append(min(length, begin + side))
    return Box(begins[0], begins[1], ends[0], ends[1])


def _intervals(length: int, side: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """((begin, end) of a tile, (begin, end) of its inner part) along one axis."""
    overlap = min(OVERLAP, side // 4)
    begins = [0]
    while begins[-1] + side < length:
        begins.append(min(begins[-1] + side - overlap, length - side))
    for number, begin in enumerate(begins):
        end = min(begin + side, length)
        first = 0 if number == 0 else (begin + begins[number - 1] + side) // 2
        last = length if begin == begins[-1] else (begins[number + 1] + end) // 2
        yield (begin, end), (first, last)
