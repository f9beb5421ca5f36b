from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from fakes import BrightNetwork, frame_of_discs

from napari_brs.batch import work
from napari_brs.batch.inputs import BatchImage
from napari_brs.batch.records import finished, labels_path
from napari_brs.batch.work import Plan, segment_image, teach
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.io.labels import read_labels

IMAGE, LABELS = frame_of_discs((120, 160))


class Threshold:
    """Finds what is bright, and counts."""

    asked = 0

    def set_image(self, image: np.ndarray, *_: object) -> None:
        self.image = np.asarray(image)

    def instances(self) -> np.ndarray:
        self.asked += 1
        return np.where(self.image > 100, LABELS, 0)


@pytest.fixture
def image(tmp_path: Path) -> BatchImage:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    return BatchImage("a", tmp_path / "a.tif")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "out").mkdir()
    return Plan(tmp_path / "out", {"model": "m"}, "m")


@pytest.fixture
def threshold(monkeypatch: pytest.MonkeyPatch) -> Threshold:
    found = Threshold()
    monkeypatch.setattr(work, "_segmenter", lambda *_: found)
    return found


def test_an_image_is_segmented_and_recorded_once(
    image: BatchImage, plan: Plan, threshold: Threshold
) -> None:
    record = segment_image(image, plan)
    assert np.array_equal(read_labels(labels_path(plan.folder, image)), LABELS)
    assert (record.objects, record.error) == (12, "")
    assert record.mean_area == pytest.approx((LABELS > 0).sum() / 12)
    assert finished(plan.folder, image, plan.settings) == record
    assert segment_image(image, plan) == record
    assert threshold.asked == 1


def test_what_goes_wrong_is_told_on_one_line_and_leaves_no_record(
    image: BatchImage, plan: Plan, threshold: Threshold
) -> None:
    image.path.write_text("no image")
    record = segment_image(image, plan)
    assert "is not an image that can be read" in record.error
    assert "\n" not in record.error
    assert list(plan.folder.iterdir()) == []


def test_an_error_that_nobody_foresaw_ends_the_image_only(
    image: BatchImage, plan: Plan, threshold: Threshold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threshold, "instances", lambda: {}["lost"])
    assert "lost" in segment_image(image, plan).error


def test_examples_of_one_image_find_the_like_in_it_and_in_another(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = BRSSegmenter(BrightNetwork(), "cpu")
    monkeypatch.setattr(work, "_segmenter", lambda *_: segmenter)
    own = BatchImage("own", tmp_path / "own.tif")
    other = BatchImage("other", tmp_path / "other.tif")
    tifffile.imwrite(own.path, IMAGE)
    tifffile.imwrite(other.path, IMAGE[::-1, ::-1])
    examples = np.where(np.isin(LABELS, [6, 7]), LABELS, 0)
    taught = teach(segmenter, own, examples, plan)
    with_examples = Plan(plan.folder, plan.settings, "m", taught=taught)
    record = segment_image(own, with_examples)
    assert record.error == ""
    found = read_labels(labels_path(plan.folder, own))
    assert (found[examples > 0] == examples[examples > 0]).all()
    assert np.mean(found[LABELS > 0] > 0) > 0.8
    assert set(np.unique(found)) - {0, 6, 7} == set(range(8, 8 + record.objects - 2))
    assert segment_image(other, with_examples).error == ""
    found = read_labels(labels_path(plan.folder, other))
    assert np.mean(found[LABELS[::-1, ::-1] > 0] > 0) > 0.8


def test_examples_need_a_network_for_clicks_and_the_shape_of_their_image(
    image: BatchImage, plan: Plan, threshold: Threshold
) -> None:
    with pytest.raises(ValueError, match="only a network for clicks"):
        teach(threshold, image, LABELS, plan)  # type: ignore[arg-type]
    segmenter = BRSSegmenter(BrightNetwork(), "cpu")
    with pytest.raises(ValueError, match=r"that of .*a.tif, \(120, 160\), is allowed"):
        teach(segmenter, image, LABELS[1:], plan)
