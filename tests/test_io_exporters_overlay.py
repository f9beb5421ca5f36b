"""Overlays, read by Pillow."""

from __future__ import annotations

import numpy as np
from labelled import plane, series
from PIL import Image

from napari_brs.io.exporters.colours import colour
from napari_brs.io.exporters.overlay import outputs, write


def test_outlines_have_the_colour_of_their_object_and_the_rest_is_the_image(tmp_path):
    image = np.full((60, 80), 90, np.uint8)
    write(plane(image=image), tmp_path / "a.png")
    picture = np.array(Image.open(tmp_path / "a.png"))
    assert tuple(picture[40, 45]) == colour(7)
    assert tuple(picture[42, 45]) == (90, 90, 90)  # within
    assert tuple(picture[35, 45]) == (90, 90, 90)  # outside


def test_objects_of_one_class_have_one_colour(tmp_path):
    write(plane(classes={3: "a", 70_000: "a", 7: "b"}), tmp_path / "a.png")
    picture = np.array(Image.open(tmp_path / "a.png"))
    assert tuple(picture[10, 10]) == tuple(picture[0, 79]) != tuple(picture[42, 45])
    assert not picture[0, 0].any()


def test_a_series_is_a_file_a_frame_as_announced(tmp_path):
    write(series(), tmp_path / "a.png")
    assert sorted(tmp_path.iterdir()) == outputs(series(), tmp_path / "a.png")
    assert len(outputs(series(), tmp_path / "a.png")) == 4
