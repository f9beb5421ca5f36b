"""Pixels of labels as records of a journal: runs of equal values, compressed."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_brs.io.journal import Record

AT_ONCE = 2**20
"""Pixels of labels that are copied or encoded at once."""


class Writing(NamedTuple):
    """Pixels that were written, with what was there before.

    Attributes
    ----------
    indices : tuple of (N,) int arrays
        One per axis.
    before, after : (N,) int arrays
    """

    indices: tuple[NDArray[np.intp], ...]
    before: NDArray[np.integer]
    after: NDArray[np.integer]


def box_record(corner: Sequence[int], values: NDArray[np.integer]) -> Record:
    """What labels hold in a box of any number of axes, which begins at a corner."""
    flat = np.ascontiguousarray(values).reshape(-1)
    starts = _starts(flat[1:] != flat[:-1], flat.size)
    return {
        "is": "labels",
        "corner": [int(at) for at in corner],
        "size": list(values.shape),
        "type": values.dtype.name,
        "lengths": _pack(np.diff(starts, append=flat.size), "<u8"),
        "values": _pack(flat[starts], values.dtype.newbyteorder("<")),
    }


def put_box(labels: NDArray[np.integer], record: Record) -> None:
    """Write what `box_record` kept into labels; ValueError if it does not fit them."""
    corner, size = record["corner"], record["size"]
    if any(
        at < 0 or at + length > limit
        for at, length, limit in zip(corner, size, labels.shape, strict=True)
    ):
        raise ValueError(f"labels at {corner} of size {size} do not fit shape {labels.shape}")
    dtype = label_type(record)
    count = prod(size)
    lengths = _unpack(record["lengths"], "<u8", count)
    values = _unpack(record["values"], dtype.newbyteorder("<"), count)
    if lengths.size != values.size or int(lengths.sum()) != count:
        raise ValueError("runs of labels are damaged")
    box = tuple(slice(at, at + length) for at, length in zip(corner, size, strict=True))
    labels[box] = np.repeat(values.astype(labels.dtype), lengths.astype(np.intp)).reshape(size)


def label_type(record: Record) -> np.dtype[Any]:
    """The type of the labels that a record is of; ValueError if it is no integer."""
    name = str(record["type"])
    if name not in {f"{sign}int{bits}" for sign in ("u", "") for bits in (8, 16, 32, 64)}:
        raise ValueError(f"labels of type {name!r} are not allowed; integers are")
    return np.dtype(name)


def bands(shape: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Boxes that cover an array, of at most `AT_ONCE` pixels where a row is no longer."""
    inner = prod(shape[1:])
    if inner > AT_ONCE:
        for index in range(shape[0]):
            for rest in bands(shape[1:]):
                yield slice(index, index + 1), *rest
        return
    step = AT_ONCE // max(1, inner)
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0])), *(slice(0, size) for size in shape[1:])


def writing_record(writing: Writing, shape: tuple[int, ...]) -> Record:
    """Pixels of labels of some shape that were written."""
    flat = np.ravel_multi_index(writing.indices, shape)
    order = np.argsort(flat, kind="stable")
    flat, before, after = flat[order], writing.before[order], writing.after[order]
    breaks = (np.diff(flat) != 1) | (np.diff(before) != 0) | (np.diff(after) != 0)
    starts = _starts(breaks, flat.size)
    return {
        "from": _pack(flat[starts], "<u8"),
        "lengths": _pack(np.diff(starts, append=flat.size), "<u8"),
        "before": _pack(before[starts], "<i8"),
        "after": _pack(after[starts], "<i8"),
    }


def read_writing(record: Record, shape: tuple[int, ...], dtype: DTypeLike) -> Writing:
    """Inverse of `writing_record`; ValueError if it does not fit the shape."""
    count = prod(shape)
    first, lengths = (_unpack(record[name], "<u8", count) for name in ("from", "lengths"))
    before, after = (_unpack(record[name], "<i8", count) for name in ("before", "after"))
    same = first.size == lengths.size == before.size == after.size
    if not same or int(lengths.sum()) > count:
        raise ValueError("what was written is damaged")
    lengths = lengths.astype(np.intp)
    inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    flat = np.repeat(first.astype(np.intp), lengths) + inside
    if flat.size and int(flat.max()) >= count:
        raise ValueError(f"what was written does not fit labels of shape {shape}")
    return Writing(
        np.unravel_index(flat, shape),
        np.repeat(before, lengths).astype(dtype),
        np.repeat(after, lengths).astype(dtype),
    )


def _starts(breaks: NDArray[np.bool_], size: int) -> NDArray[np.intp]:
    """Where runs begin, given between which neighbours they break."""
    return np.concatenate([np.zeros(min(size, 1), np.intp), np.flatnonzero(breaks) + 1])


def _pack(values: NDArray[Any], dtype: DTypeLike) -> str:
    content = np.ascontiguousarray(values, dtype).tobytes()
    return base64.b64encode(zlib.compress(content, 1)).decode()


def _unpack(text: str, dtype: DTypeLike, most: int) -> NDArray[Any]:
    """At most so many values: a small text can claim to be gigabytes."""
    size = np.dtype(dtype).itemsize
    try:
        content = zlib.decompressobj().decompress(base64.b64decode(text), most * size + 1)
    except (zlib.error, binascii.Error) as error:
        raise ValueError(f"labels are damaged: {error}") from None
    if len(content) > most * size or len(content) % size:
        raise ValueError("labels are damaged: there are too many or too few bytes")
    return np.frombuffer(content, dtype)
