"""``--model`` with a network of one's own, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from test_converted_segmenter import Bright, scene

from napari_brs.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture
def bright(tmp_path: Path) -> str:
    path = tmp_path / "bright.pt"
    torch.jit.trace(Bright().eval(), torch.zeros(1, 1, 32, 32)).save(path)
    return str(path)


@pytest.fixture
def frame(tmp_path: Path) -> str:
    path = tmp_path / "frame.tif"
    tifffile.imwrite(path, scene())
    return str(path)


def test_segment_says_that_a_file_runs_code_before_it_opens_it(bright, frame, tmp_path, capsys):
    output = tmp_path / "labels.tif"
    assert main(["segment", frame, "--model", bright, "--fg", "30,30", "-o", str(output)]) == 2
    line = capsys.readouterr().err
    assert "runs code of its own when it is opened" in line
    assert "--trust" in line
    assert not output.exists()


def test_a_frame_is_segmented_whole_and_then_corrected(bright, frame, tmp_path, capsys):
    output = str(tmp_path / "labels.tif")
    with_model = ["segment", frame, "--model", bright, "--trust", "-o", output]
    assert main([*with_model, "--whole"]) == 0
    assert "3 objects" in capsys.readouterr().out
    before = tifffile.imread(output)
    label = int(before[115, 90])
    correction = ["--labels", output, "--correct", str(label), "--bg", "115,90"]
    assert main([*with_model, *correction]) == 0
    after = tifffile.imread(output)
    assert (after[115, 50], after[115, 90]) == (label, 0)
    others = (before != label) & (before != 0)
    np.testing.assert_array_equal(after[others], before[others])


@pytest.mark.parametrize("more", [["--fg", "1,1"], ["--session", "s.json"]])
def test_whole_takes_no_clicks(bright, frame, tmp_path, capsys, more):
    output = str(tmp_path / "labels.tif")
    assert main(["segment", frame, "--model", bright, "--whole", "-o", output, *more]) == 2
    assert "--whole takes no clicks" in capsys.readouterr().err


def test_evaluate_runs_a_converted_model(bright, tmp_path, capsys):
    pack = tmp_path / "pack"
    for folder in ("images", "masks"):
        (pack / folder).mkdir(parents=True)
    Image.fromarray(scene()).save(pack / "images" / "a.png")
    truth = np.zeros(scene().shape, np.uint8)
    truth[20:50, 20:80] = 1
    truth[100:130, 40:70] = 2
    Image.fromarray(truth).save(pack / "masks" / "a.png")
    result = tmp_path / "result.json"
    arguments = ["evaluate", str(pack), "--model", bright, "--json", str(result)]
    more = ["--objects-per-image", "2", "--max-clicks", "3", "--device", "cpu"]
    assert main([*arguments, *more]) == 2
    assert "--trust" in capsys.readouterr().err
    assert main([*arguments, *more, "--trust"]) == 0
    found = json.loads(result.read_text(encoding="utf-8"))
    assert len(found["weights_sha256"]) == 64
    assert [item["object"] for item in found["objects"]] == [1, 2]
    for item in found["objects"]:
        assert item["iou"][-1] >= item["iou"][0] > 0.4
