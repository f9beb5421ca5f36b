from __future__ import annotations

import numpy as np
import pytest

from napari_brs.labels import CORE_DEPTH, object_cores, split_objects


def two_disks() -> np.ndarray:
    """Two disks of radius 12 that touch along a line."""
    rows, columns = np.mgrid[:40, :60]
    labels = np.zeros((40, 60), np.int32)
    labels[(rows - 20) ** 2 + (columns - 18) ** 2 <= 144] = 1
    second = (rows - 20) ** 2 + (columns - 40) ** 2 <= 144
    labels[second & (columns > 29)] = 2
    return labels


def test_touching_objects_are_told_apart_by_their_cores():
    labels = two_disks()
    found = split_objects(labels > 0, object_cores(labels).astype(float))
    assert found.max() == 2
    assert (found[labels > 0] > 0).all()
    for number in (1, 2):
        here = found[labels == number]
        assert np.bincount(here).max() > 0.97 * here.size
    # Without cores they are one.
    assert split_objects(labels > 0, np.zeros(labels.shape)).max() == 1


def test_cores_keep_their_distance_from_the_boundary():
    labels = np.zeros((30, 30), np.int32)
    labels[5:25, 5:25] = 3
    core = object_cores(labels)
    depth = int(CORE_DEPTH)
    expected = np.zeros_like(core)
    expected[5 + depth : 25 - depth, 5 + depth : 25 - depth] = True
    assert (core == expected).all()


def test_thin_objects_have_a_core_too():
    labels = np.zeros((9, 30), np.int32)
    labels[3:6, 2:28] = 1
    core = object_cores(labels)
    assert core[4, 3:27].all()
    assert not core[[3, 5]].any()


def test_cores_of_neighbours_never_touch():
    labels = np.ones((20, 41), np.int32)
    labels[:, 20:] = 2
    core = object_cores(labels)
    assert not core[:, 19:21].any()
    assert core[10, 10]
    assert core[10, 30]


def test_foreground_without_a_core_is_an_object_and_a_core_in_the_background_is_none():
    foreground, core = np.zeros((2, 10, 20))
    foreground[1:5, 2:6] = foreground[2:8, 10:18] = 1
    core[4:6, 12:16] = 1
    core[8:10, 0:3] = 1
    found = split_objects(foreground, core)
    assert found.max() == 2
    assert found[3, 3] != found[5, 13]
    assert found[9, 1] == 0


def test_specks_without_a_core_are_left_out_and_numbers_stay_dense():
    foreground, core = np.zeros((2, 12, 30))
    foreground[1:4, 1:6] = 1  # 15 pixels
    foreground[1:5, 10:14] = 1  # 16
    foreground[8:10, 1:3] = core[8:10, 1:3] = 1  # 4, all of them core
    foreground[6:11, 20:26] = 1
    found = split_objects(foreground, core)
    assert np.unique(found).tolist() == [0, 1, 2, 3]
    assert not found[1:4, 1:6].any()
    assert found[9, 2]


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_the_threshold_decides_what_counts(threshold):
    foreground = np.repeat([[0.1, 0.5, 0.9]], 6, axis=0)
    assert (split_objects(foreground, foreground, threshold)[0] > 0).tolist() == [
        value > threshold for value in (0.1, 0.5, 0.9)
    ]
