"""Pixels of labels as records of a journal."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_brs.io.label_records import (
    Writing,
    box_record,
    label_type,
    put_box,
    read_writing,
    writing_record,
)

TYPES = ["uint8", "uint16", "int32", "int64", "uint64"]


def some_labels(dtype: str = "uint16") -> np.ndarray:
    labels = np.zeros((3, 20, 30), dtype)
    labels[1, 3:9, 4:20] = 7
    labels[2, 5, 5] = np.iinfo(dtype).max
    return labels


@pytest.mark.parametrize("dtype", TYPES)
def test_labels_come_back_in_their_type_and_their_box(dtype: str) -> None:
    labels, again = some_labels(dtype), np.ones((3, 20, 30), dtype)
    record = json.loads(json.dumps(box_record((1, 2, 3), labels[1:, 2:, 3:])))
    assert label_type(record) == np.dtype(dtype)
    put_box(again, record)
    assert np.array_equal(again[1:, 2:, 3:], labels[1:, 2:, 3:])
    assert (again[0] == 1).all()
    assert (again[:, :2] == 1).all()


def test_large_and_mostly_empty_labels_cost_little() -> None:
    labels = np.zeros((2000, 2000), np.uint16)
    labels[500:600, 500:600] = 3
    assert len(json.dumps(box_record((0, 0), labels))) < 2000


@pytest.mark.parametrize("dtype", TYPES[:4])
def test_what_was_written_comes_back_with_what_was_there_before(dtype: str) -> None:
    random = np.random.default_rng(0)
    indices = tuple(axis[random.permutation(60)] for axis in np.unravel_index(range(60), (6, 20)))
    pixels = np.unique(np.stack(indices), axis=1)
    count = pixels.shape[1]
    before, after = (random.integers(0, 3, count).astype(dtype) for _ in range(2))
    writing = Writing(tuple(pixels), before, after)
    record = json.loads(json.dumps(writing_record(writing, (6, 20))))
    again = read_writing(record, (6, 20), dtype)
    assert np.array_equal(np.stack(again.indices), pixels)
    assert again.before.dtype == np.dtype(dtype)
    assert np.array_equal(again.before, before)
    assert np.array_equal(again.after, after)


def test_nothing_written_is_nothing_read() -> None:
    nothing = np.zeros(0, np.intp)
    writing = Writing((nothing, nothing), nothing, nothing)
    assert read_writing(writing_record(writing, (5, 5)), (5, 5), "u2").after.size == 0


@pytest.mark.parametrize(
    "change",
    [
        {"corner": [2, 0, 0]},
        {"corner": [-1, 0, 0]},
        {"size": [3, 20, 40]},
        {"type": "float32"},
        {"type": "object"},
        {"lengths": "AAAA"},
        {"values": ""},
    ],
)
def test_records_that_do_not_fit_are_refused(change: dict) -> None:
    labels = some_labels()
    with pytest.raises(ValueError, match=r"labels|zip|damaged"):
        put_box(np.zeros_like(labels), box_record((0, 0, 0), labels) | change)


def test_writings_that_do_not_fit_are_refused() -> None:
    at = np.array([5])
    record = writing_record(Writing((at, at), at, at), (6, 6))
    with pytest.raises(ValueError, match="does not fit labels of shape"):
        read_writing(record, (4, 4), "u2")
    with pytest.raises(ValueError, match="is damaged"):
        read_writing(record | {"before": record["after"][:0]}, (6, 6), "u2")
