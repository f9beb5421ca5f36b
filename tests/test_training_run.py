from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from training_packs import write_blobs, write_config

pytest.importorskip("lightning")

from napari_brs.models import load_model, model_info, save_weights
from napari_brs.training import run as run_module
from napari_brs.training.config import parse_config
from napari_brs.training.run import train
from napari_brs.training.trainer import BEST, CHECKPOINT, LAST

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


def test_bad_requests_are_refused_before_anything_is_written(blobs: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, 1)
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
        train(write_config(tmp_path, 1), [blobs], output=output)
    assert (output / BEST).read_text() == "hours of work"


def test_a_network_is_not_written_over_by_what_starts_from_it(blobs: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    save_weights(model_info("brs-live").build(), output / LAST, "brs-live")
    config = write_config(tmp_path, 1)
    config.write_text(config.read_text() + f"[model]\ninitial = '{output / LAST}'\n")
    with pytest.raises(ValueError, match=r"last\.safetensors: it is an input"):
        train(config, [blobs], output=output)


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

    config = write_config(tmp_path, 2)
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
