"""What an exporter gets, and what it refuses to be."""

from __future__ import annotations

import numpy as np
import pytest
from labelled import plane, series

from napari_brs.io.exporters.labelled_image import LabelledImage, compact, regions

SQUARE = np.zeros((4, 5), np.uint16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": SQUARE.astype(float)}, "labels are float64"),
        ({"labels": SQUARE > 0}, "labels are bool"),
        ({"labels": [[1, 2]]}, "labels are list"),
        ({"labels": SQUARE[0]}, r"shape \(5,\)"),
        ({"labels": SQUARE[:0]}, r"shape \(0, 5\)"),
        ({"labels": SQUARE - np.int64(1)}, "range from -1 to -1"),
        ({"labels": SQUARE + np.int64(2**32)}, "4294967296"),
        ({"axes": "TYX"}, "axes are 'TYX'"),
        ({"axes": "XY"}, "axes are 'XY'"),
        ({"labels": SQUARE[None, None], "axes": "TTYX"}, "axes are 'TTYX'"),
        ({"labels": SQUARE[None], "axes": "CYX"}, "axes are 'CYX'"),
        ({"image": np.zeros((5, 4))}, r"image has shape \(5, 4\)"),
        ({"image": np.zeros((4, 5, 3, 3))}, "image has shape"),
        ({"image": np.zeros((4, 5, 2)), "channels": ("DAPI",)}, "the image has 2"),
        ({"channels": ("DAPI",)}, "there is no image"),
        ({"pixel_size": (1.0,)}, "pixel_size"),
        ({"pixel_size": (1.0, 0.0)}, "pixel_size"),
        ({"pixel_size": (1.0, np.nan)}, "pixel_size"),
        ({"unit": "furlong"}, "unit is 'furlong'"),
        ({"names": {0: "nothing"}}, "names name object 0"),
        ({"classes": {2**32: "far"}}, "4294967296"),
        ({"parents": {1: 0}}, "parents name object 0"),
        ({"parents": {1: 2, 2: 3, 3: 1}}, "circle"),
        ({"parents": {1: 1}}, "circle at object 1"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        LabelledImage(**({"labels": SQUARE} | arguments))


@pytest.mark.parametrize("unit", ["um", "µm", "micron", "micrometer"])
def test_a_unit_has_one_name(unit):
    assert LabelledImage(SQUARE, unit=unit).unit == "micrometer"


def test_ids_are_those_with_pixels():
    assert plane(names={9: "absent"}).ids == (3, 7, 70_000)


def test_the_smallest_type_holds_the_highest_id_and_is_never_8_bits():
    assert LabelledImage(SQUARE).dtype == np.uint16
    assert LabelledImage(SQUARE + np.uint16(65_535)).dtype == np.uint16
    assert plane().dtype == np.uint32


def test_planes_come_with_their_place_and_image():
    image = np.arange(4 * 60 * 80 * 2).reshape(4, 60, 80, 2)
    found = list(series(image=image).planes())
    assert [p.position for p in found] == [{"T": t} for t in range(4)]
    assert np.array_equal(found[2].image, image[2])


def test_regions_put_together_are_the_labels():
    labels = plane().labels
    again = np.zeros_like(labels)
    for region in regions(labels):
        height, width = region.mask.shape
        again[region.top :, region.left :][:height, :width][region.mask] = region.id
    assert np.array_equal(again, labels)


@pytest.mark.parametrize("labels", [SQUARE, SQUARE + 9, np.array([[0, 2**32 - 1], [5, 0]])])
def test_compact_numbers_stand_for_ids_even_where_there_is_no_background(labels):
    ids, numbers = compact(labels)
    assert np.array_equal(np.concatenate([[0], ids])[numbers], labels)
    assert numbers.max() == len(ids)
