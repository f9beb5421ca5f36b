from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_paper_corrections import FakeWhole, SquareRepairer, scene

from napari_brs.io.packs import Sample
from paper import whole_images
from paper.corrections import correct_image
from paper.tables import (
    clicked_cell_gains,
    correct_cells,
    correct_classes,
    correct_saliency,
    figure_11,
    padded,
    table_3,
    table_4,
)
from paper.whole_metrics import Curve


class Binary(SquareRepairer):
    """`SquareRepairer` with one class, the foreground."""

    def segment(self, clicks=(), targets=None, previous=None) -> FakeWhole:
        return _OneClass(**vars(super().segment(clicks, targets, previous)))

    def instances(self) -> np.ndarray:
        labels = np.zeros(self.first.shape, np.int32)
        labels[self.first] = 1
        return labels


class _OneClass(FakeWhole):
    @property
    def probabilities(self) -> np.ndarray:
        return self.foreground[None].astype(np.float32)


def sample(name: str = "a-1") -> Sample:
    truth, _ = scene()
    labels = np.zeros(truth.shape, np.int32)
    labels[3:8, 3:8], labels[3:9, 15:21] = 1, 2
    return Sample(name, np.zeros(truth.shape, np.uint8), labels, np.zeros_like(truth))


def row(image: str, ious: list[float], gain: list[float | None] = ()) -> dict:
    count = len(ious) - 1
    return {
        "image": image,
        "iou": ious,
        "gain": list(gain),
        "seg": 0.5,
        "clicks": [[0, 0, True]] * count,
        "obeyed": [1.0] * count,
        "evaluations": [2] * count,
        "stable": [True] * count,
        "seconds": [1.0] * count,
    }


def test_figures_after_more_clicks_than_were_needed_are_the_last_ones():
    assert padded([0.5, 0.7], 4) == [0.5, 0.7, 0.7, 0.7]


def test_gain_is_that_of_the_cell_that_was_clicked():
    truth, first = scene()
    found = correct_image(Binary(first), np.zeros(truth.shape), truth, np.zeros_like(truth),
                          max_clicks=2)  # fmt: skip
    gains = clicked_cell_gains(found, sample().labels, np.zeros_like(truth))
    # The first click draws 9 of the 25 pixels of cell 1; the second lies near no cell.
    assert gains == [pytest.approx(9 / 25), None]


def test_cells_are_corrected_and_measured_image_by_image():
    _, first = scene()
    lines = []
    (found,) = correct_cells(Binary(first), [sample()], lines.append)
    # 36 right pixels; 25 missed and 9 too many, of which each click repairs 9.
    assert found["iou"][:3] == pytest.approx([36 / 70, 45 / 70, 45 / 61], abs=1e-5)
    assert found["seg"] == pytest.approx((0 + 36 / 45) / 2, abs=1e-5)
    assert found["clicks"][:2] == [[5, 5, True], [15, 21, False]]
    assert lines[0].startswith("a-1: IoU 0.514 0.643 0.738")


def test_table_4_averages_images_and_clicked_cells_and_names_what_became_worse():
    rows = [
        row("a-1", [0.8, 0.9], [0.1]),
        row("a-2", [0.9, 0.895, 0.889], [None, 0.3]),
        row("b-1", [0.7, 0.6971, 0.6909], [0.3, None]),
    ]
    table = table_4(rows)
    assert table["iou"] == pytest.approx(
        [0.8, 0.83070, 0.82663, 0.82663, 0.82663, 0.82663], abs=1e-5
    )
    assert table["gain"][:2] == pytest.approx([0.2, 0.3])
    # 0.0055 and 0.00455 a click.
    assert table["worse"] == {"a-2": pytest.approx(-0.0055)}
    assert table["sources"]["a"] == {
        "images": 2,
        "iou": pytest.approx([0.85, 0.8975, *[0.8945] * 4]),
    }
    assert (table["obeyed"], table["stable"], table["evaluations_per_click"]) == (1, 1, 2)


def test_saliency_curves_follow_the_clicks():
    _, first = scene()
    rows, curves = correct_saliency(Binary(first), [sample()], lambda line: None)
    assert len(curves[0]) == 6
    figure = figure_11(rows, curves)
    # Without clicks precision 36/45 and recall 36/61 at every threshold but the lowest.
    p, r = 36 / 45, 36 / 61
    assert figure["max_f"][0] == pytest.approx(1.3 * p * r / (0.3 * p + r), abs=1e-5)
    assert figure["max_f"][:3] == sorted(figure["max_f"][:3])
    assert figure["curves"][0][1] == [0.8, round(r, 4)]
    assert figure["sources"]["a"]["images"] == 1


def test_max_f_is_taken_of_the_mean_curve_not_averaged_over_images():
    curve = Curve(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    other = Curve(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    rows = [row("a-1", [1, 1]), row("b-1", [1, 1])]
    figure = figure_11(rows, [[curve] * 6, [other] * 6])
    assert figure["max_f"][0] == pytest.approx(1.3 * 0.25 / (0.3 * 0.5 + 0.5))
    assert figure["sources"]["a"]["max_f"][0] == 0


def test_classes_are_counted_for_the_class_in_the_name():
    _, first = scene()
    rows = correct_classes(SquareRepairer(first), [sample()], lambda name: 1, lambda line: None)
    table = table_3(rows)
    assert table["pixel_accuracy"][:2] == pytest.approx([566 / 600, 575 / 600], abs=1e-5)
    assert table["mean_iou"][:2] == pytest.approx([36 / 70, 45 / 70], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "number"),
    [("coseg-Aero_img_1034", 1), ("coseg-Monitor_img_1009", 20), ("coseg-Cow_img_1001", 10)],
)
def test_the_class_of_a_photograph_stands_in_its_name(name, number):
    assert whole_images.voc_class(name) == number


def test_names_without_a_class_are_refused():
    with pytest.raises(ValueError, match="'0068' is no VOC class"):
        whole_images.voc_class("ecssd-0068")


def write_pack(folder: Path) -> Path:
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    one = sample()
    Image.fromarray(one.image).save(folder / "images/a-1.png")
    Image.fromarray(one.labels.astype(np.uint8)).save(folder / "masks/a-1.png")
    return folder


def test_the_command_writes_the_table_and_every_image(tmp_path, monkeypatch, capsys):
    _, first = scene()
    monkeypatch.setitem(whole_images._OPEN, "cells", lambda weights: Binary(first))
    file = tmp_path / "out.json"
    pack = write_pack(tmp_path / "pack")
    assert whole_images.main(["cells", str(pack), "--weights", "w", "--json", str(file)]) == 0
    result = json.loads(file.read_text())
    assert result["pack"] == "pack"
    assert result["iou"][0] == pytest.approx(36 / 70, abs=1e-5)
    assert result["rows"][0]["image"] == "a-1"
    assert '"iou"' in capsys.readouterr().out


def test_the_command_draws_the_curves_of_saliency(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    _, first = scene()
    monkeypatch.setitem(whole_images._OPEN, "saliency", lambda weights: Binary(first))
    arguments = ["saliency", str(write_pack(tmp_path / "pack")), "--weights", "w"]
    pictures = []
    for name in ("one", "two"):
        paths = [
            "--json",
            str(tmp_path / f"{name}.json"),
            "--figure",
            str(tmp_path / f"{name}.svg"),
        ]
        assert whole_images.main([*arguments, *paths]) == 0
        pictures.append((tmp_path / f"{name}.svg").read_text())
    assert "without clicks [0.739]" in pictures[0]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cells", "{pack}", "--sources", "b", "--weights", "w"], "no images of the sources"),
        (["cells", "{pack}", "--weights", "nothing"], "unknown model 'nothing'"),
        (
            ["cells", "{pack}", "--weights", "brs-live"],
            "brs-live is no network that segments without clicks",
        ),
        (["cells", "nowhere", "--weights", "w"], "nowhere does not exist"),
        (["cells", "{pack}", "--weights", "w", "--figure", "x.svg"], "cells has none"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    pack = write_pack(tmp_path / "pack")
    arguments = [word.format(pack=pack) for word in arguments]
    assert whole_images.main([*arguments, "--json", str(tmp_path / "out.json")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out.json").exists()


def test_long_images_are_scaled_down_with_their_labels():
    labels = np.repeat(np.repeat(np.array([[0, 7], [300, 0]], np.int32), 40, 0), 60, 1)
    image = np.where(labels > 0, 200, 20).astype(np.uint8)
    whole = Sample("a-1", image, labels, labels == 7)
    small = whole_images.scaled(whole, 60)
    assert small.labels.shape == small.image.shape == (40, 60)
    assert small.labels[::20, ::30].tolist() == [[0, 7], [300, 0]]
    assert ((small.image > 100) == (small.labels > 0)).all()
    assert (small.ignore == (small.labels == 7)).all()
    assert whole_images.scaled(whole, 120) is whole
    assert whole_images.scaled(whole, None) is whole
