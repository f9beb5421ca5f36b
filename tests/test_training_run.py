from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

pytest.importorskip("lightning")

from napari_brs.io.packs import DatasetPack
from napari_brs.models import load_model, model_info, save_weights
from napari_brs.networks.brs_vgg import VGG19
from napari_brs.networks.densenet import DenseNet121
from napari_brs.training import run as run_module
from napari_brs.training.config import ModelConfig, load_config, parse_config
from napari_brs.training.data import Crop, Crops, read_items
from napari_brs.training.rounds import ClickRounds, Step
from napari_brs.training.run import (
    BEST,
    CHECKPOINT,
    LAST,
    compile_submodules,
    make_network,
    split_items,
    train,
)
from napari_brs.training.validation import choose_objects, click_ious

# Lightning advises more loader processes and warns about its own logger's folder.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning")

TINY = """
[data]
crop_sizes = [[64, 64]]
crops_per_step = 2
objects_per_crop = 2
[clicks]
rounds = [0.5, 0.5]
[validation]
images = 2
clicks = 1
[optimizer]
warm_up = 0.0
[run]
minutes = 1000
steps = {steps}
accelerator = "cpu"
threads = 1
checkpoint_minutes = {checkpoint_minutes}
"""


@pytest.fixture(autouse=True)
def _restore_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def write_blobs(folder: Path, count: int, size: int = 96, seed: int = 0) -> Path:
    """Bright and dark noisy ellipses on a noisy ground, three an image, apart from each other."""
    rng = np.random.default_rng(seed)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:size, :size]
    for n in range(count):
        mask = np.zeros((size, size), np.uint8)
        image = rng.normal(110, 12, (size, size))
        for number, quarter in enumerate(rng.permutation(4)[:3], 1):
            row, column = (np.divmod(quarter, 2) + rng.uniform(0.45, 0.55, 2)) * size / 2
            radii = rng.uniform(0.12 * size, 0.2 * size, 2)
            inside = ((rows - row) / radii[0]) ** 2 + ((columns - column) / radii[1]) ** 2 < 1
            mask[inside] = number
            image[inside] = rng.normal(rng.choice([30, 70, 190, 230]), 12, inside.sum())
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"images/blob-{n}.png")
        Image.fromarray(mask).save(folder / f"masks/blob-{n}.png")
    return folder


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blobs(tmp_path_factory.mktemp("data") / "blobs", 12)


def _config(folder: Path, steps: int, checkpoint_minutes: float = 1000) -> Path:
    file = folder / f"tiny{steps}.toml"
    file.write_text(TINY.format(steps=steps, checkpoint_minutes=checkpoint_minutes))
    return file


def _state(output: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(output / CHECKPOINT, weights_only=False)
    return state


class _Killed(Exception):
    pass


def test_resumed_training_equals_uninterrupted_training(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(tmp_path, 4, checkpoint_minutes=0)
    train(config, [blobs], output=tmp_path / "whole")

    step = run_module.Trainer._train_step

    def kill_in_the_third(self: Any, crop: Any, number: int) -> torch.Tensor:
        if number == 2:
            raise _Killed
        return step(self, crop, number)

    monkeypatch.setattr(run_module.Trainer, "_train_step", kill_in_the_third)
    with pytest.raises(_Killed):
        train(config, [blobs], output=tmp_path / "killed")
    assert _state(tmp_path / "killed")["step"] == 2
    monkeypatch.undo()
    train(config, [blobs], resume=True, output=tmp_path / "killed")

    whole, resumed = _state(tmp_path / "whole"), _state(tmp_path / "killed")
    assert whole["step"] == resumed["step"] == 4
    for part in ("module", "average"):
        for name, value in whole[part].items():
            torch.testing.assert_close(resumed[part][name], value, rtol=0, atol=0)


def test_weights_that_come_out_are_a_model(
    blobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = train(_config(tmp_path, 1), [blobs], output=tmp_path / "out")
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
    config = _config(tmp_path, 0)
    best = train(config, [blobs], minutes=1e-4, output=tmp_path / "out")
    assert best.is_file()
    assert _state(tmp_path / "out")["step"] == 1


def test_bad_requests_are_refused_before_anything_is_written(blobs: Path, tmp_path: Path) -> None:
    config = _config(tmp_path, 1)
    output = tmp_path / "out"
    with pytest.raises(ValueError, match=r"nothing to resume: .*checkpoint\.pt does not exist"):
        train(config, [blobs], resume=True, output=output)
    with pytest.raises(ValueError, match="minutes = 0: allowed is a positive number"):
        train(config, [blobs], minutes=0, output=output)
    with pytest.raises(ValueError, match="no dataset pack"):
        train(config, [], output=output)
    assert not output.exists()


def test_a_run_is_not_written_over(blobs: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / BEST).write_text("hours of work")
    with pytest.raises(ValueError, match=r"out holds a run, which would be lost: resume it"):
        train(_config(tmp_path, 1), [blobs], output=output)
    assert (output / BEST).read_text() == "hours of work"


def test_a_network_is_not_written_over_by_what_starts_from_it(blobs: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    save_weights(model_info("brs-live").build(), output / LAST, "brs-live")
    config = _config(tmp_path, 1)
    config.write_text(config.read_text() + f"[model]\ninitial = '{output / LAST}'\n")
    with pytest.raises(ValueError, match=r"last\.safetensors: it is an input"):
        train(config, [blobs], output=output)


def test_packs_named_val_are_validated_on_and_others_hold_out_a_tenth(tmp_path: Path) -> None:
    cells = DatasetPack(write_blobs(tmp_path / "cells", 20, size=48))
    other = DatasetPack(write_blobs(tmp_path / "cells_val", 3, size=48, seed=1))
    training, validation = split_items([cells, other])
    assert (len(training), [len(v) for v in validation]) == (20, [3])
    training, validation = split_items([cells])
    assert (len(training), [len(v) for v in validation]) == (18, [2])
    few = DatasetPack(write_blobs(tmp_path / "few", 4, size=48))
    with pytest.raises(ValueError, match="4 images to train on and 0 to validate on: at least 10"):
        split_items([few])


def test_network_starts_from_given_weights(blobs: Path, tmp_path: Path) -> None:
    best = train(_config(tmp_path, 1), [blobs], output=tmp_path / "out")
    network = make_network(ModelConfig(initial=str(best)))
    torch.testing.assert_close(
        network.state_dict()["coarse.weight"], load_model(best).state_dict()["coarse.weight"]
    )
    trained = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert "coarse" in trained
    assert "encoder" not in trained
    network = make_network(ModelConfig(train_encoder=True))
    assert all(p.requires_grad for p in network.parameters())
    with pytest.raises(ValueError, match="holds no brs-densenet"):
        make_network(ModelConfig(name="brs-densenet", initial=str(best)))


def test_the_encoder_is_trained_every_so_manieth_step(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(tmp_path, 3)
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


@pytest.mark.parametrize("name", ["brs-live", "brs-densenet", "brs-vgg"])
def test_encoders_start_from_imagenet(name: str, tmp_path: Path) -> None:
    if name == "brs-vgg":
        source, own = VGG19(), "features.2.weight"
        state = source.state_dict()
    else:
        source, own = DenseNet121(), "denseblock1.denselayer1.conv1.weight"
        state = {f"features.{key}": value for key, value in source.state_dict().items()}
    torch.save(state, tmp_path / "imagenet.pth")
    network = make_network(ModelConfig(name=name, imagenet=str(tmp_path / "imagenet.pth")))
    torch.testing.assert_close(network.encoder.state_dict()[own], source.state_dict()[own])


def test_an_encoder_is_taken_over_from_another_network(tmp_path: Path) -> None:
    live = model_info("brs-live").build()
    save_weights(live, tmp_path / "live.safetensors", "brs-live")
    save_weights(model_info("brs-vgg").build(), tmp_path / "vgg.safetensors", "brs-vgg")
    config = ModelConfig(name="brs-densenet", encoder=str(tmp_path / "live.safetensors"))
    image = torch.rand(1, 3, 64, 64)
    # Where there are no clicks, its features are those of the other network.
    network = make_network(config).eval()
    half = load_model(tmp_path / "live.safetensors").eval()
    with torch.no_grad():
        expected = half.encoder(image)
        found = network.encoder(torch.cat([image, torch.zeros(1, 2, 64, 64)], 1))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    with pytest.raises(ValueError, match=r"model\.encoder = .*vgg.* has another encoder"):
        make_network(ModelConfig(name="brs-live", encoder=str(tmp_path / "vgg.safetensors")))


def test_decoders_are_taken_over_where_they_fit(tmp_path: Path) -> None:
    source = model_info("brs-densenet").build()
    save_weights(source, tmp_path / "densenet.safetensors", "brs-densenet")
    half = load_model(tmp_path / "densenet.safetensors").state_dict()
    path = str(tmp_path / "densenet.safetensors")
    network = make_network(ModelConfig(name="brs-vgg", decoders=path))
    found = network.state_dict()
    same = [
        name
        for name, tensor in found.items()
        if name in half and tensor.shape == half[name].shape and torch.equal(tensor, half[name])
    ]
    assert {name for name in found if name.startswith("fine.")} <= set(same)
    # The skip connection's convolution has the encoder's channels, that behind it has not.
    assert "coarse.block16.convs.0.conv.weight" in same
    assert "coarse.block16.lateral.conv.weight" not in same
    with pytest.raises(ValueError, match=r"model\.decoders = .*densenet.* another network"):
        make_network(ModelConfig(name="brs-live", decoders=path))


def test_networks_that_do_not_start_from_imagenet_say_so(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "imagenet.pth")
    config = ModelConfig(name="unet-cells", imagenet=str(tmp_path / "imagenet.pth"))
    with pytest.raises(ValueError, match="unet-cells does not start from ImageNet"):
        make_network(config)


def test_validation_takes_one_large_enough_object_of_each_image(blobs: Path) -> None:
    training, _ = split_items([DatasetPack(blobs)])
    chosen = choose_objects(training, 5)
    assert len(chosen) == 5
    assert len({id(item) for item, _ in chosen}) == 5
    assert all((item.labels == number).sum() >= 100 for item, number in chosen)
    assert [n for _, n in choose_objects(training, 5)] == [n for _, n in chosen]


def test_validation_gives_an_iou_for_every_click(blobs: Path) -> None:
    training, _ = split_items([DatasetPack(blobs)])
    torch.manual_seed(0)
    ious = click_ious(make_network(ModelConfig()), choose_objects(training, 2), 2, "cpu")
    assert ious.shape == (2, 2)
    assert ((ious >= 0) & (ious <= 1)).all()


@pytest.mark.training
@pytest.mark.timeout(600)
def test_a_minute_on_blobs_lifts_the_iou_after_one_click_above_point_eight(tmp_path: Path) -> None:
    pack = write_blobs(tmp_path / "blobs", 40)
    config = _config(tmp_path, 120)
    text = config.read_text()
    for old, new in (
        ("objects_per_crop = 2", "objects_per_crop = 4\naugment = false\nzoom = 1.0\nwhole = 0.0"),
        ("rounds = [0.5, 0.5]", "rounds = [1.0]\nsingle = 1.0\ncorrection = 0.0"),
        ("images = 2", "images = 1"),
        ("[optimizer]", "[optimizer]\nema = 0.9\nrate = 3e-3"),
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


def test_parts_of_a_network_are_compiled_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled.append(module))
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 2)))
    compile_submodules(network, ["1", "1.0"])
    assert compiled == [network[1], network[1][0]]
    with pytest.raises(ValueError, match=r"run\.compile = 'fine': allowed are .*\['0', '1'\]"):
        compile_submodules(network, ["fine"])


@pytest.mark.parametrize(
    ("accelerator", "has", "expected"),
    [("cpu", True, "bf16-mixed"), ("cpu", False, "32-true"), ("auto", True, "bf16-mixed")],
)
def test_precision_follows_the_device(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, has: bool, expected: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(run_module, "has_bfloat16", lambda kind: (asked.append(kind), has)[1])
    monkeypatch.setattr(run_module, "choose_device", lambda: torch.device("cuda"))
    config = parse_config({"run": {"accelerator": accelerator}})
    assert run_module._precision(config) == expected
    assert asked == ["cuda" if accelerator == "auto" else "cpu"]
    fixed = parse_config({"run": {"precision": "16-mixed"}})
    assert run_module._precision(fixed) == "16-mixed"


@pytest.mark.skipif(os.name == "nt", reason="gloo processes are started by fork and exec")
def test_two_processes_share_the_work(blobs: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    config = _config(tmp_path, 2)
    config.write_text(config.read_text() + "devices = 2\n")
    script = tmp_path / "go.py"
    script.write_text(
        "from napari_brs.training.run import train\n"
        f"if __name__ == '__main__': train({str(config)!r}, [{str(blobs)!r}],"
        f" output={str(tmp_path / 'out')!r})\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert _state(tmp_path / "out")["step"] == 2
    assert load_model(tmp_path / "out" / BEST)
