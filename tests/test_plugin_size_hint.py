from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image

from napari_brs.plugin.size_hint import DENSE, lengths_of, size_hint, visible_length

SHAPE = (600, 800)


@pytest.mark.parametrize(
    ("lengths", "visible", "hint"),
    [
        ([], None, None),
        ([], 800, None),  # the whole image is on display
        ([], 160, 40),
        ([10, 30, 20], None, 20),
        ([10, 30, 20], 800, 20),
        ([300], 160, 160),  # nobody clicks on what is larger than the window
    ],
)
def test_finished_objects_tell_the_size_or_else_the_zoom_does(
    lengths: list[int], visible: float | None, hint: float | None
) -> None:
    assert size_hint(lengths, visible, SHAPE) == hint


@pytest.mark.parametrize("first", [1, DENSE + 5])
def test_objects_that_lie_whole_in_the_window_tell_their_length(first: int) -> None:
    labels = np.zeros((60, 80), np.int64)
    labels[10:15, 20:29] = first
    labels[30:50, 40:45] = first + 7
    labels[55:, 60:70] = first + 8
    assert lengths_of(labels) == [9, 20]
    assert lengths_of(labels[20:29, 30:39]) == []


def test_what_is_on_display_is_told_in_pixels_of_the_image() -> None:
    image = Image(np.zeros((3, 400, 500), np.uint8), scale=(1, 0.5, 0.5))
    assert visible_length(image, (2, None, None)) == 499
    image.corner_pixels = np.array([[0, 10, 20], [3, 110, 220]])
    assert visible_length(image, (2, None, None)) == 200
    image.corner_pixels = np.zeros((2, 3))  # moved out of the canvas
    assert visible_length(image, (2, None, None)) is None
    image.corner_pixels = np.zeros((2, 2))  # of data that had fewer axes
    assert visible_length(image, (2, None, None)) is None
    pyramid = Image([np.zeros((400, 500)), np.zeros((200, 250)), np.zeros((100, 125))])
    pyramid._data_level = 2
    pyramid.corner_pixels = np.array([[0, 0], [50, 60]])
    assert visible_length(pyramid, (None, None)) == 240
