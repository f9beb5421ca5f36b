"""COCO JSON, read by pycocotools."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from labelled import noise, plane, series
from pycocotools.coco import COCO

from napari_brs.io.exporters.coco import write
from napari_brs.io.exporters.labelled_image import LabelledImage

# Of pycocotools 2.0.11 itself, on numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def read(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def labels_of(coco, image):
    found = np.zeros((image["height"], image["width"]), np.uint32)
    for annotation in coco.loadAnns(coco.getAnnIds(image["id"])):
        mask = coco.annToMask(annotation).astype(bool)
        assert not found[mask].any()
        assert mask.sum() == annotation["area"]
        rows, columns = np.nonzero(mask)
        left, top, width, height = annotation["bbox"]
        assert (rows.min(), columns.min()) == (top, left)
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (height, width)
        found[mask] = annotation["label"]
    return found


@pytest.mark.parametrize(
    "labelled",
    [plane(), *(LabelledImage(noise(seed)) for seed in range(5))],
    ids=lambda labelled: str(len(labelled.ids)),
)
def test_pycocotools_sees_exactly_the_pixels_of_every_object(labelled, tmp_path):
    write(labelled, tmp_path / "a.json")
    coco = read(tmp_path / "a.json")
    (image,) = coco.dataset["images"]
    assert np.array_equal(labels_of(coco, image), labelled.labels)


def test_run_lengths_join_over_columns_of_full_height(tmp_path):
    labels = np.ones((5, 7), np.uint16)
    labels[2, 3] = 0
    write(LabelledImage(labels), tmp_path / "a.json")
    (annotation,) = read(tmp_path / "a.json").dataset["annotations"]
    assert annotation["segmentation"]["counts"] == [0, 17, 1, 17]


def test_an_object_without_holes_is_polygons_and_one_with_holes_run_lengths(tmp_path):
    write(plane(), tmp_path / "a.json")
    kinds = {a["label"]: type(a["segmentation"]) for a in read(tmp_path / "a.json").anns.values()}
    assert kinds == {3: dict, 7: list, 70_000: list}


def test_classes_are_categories_and_the_rest_is_object(tmp_path):
    write(plane(classes={3: "ring", 7: "cell"}, names={3: "Anna"}), tmp_path / "a.json")
    coco = read(tmp_path / "a.json")
    found = {a["label"]: coco.cats[a["category_id"]]["name"] for a in coco.anns.values()}
    assert found == {3: "ring", 7: "cell", 70_000: "object"}
    assert [a["name"] for a in coco.anns.values()] == ["Anna", "7", "70000"]


def test_frames_are_images_and_objects_carry_their_track(tmp_path):
    labelled = series()
    write(labelled, tmp_path / "a.json")
    coco = read(tmp_path / "a.json")
    images = coco.dataset["images"]
    assert [image["frame"] for image in images] == [0, 1, 2, 3]
    for image, labels in zip(images, labelled.labels, strict=True):
        assert np.array_equal(labels_of(coco, image), labels)
    assert {a["track_id"] for a in coco.anns.values()} == {3, 5, 6, 8}
