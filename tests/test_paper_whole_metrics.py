from __future__ import annotations

import numpy as np
import pytest

from paper.whole_metrics import (
    LEVELS,
    ClassCounts,
    Curve,
    cell_iou,
    cell_zones,
    class_counts,
    max_f,
    mean_class_iou,
    mean_curve,
    pixel_accuracy,
    precision_recall,
    segmentation_measure,
)

# One row of pixels: cell 1 of 4 pixels, a gap of 4, cell 2 of 9.
ROW = np.array([[0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, *[2] * 9, 0, 0, 0]], np.int32)


def test_zone_reaches_as_far_as_the_radius_of_a_disk_of_the_cells_area():
    # sqrt(4/pi) = 1.13, sqrt(9/pi) = 1.69: one pixel each.
    expected = [0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 2, *[2] * 9, 2, 0, 0]
    assert cell_zones(ROW).tolist() == [expected]


def test_pixels_between_two_cells_belong_to_the_nearer_one():
    labels = np.zeros((40, 50), np.int32)
    labels[10:30, 5:20], labels[10:30, 26:41] = 1, 2  # radius 9.8; columns 20 to 25 lie between
    assert cell_zones(labels)[20, 18:28].tolist() == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]


def test_an_image_without_cells_has_no_zones():
    assert not cell_zones(np.zeros((5, 6), np.int32)).any()


def test_cell_iou_counts_the_foreground_in_its_zone_alone():
    mask = np.zeros(ROW.shape, bool)
    mask[0, 4:8] = True  # 3 of the 4 pixels of cell 1, and 1 beside it in its zone
    mask[0, 9] = True  # in no zone
    mask[0, 11:20] = True
    zones = cell_zones(ROW)
    assert cell_iou(mask, ROW, zones, 1) == pytest.approx(3 / 5)
    assert cell_iou(mask, ROW, zones, 2) == 1


def test_seg_is_the_mean_iou_with_the_object_that_covers_more_than_half():
    labels = np.array([[1, 1, 1, 1, 0, 2, 2, 2, 2, 3, 3, 3, 3]])
    found = np.array([[7, 7, 7, 0, 0, 4, 4, 5, 5, 6, 6, 6, 6]])
    # Object 1: 3 of 4 and nothing else. Object 2: two halves, neither more than half. Object 3.
    assert segmentation_measure(found, labels) == pytest.approx((3 / 4 + 0 + 1) / 3)


def test_seg_counts_what_a_merged_object_covers_besides():
    labels = np.array([[1, 1, 1, 2, 2, 2]])
    assert segmentation_measure(np.ones((1, 6), int), labels) == pytest.approx(1 / 2)


def test_precision_and_recall_at_the_thresholds_of_four_pixels():
    probability = np.array([[1.0, 0.6, 0.4, 0.0]])
    truth = np.array([[True, False, True, False]])
    precision, recall = precision_recall(probability, truth)
    assert precision.shape == recall.shape == (LEVELS,)
    for threshold, p, r in [(0, 2 / 4, 1), (102, 2 / 3, 1), (103, 1 / 2, 1 / 2), (255, 1, 1 / 2)]:
        assert (precision[threshold], recall[threshold]) == pytest.approx((p, r))


def test_precision_is_one_where_nothing_is_chosen():
    precision, recall = precision_recall(np.array([[0.5, 0.1]]), np.array([[True, False]]))
    assert (precision[255], recall[255]) == (1, 0)


def test_ignored_pixels_do_not_enter_a_curve():
    probability, truth = np.array([[0.9, 0.9, 0.2]]), np.array([[True, False, False]])
    precision, _ = precision_recall(probability, truth, np.array([[False, True, False]]))
    assert precision[200] == 1


def test_max_f_weighs_precision_more_than_recall():
    curve = Curve(np.array([0.5, 0.9, 1.0]), np.array([1.0, 0.6, 0.1]))
    # 1.3 · 0.5 / 1.15, 1.3 · 0.54 / 0.87, 1.3 · 0.1 / 0.4
    assert max_f(curve) == pytest.approx(1.3 * 0.54 / 0.87)
    assert max_f(Curve(np.zeros(3), np.zeros(3))) == 0


def test_mean_curve_averages_at_each_threshold():
    one, other = Curve(np.array([0.2]), np.array([1.0])), Curve(np.array([0.8]), np.array([0.5]))
    precision, recall = mean_curve([one, other])
    assert (precision.tolist(), recall.tolist()) == ([0.5], [0.75])


def test_class_counts_of_five_pixels_one_of_them_ignored():
    mask = np.array([[1, 1, 0, 0, 1]], bool)
    truth = np.array([[1, 0, 1, 0, 0]], bool)
    ignore = np.array([[0, 0, 0, 0, 1]], bool)
    assert class_counts(mask, truth, ignore) == ClassCounts(right=2, total=4, both=1, either=3)


def test_accuracy_pools_pixels_and_iou_pools_the_images_of_a_class():
    counts = [ClassCounts(90, 100, 10, 20), ClassCounts(10, 20, 5, 10), ClassCounts(8, 8, 2, 2)]
    assert pixel_accuracy(counts) == pytest.approx(108 / 128)
    assert mean_class_iou(counts, ["cat", "cat", "dog"]) == pytest.approx((15 / 30 + 1) / 2)
