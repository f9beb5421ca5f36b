from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from training_packs import write_blobs, write_config

pytest.importorskip("lightning")

from napari_brs.io.packs import DatasetPack
from napari_brs.models import load_model
from napari_brs.training.config import load_config
from napari_brs.training.crop_sampling import Crops
from napari_brs.training.crops import Crop
from napari_brs.training.items import read_items
from napari_brs.training.rounds import ClickRounds, Step
from napari_brs.training.run import train
from napari_brs.training.trainer import BEST, CHECKPOINT, LAST, Trainer

# Lightning advises more loader processes and warns about its own logger's folder.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning")


@pytest.fixture(autouse=True)
def _restore_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blobs(tmp_path_factory.mktemp("data") / "blobs", 12)


def _state(output: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(output / CHECKPOINT, weights_only=False)
    return state


class _Killed(Exception):
    pass


def test_resumed_training_equals_uninterrupted_training(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path, 3, checkpoint_minutes=0)
    train(config, [blobs], output=tmp_path / "whole")

    step = Trainer._train_step

    def kill_in_the_third(self: Any, crop: Any, number: int) -> torch.Tensor:
        if number == 2:
            raise _Killed
        return step(self, crop, number)

    monkeypatch.setattr(Trainer, "_train_step", kill_in_the_third)
    with pytest.raises(_Killed):
        train(config, [blobs], output=tmp_path / "killed")
    assert _state(tmp_path / "killed")["step"] == 2
    monkeypatch.undo()
    train(config, [blobs], resume=True, output=tmp_path / "killed")

    whole, resumed = _state(tmp_path / "whole"), _state(tmp_path / "killed")
    assert whole["step"] == resumed["step"] == 3
    for part in ("module", "average"):
        for name, value in whole[part].items():
            torch.testing.assert_close(resumed[part][name], value, rtol=0, atol=0)


def test_weights_that_come_out_are_a_model(
    blobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = train(write_config(tmp_path, 1), [blobs], output=tmp_path / "out")
    assert best == tmp_path / "out" / BEST
    network = load_model(best)
    average = _state(tmp_path / "out")["average"]
    weight = average["module.coarse.weight"]
    torch.testing.assert_close(network.state_dict()["coarse.weight"], weight, rtol=1e-3, atol=1e-4)
    assert (tmp_path / "out" / LAST).is_file()
    printed = capsys.readouterr().out
    for word in ("loss", "crops_per_second", "waiting", "minutes_left", "iou_after_1", "step 1"):
        assert word in printed
    assert list((tmp_path / "out/logs").glob("events*"))


def test_time_budget_ends_a_run_with_its_weights(blobs: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, 0)
    best = train(config, [blobs], minutes=1e-4, output=tmp_path / "out")
    assert best.is_file()
    assert _state(tmp_path / "out")["step"] == 1


def test_the_encoder_is_trained_every_so_manieth_step(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path, 3)
    text = config.read_text() + "\n[model]\ntrain_encoder = true\n"
    config.write_text(text.replace("[optimizer]", "[optimizer]\nencoder_every = 2"))
    trained = []
    forward = ClickRounds.forward

    def record(module: ClickRounds, crop: Crop, seed: tuple[int, int, int]) -> Step:
        trained.append(module.network.encoder.conv0.weight.requires_grad)
        return forward(module, crop, seed)

    monkeypatch.setattr(ClickRounds, "forward", record)
    train(config, [blobs], output=tmp_path / "out")
    assert trained == [True, False, True]


@pytest.mark.training
@pytest.mark.timeout(600)
def test_sixty_steps_on_blobs_lift_the_iou_after_one_click_above_point_eight(
    tmp_path: Path,
) -> None:
    pack = write_blobs(tmp_path / "blobs", 40)
    config = write_config(tmp_path, 60)
    text = config.read_text()
    for old, new in (
        ("objects_per_crop = 2", "objects_per_crop = 4\naugment = false\nzoom = 1.0\nwhole = 0.0"),
        ("rounds = [0.5, 0.5]", "rounds = [1.0]\nsingle = 1.0\ncorrection = 0.0"),
        ("images = 2", "images = 1"),
        ("[optimizer]", "[optimizer]\nema = 0.9\nrate = 5e-3"),
    ):
        text = text.replace(old, new)
    config.write_text(text)
    best = train(config, [pack], output=tmp_path / "out")

    unseen = DatasetPack(write_blobs(tmp_path / "unseen", 20, seed=7))
    settings = load_config(config)
    crops = Crops(read_items([unseen]), settings.data, 1)
    batch = Crop(
        *(torch.stack(parts) for parts in zip(*(crops[n] for n in range(20)), strict=True))
    )
    rounds = ClickRounds(load_model(best), settings.clicks, settings.loss).eval()
    with torch.no_grad():
        assert rounds(batch, (0, 0, 0)).iou > 0.8
