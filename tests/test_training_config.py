from __future__ import annotations

from pathlib import Path

import pytest

from napari_brs.training.config import TrainingConfig, load_config, parse_config

SHIPPED = sorted(
    path.stem
    for path in (Path(__file__).parents[1] / "src/napari_brs/training/configs").glob("*.toml")
)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_configurations_are_found_by_name(name: str) -> None:
    assert isinstance(load_config(name), TrainingConfig)


def test_a_file_wins_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[run]\nminutes = 3\n[data.source_weights]\ncells = 2\n[clicks]\nrounds=[1]")
    config = load_config(file)
    assert config.run.minutes == 3.0
    assert config.data.source_weights == {"cells": 2.0}
    assert config.clicks.rounds == (1.0,)
    assert config.loss == TrainingConfig().loss


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "live").mkdir()
    assert load_config("live").model.name == "brs-live"


def test_what_a_configuration_leaves_open_its_base_says(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text(
        'base = "live"\n[run]\nminutes = 3\n[data.source_weights]\nmine = 2\n'
    )
    (tmp_path / "microscope.toml").write_text('base = "lab.toml"\n[data]\nrotate = ["mine"]\n')
    live, config = load_config("live"), load_config(tmp_path / "microscope.toml")
    assert config.run.minutes == 3.0 != live.run.minutes
    assert config.run.devices == live.run.devices
    assert config.data.rotate == ("mine",)
    assert config.data.source_weights == {**live.data.source_weights, "mine": 2.0}
    assert config.optimizer == live.optimizer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base = 3", "base = 3: allowed is the name of a configuration or a file"),
        ("base = 'lost'", "no training configuration .*lost"),
        ("base = 'bad.toml'", "base = 'bad.toml': .* is its own base"),
        ("[run]\nminuets = 3", r"unknown key run\.minuets: allowed are .*'minutes'"),
        ("[runs]\nminutes = 3", r"unknown key runs: allowed are .*'run'"),
        ("[run]\nminutes = 'long'", r"run\.minutes = 'long': allowed is a valid number"),
        ("[run]\nminutes = 0", r"run\.minutes = 0: allowed is greater than 0"),
        ("[loss]\nfine = 2e12", r"loss\.fine = 20+\.0: allowed is less than or equal to 10+"),
        ("[clicks]\nrounds = [inf]", r"clicks\.rounds = inf: allowed is a finite number"),
        ("[run]\ndevices = true", r"run\.devices = True: allowed is a valid integer"),
        ("run = 3", "run = 3: allowed is a table"),
        ("[loss]\nkind = 'dice'", r"loss\.kind = 'dice': allowed is 'focal' or"),
        ("[data]\ncrop_sizes = [[8, 300]]", r"data\.crop_sizes = 8: allowed is .* equal to 32"),
        ("[data]\ncrop_sizes = []", r"data\.crop_sizes = \[\]: allowed is at least one"),
        ("[data]\nrotate = 'cells'", r"data\.rotate = 'cells': allowed is a list"),
        ("[data]\naugment = 1", r"data\.augment = 1: allowed is a valid boolean"),
        ("[data]\nsource_weights = 3", r"data\.source_weights = 3: allowed is a table"),
        ("[data.source_weights]\ncells = -1", r"data\.source_weights\.cells = -1: allowed is"),
        ("[model]\nname = 3", r"model\.name = 3: allowed is a valid string"),
        ("[data]\ncrop_sizes = [[300]]", r"data\.crop_sizes = \[300\]: allowed is 2 values"),
        ("[data]\nzoom = 1.5", r"data\.zoom = 1\.5: allowed is .* equal to 1"),
        ("[data]\nzoom = 0.8", r"data\.zoom \+ data\.whole = 1\.1: allowed is <= 1"),
        ("[clicks]\nrounds = [0, 0]", r"clicks\.rounds .* one positive probability"),
        ("[run]\ndevices = 3", r"data\.crops_per_step = 4: allowed is a multiple of run\.devices"),
        ("[run", "is not valid TOML"),
    ],
)
def test_bad_entries_are_named_with_what_is_allowed(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        load_config(file)
    assert "\n" not in str(error.value)


def test_missing_file_lists_the_shipped_configurations() -> None:
    with pytest.raises(ValueError, match=r"no training configuration 'nowhere'.*'live'"):
        load_config("nowhere")


def test_a_value_of_hundreds_of_digits_is_cut_short_in_the_message() -> None:
    with pytest.raises(ValueError, match=r"optimizer\.rate = 99.*\.\.\..*99: allowed is") as error:
        parse_config({"optimizer": {"rate": 10**400 - 1}})
    assert len(str(error.value)) < 120


def test_empty_configuration_is_the_default() -> None:
    assert parse_config({}) == TrainingConfig()
