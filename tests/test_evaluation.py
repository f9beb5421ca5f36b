"""Robot runs: the truth, noise, resuming, the command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_brs.cli import main
from napari_brs.clicks import Click
from napari_brs.evaluation.protocol import RobotSettings, choose_objects, length_of_others
from napari_brs.evaluation.report import markdown, short_summary
from napari_brs.evaluation.run import evaluate, to_json
from napari_brs.io.packs import DatasetPack
from napari_brs.masks import Box

IMAGES, SHAPE = 5, (48, 64)


@pytest.fixture
def pack(tmp_path: Path) -> DatasetPack:
    """Five images with two boxes of 12 x 15 and 10 x 10 pixels and an ignored corner."""
    folder = tmp_path / "boxes"
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for index in range(IMAGES):
        labels = np.zeros(SHAPE, np.uint8)
        labels[4 + index : 16 + index, 5:20], labels[30:40, 40:50] = 1, 2
        labels[:3, :3] = 255
        Image.fromarray(rng.integers(0, 256, SHAPE, dtype=np.uint8)).save(
            folder / f"images/{index}.png"
        )
        Image.fromarray(labels).save(folder / f"masks/{index}.png")
    return DatasetPack(folder)


class Knowing:
    """Knows the images of a pack; gives the clicked object, or what `spoil` makes of it."""

    def __init__(self, pack: DatasetPack, spoil: Callable[[np.ndarray], np.ndarray] | None = None):
        samples = [pack.read(name) for name in pack.names]
        self.labels = {sample.image.tobytes(): sample.labels for sample in samples}
        self.spoil = spoil
        self.images_seen = 0

    def set_image(self, image: np.ndarray, /) -> None:
        self.images_seen += 1
        self.current = self.labels[image.tobytes()]

    def predict(self, clicks: Sequence[Click], **_: Any) -> SimpleNamespace:
        mask = self.current == self.current[clicks[0].pixel]
        if self.spoil:
            mask = self.spoil(mask)
        return SimpleNamespace(mask=mask, seconds=0.25, refinement=None)


class Noisy(Knowing):
    """Half of all pixels, whatever is clicked."""

    def __init__(self, pack: DatasetPack):
        super().__init__(pack)
        self.rng = np.random.default_rng(0)

    def predict(self, clicks: Sequence[Click], **_: Any) -> SimpleNamespace:
        mask = self.rng.random(self.current.shape) < 0.5
        return SimpleNamespace(mask=mask, seconds=0.25, refinement=None)


class Interrupted(Knowing):
    """Ctrl+C at the third image."""

    def set_image(self, image: np.ndarray, /) -> None:
        super().set_image(image)
        if self.images_seen == 3:
            raise KeyboardInterrupt


class Dying(Knowing):
    """Ended like a process that takes too much memory."""

    def set_image(self, image: np.ndarray, /) -> None:
        os._exit(1)


class Learning(Knowing):
    """One more row of the object right with each click; refinement mends every click."""

    def predict(self, clicks: Sequence[Click], **options: Any) -> SimpleNamespace:
        mask = self.current == self.current[clicks[0].pixel]
        top = np.flatnonzero(mask.any(axis=1))[0]
        mask[top + len(clicks) :] = False
        before = mask.copy()
        for click in clicks:
            mask[click.pixel] = click.positive
        if options["refine"]:
            options["on_progress"](SimpleNamespace(prediction=SimpleNamespace(mask=before)))
            options["on_progress"](SimpleNamespace(prediction=None))
        return SimpleNamespace(
            mask=mask if options["refine"] else before,
            seconds=0.5,
            refinement=SimpleNamespace(evaluations=7) if options["refine"] else None,
        )


def test_the_truth_needs_one_click(pack: DatasetPack) -> None:
    result = evaluate(pack, lambda: Knowing(pack), RobotSettings(objects_per_image=2))
    assert [(item["image"], item["object"]) for item in result["objects"]] == [
        (str(image), number) for image in range(IMAGES) for number in (1, 2)
    ]
    assert [item["iou"] for item in result["objects"]] == [[1.0]] * 2 * IMAGES
    assert [result[key] for key in ("noc80", "noc85", "noc90", "auc", "obeyed")] == [1] * 5
    assert result["failures"] == {"80": [], "85": [], "90": []}
    assert result["seconds_per_click"] == 0.25
    # The middle of the box of object 2, first of equally deep pixels.
    assert result["objects"][1]["clicks"] == [[34, 44, True]]


def test_a_size_prior_is_the_median_length_of_the_other_objects(pack: DatasetPack) -> None:
    told: list[float | None] = []

    class Told(Knowing):
        def predict(self, clicks: Sequence[Click], **options: Any) -> SimpleNamespace:
            told.append(options["size_hint"])
            return super().predict(clicks, **options)

    for prior in (True, False):
        settings = RobotSettings(objects_per_image=2, size_prior=prior)
        result = evaluate(pack, lambda: Told(pack), settings, limit=1)
        assert ("told the length" in markdown(result)) is prior
    assert told == [10.0, 15.0, None, None]
    labels = pack.read("0").labels
    assert length_of_others(labels, 2, min_area=180) == 15
    assert length_of_others(labels, 2, min_area=181) is None


def test_a_box_counts_as_the_first_click(pack: DatasetPack, monkeypatch: Any) -> None:
    boxes: list[Box] = []

    def boxed(segmenter: Any, box: Box) -> SimpleNamespace:
        boxes.append(box)
        nothing = np.zeros(pack.read("0").labels.shape, bool)
        centre = Click((box.top + box.bottom) // 2, (box.left + box.right) // 2)
        return SimpleNamespace(mask=nothing, seconds=0.5, refinement=None, clicks=(centre,))

    monkeypatch.setattr("napari_brs.evaluation.protocol.predict_in_box", boxed)
    result = evaluate(pack, lambda: Knowing(pack), RobotSettings(box=True), limit=1)
    (item,) = result["objects"]
    assert item["iou"] == [0.0, 1.0]
    assert item["seconds"][0] == 0.5
    assert boxes == [Box.around(pack.read("0").labels == item["object"])]
    assert "a box first" in markdown(result)


def test_noise_fails_everywhere_and_its_failures_are_listed(pack: DatasetPack) -> None:
    result = evaluate(pack, lambda: Noisy(pack), RobotSettings())
    assert [result[key] for key in ("noc80", "noc85", "noc90")] == [20, 20, 20]
    named = [[item["image"], item["object"]] for item in result["objects"]]
    assert result["failures"] == {"80": named, "85": named, "90": named}
    assert all(len(item["iou"]) == 20 for item in result["objects"])
    assert result["auc"] < 0.2
    assert 0.3 < result["obeyed"] < 0.7


def test_refinement_is_seen_in_clicks_obeyed_and_evaluations(pack: DatasetPack) -> None:
    with_it, without = (
        evaluate(pack, lambda: Learning(pack), RobotSettings(max_clicks=4, refine=refine))
        for refine in (True, False)
    )
    assert with_it["obeyed"] == 1 > with_it["obeyed_before"]
    assert without["obeyed"] == without["obeyed_before"] < 1
    assert all(item["evaluations"] == [7] * 4 for item in with_it["objects"])
    assert all(item["evaluations"] == [0] * 4 for item in without["objects"])


def test_the_robot_is_content_at_the_iou_that_is_asked_for(pack: DatasetPack) -> None:
    result = evaluate(pack, lambda: Learning(pack), RobotSettings(stop_at=0.5))
    assert all(item["iou"][-1] >= 0.5 > item["iou"][-2] for item in result["objects"])


def test_the_draw_of_objects_depends_on_seed_and_name_alone() -> None:
    labels = np.repeat(np.arange(41, dtype=np.int32), 50).reshape(41, 50)
    labels[40, 30:] = 0  # object 40 has 30 pixels, 39 others 50
    settings = [RobotSettings(min_area=40, objects_per_image=n, seed=0) for n in (1, 5, 99)]
    one, five, all_large = (choose_objects(labels, "a", item) for item in settings)
    assert len(one) == 1
    assert set(one) < set(five)
    assert five == sorted(five)
    assert all_large == list(range(1, 40))
    assert five == choose_objects(labels[::-1].copy(), "a", settings[1])
    assert five != choose_objects(labels, "b", settings[1])
    assert five != choose_objects(labels, "a", RobotSettings(5, min_area=40, seed=1))


def test_small_objects_and_images_without_any_are_left_out(pack: DatasetPack) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[0, :50] = 1
    Image.fromarray(labels).save(pack.path / "masks/3.png")
    settings = RobotSettings(objects_per_image=9, min_area=101)
    result = evaluate(pack, lambda: Knowing(pack), settings)
    assert [(item["image"], item["object"]) for item in result["objects"]] == [
        ("0", 1),
        ("1", 1),
        ("2", 1),
        ("4", 1),
    ]
    assert "4 images (1 more without an object of 101 pixels)" in short_summary(result)
    with pytest.raises(ValueError, match="no object of at least 999 pixels in the 5 images"):
        evaluate(pack, lambda: Knowing(pack), RobotSettings(min_area=999))


def test_jitter_is_seeded(pack: DatasetPack) -> None:
    clicks = [
        [
            item["clicks"]
            for item in evaluate(
                pack, lambda: Knowing(pack), RobotSettings(jitter=jitter, seed=seed)
            )["objects"]
        ]
        for jitter, seed in ((False, 0), (True, 0), (True, 0), (True, 1))
    ]
    assert clicks[1] == clicks[2]
    assert clicks[0] != clicks[1] != clicks[3]


def test_an_interrupted_run_gives_the_same_result_when_it_goes_on(
    pack: DatasetPack, tmp_path: Path
) -> None:
    partial_file = tmp_path / "out.partial.jsonl"
    settings = RobotSettings(max_clicks=4)
    go = partial(evaluate, pack, settings=settings, about={"model": "m"}, partial=partial_file)
    with pytest.raises(KeyboardInterrupt):
        go(lambda: Interrupted(pack, spoil=np.flipud))
    lines = partial_file.read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines[1:]] == ["0", "1"]
    partial_file.write_text(partial_file.read_text() + '{"name": "2", "obj')  # torn

    segmenter, steps = Knowing(pack, spoil=np.flipud), []
    resumed = go(lambda: segmenter, on_progress=lambda *step: steps.append(step[:2]))
    assert segmenter.images_seen == 3
    assert steps == [(3, 5), (4, 5), (5, 5)]
    assert len(partial_file.read_text().splitlines()) == 1 + IMAGES
    whole = evaluate(pack, lambda: Knowing(pack, spoil=np.flipud), settings, about={"model": "m"})
    assert to_json(resumed) == to_json(whole)
    assert json.loads(to_json(whole)) == json.loads(json.dumps(whole))


def test_results_of_another_run_are_not_mixed_in(pack: DatasetPack, tmp_path: Path) -> None:
    partial_file = tmp_path / "out.partial.jsonl"
    go = partial(evaluate, pack, lambda: Knowing(pack), partial=partial_file)
    go(RobotSettings(max_clicks=3), about={"model": "m"})
    before = partial_file.read_text()
    with pytest.raises(ValueError, match=r"left of another run, with max_clicks 3 instead of 4"):
        go(RobotSettings(max_clicks=4), about={"model": "m"})
    with pytest.raises(ValueError, match="with model 'm' instead of 'n'"):
        go(RobotSettings(max_clicks=3), about={"model": "n"})
    assert partial_file.read_text() == before


def test_several_workers_give_the_same_objects(pack: DatasetPack) -> None:
    make = partial(Learning, pack)
    alone = evaluate(pack, make, RobotSettings(max_clicks=3))
    together = evaluate(pack, make, RobotSettings(max_clicks=3), workers=2)
    assert alone["objects"] == together["objects"]


def test_a_worker_ended_from_outside_is_said(pack: DatasetPack) -> None:
    with pytest.raises(ChildProcessError, match="perhaps for lack of memory"):
        evaluate(pack, partial(Dying, pack), workers=2)


@pytest.mark.parametrize(
    "wrong",
    [{"max_clicks": 0}, {"objects_per_image": 0}, {"min_area": 0}, {"sign_rule": "x"}]
    + [{"stop_at": value} for value in (0.0, 1.5)],
)
def test_settings_out_of_range_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .*"):
        RobotSettings(**wrong)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network."""
    import torch

    from napari_brs.models import model_info, save_weights

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    return save_weights(model_info("brs-live").build(), path, "brs-live")


def test_the_command_writes_json_report_and_plots(
    pack: DatasetPack, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out, report, plots = (tmp_path / name for name in ("out.json", "out.md", "plots"))
    # An untrained network obeys no click, so every click would be refined to the limit.
    options = "--no-refine --max-clicks 2 --limit 1 --device cpu"
    files = ["--json", f"{out}", "--report", f"{report}", "--plots", f"{plots}"]
    model = ["--model", f"{weights}"]
    assert main(["evaluate", f"{pack.path}", *model, *options.split(), *files]) == 0
    result = json.loads(out.read_text())
    assert (result["pack"], result["device"], result["refine"]) == ("boxes", "cpu", False)
    assert [item["image"] for item in result["objects"]] == ["0"]
    for item in result["objects"]:
        lengths = {len(item[key]) for key in ("iou", "clicks", "obeyed", "seconds", "evaluations")}
        assert lengths == {2}
    assert report.read_text().startswith("# untrained.safetensors without refinement on boxes\n")
    assert "untrained.safetensors without refinement on boxes" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.json", "out.md"]

    drawn = sorted(path.name for path in plots.iterdir())
    assert drawn == ["examples.png", "iou.png", "obeyed.png", "seconds.png"]
    for name in drawn:
        assert np.asarray(Image.open(plots / name)).std() > 5

    capsys.readouterr()
    assert main(["evaluate", "--compare", f"{out}", f"{out}"]) == 0
    assert "1 objects, 95 % bootstrap intervals" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "a dataset pack, or --compare with two JSON files, is needed"),
        ("{pack} --json {there}/none/out.json", "none"),
        ("{pack} --max-clicks 0", "max_clicks is 0; at least 1 is allowed"),
        ("{pack} --model brs-dead", "brs-dead"),
        ("{pack} --compare a.json b.json", "--compare takes no pack"),
        ("--compare {there}/a.json {there}/b.json", "a.json"),
        ("--compare {pack}/images/0.png {pack}/images/0.png", "is not a JSON file"),
    ],
)
def test_bad_input_gives_one_line_and_writes_nothing(
    words: str, said: str, pack: DatasetPack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    words = words.format(pack=pack.path, there=tmp_path)
    assert main(["evaluate", *words.split()]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_every_nth_image_is_a_run_of_its_own(pack: DatasetPack, tmp_path: Path) -> None:
    go = partial(evaluate, pack, lambda: Knowing(pack), partial=tmp_path / "out.partial.jsonl")
    result = go(every=2, limit=2)
    assert [item["image"] for item in result["objects"]] == ["0", "2"]
    assert (result["every"], result["images"]) == (2, 2)
    with pytest.raises(ValueError, match="with every 2 instead of 1"):
        go(limit=2)
    with pytest.raises(ValueError, match="every is 0; at least 1 is allowed"):
        go(every=0)


def test_a_classical_method_is_evaluated_by_its_name(pack: DatasetPack, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = f"evaluate {pack.path} --model grow-cut --max-clicks 3 --limit 1 --json {out}"
    assert main(words.split()) == 0
    result = json.loads(out.read_text())
    assert (result["model"], result["weights_sha256"]) == ("grow-cut", None)
    assert result["obeyed"] == 1
