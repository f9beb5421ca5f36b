from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import command_line
import numpy as np
import pytest
import torch
from brightness import Brightness

from napari_brs import models
from napari_brs.brs.refinement import corrective_energy, inertial_energy, refine
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.cli import main
from napari_brs.evaluation.protocol import RobotSettings, click_object
from napari_brs.evaluation.speed import large, measures, textbook, workload
from paper import full_maps


def decode(maps: torch.Tensor) -> torch.Tensor:
    """Each pixel sees the maps around it; with zeros there is background everywhere."""
    near = torch.nn.functional.avg_pool2d(maps, 3, 1, 1)
    return 12 * (near[:, :1] - near[:, 1:]) - 4


def test_the_textbook_obeys_the_clicks_by_lowering_the_energy_of_the_paper() -> None:
    maps = np.zeros((2, 20, 30), np.float32)
    pixels, labels = np.array([[5, 6], [14, 20]]), np.array([True, False])
    refined, evaluations = textbook.refine(decode, maps, pixels, labels)
    probability = decode(torch.tensor(refined[None], dtype=torch.float32)).sigmoid()[0, 0]
    assert probability[5, 6] > 0.5 > probability[14, 20]
    assert 1 < evaluations < 50

    def energy(z: Any) -> float:
        z = torch.tensor(np.asarray(z)[None], dtype=torch.float32)
        points, wanted = torch.tensor(pixels), torch.tensor(labels).float()
        corrective = corrective_energy(decode(z), points, wanted)
        return float(corrective + 1e-3 * inertial_energy(z, torch.zeros_like(z)))

    assert energy(refined) < energy(maps)
    ours = refine(
        decode,
        torch.tensor(maps[None]),
        torch.tensor(pixels),
        torch.tensor(labels).float(),
        is_obeyed=lambda logits: bool((logits[0, 0, 5, 6] > 0) & (logits[0, 0, 14, 20] < 0)),
    )
    assert ours.stopped == "obeyed"


def test_the_textbook_stops_at_once_where_nothing_is_wrong_and_at_its_limit() -> None:
    maps = np.zeros((2, 8, 8), np.float32)
    right = np.array([[3, 3]]), np.array([False])
    assert textbook.refine(decode, maps, *right)[1] == 1
    wrong = np.array([[3, 3]]), np.array([True])
    stubborn = textbook.refine(lambda z: decode(z) / 5 - 2, maps, *wrong, max_evaluations=3)
    assert stubborn[1] == 3


def test_samples_are_real_cells_and_magnifying_keeps_them() -> None:
    for sample in workload.read_samples():
        assert sample.image.shape == sample.labels.shape
        assert sample.image.dtype == np.uint16
        first, second = (next(iter(sample.objects(3))) for _ in range(2))
        assert (first == second).all()
        double = sample.magnified(2)
        assert (double.labels[1::2, ::2] == sample.labels).all()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> workload.Sample:
    """The benchmark in seconds: a piece of one image, and one object of it."""
    nuclei = workload.read_samples()[1]
    sample = nuclei._replace(image=nuclei.image[:160, :200], labels=nuclei.labels[:160, :200])
    monkeypatch.setattr(workload, "read_samples", lambda: [sample])
    monkeypatch.setattr(measures, "OBJECTS", 2)
    monkeypatch.setattr(measures, "CLICKS", 2)
    monkeypatch.setattr(large, "SIDE", 3000)
    monkeypatch.setattr(large, "ROUNDS", 1)
    return sample


def test_hard_clicks_are_those_that_the_network_alone_disobeys(small: workload.Sample) -> None:
    segmenter = BRSSegmenter(Brightness(), device="cpu")
    found = list(measures.hard_clicks(segmenter, [small], 3))
    assert found
    for sample, step in found:
        assert sample is small
        alone = segmenter.predict(step.clicks, step.previous, refine=False)
        assert not all(alone.clicks_obeyed)


def test_the_command_prints_each_figure_and_writes_them_with_the_machine(
    small: workload.Sample,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "_MODELS", models._MODELS)
    command_line.register_brightness()
    weights = models.save_weights(command_line.Brightness(), "w.safetensors", "brightness")
    # In place of the network of the paper too, which needs a minute for this.
    monkeypatch.setattr("napari_brs.brs.segmenter.load_model", lambda _: Brightness().eval())
    threads = torch.get_num_threads()
    assert main(["benchmark", "--model", str(weights), "--refined", "2", "--json", "b.json"]) == 0
    assert torch.get_num_threads() == threads
    out = capsys.readouterr().out
    result = json.loads(Path("b.json").read_text(encoding="utf-8"))
    assert result["threads"] == threads
    assert result["versions"]["torch"] == torch.__version__
    figures = result["figures"]["cpu"]
    names = [figure["name"] for figure in figures]
    assert len(set(names)) == len(names) >= 10
    for figure in figures:
        assert figure["name"] in out
        assert figure["value"] is None or figure["value"] > 0 or figure["unit"] == "MiB"
        assert figure["samples"] > 0 or figure["note"]
    measured = {figure["name"]: figure["value"] for figure in figures}
    assert measured["features of a 512 × 512 view"] > 0
    assert measured[large.TIME] is not None
    assert any("brs-densenet" in name for name in names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "0"], "threads is 0; at least 1 is allowed"),
        (["--refined", "-1"], "refined is -1; at least 1 is allowed"),
        (["--json", "no/b.json"], "there is no folder no"),
    ],
)
def test_bad_input_is_told_before_anything_is_measured(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


def test_the_robot_clicks_on_a_network_with_full_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_maps, "load_model", lambda _: Brightness().eval())
    image = np.full((50, 60), 20, np.uint8)
    image[10:30, 10:40] = 230
    image[10:30, 40:46] = 90  # too dim for the network alone
    truth = np.zeros(image.shape, bool)
    truth[10:30, 10:46] = True
    segmenter = full_maps.FullMapsSegmenter("brightness", "cpu")
    segmenter.set_image(image)
    settings = RobotSettings(max_clicks=4)
    run = click_object(segmenter, truth, np.zeros_like(truth), "image", 1, settings)
    assert run.obeyed == [1.0] * len(run.clicks)
    assert max(run.evaluations) > 1
    assert max(run.iou) > 0.75
