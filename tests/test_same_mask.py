"""One cell, clicked in napari and on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import User

import napari_brs
from napari_brs.cli import main
from napari_brs.io.labels import read_labels
from napari_brs.models import model_info

pytest.importorskip("napari")

SAMPLES = Path(napari_brs.__file__).parent / "plugin" / "samples"


@pytest.mark.skipif(not model_info("brs-live").available, reason="no weights are shipped")
def test_a_cell_clicked_in_napari_and_on_the_command_line_gets_the_same_mask(
    viewer: Any, user: User, open_dock: Any, tmp_path: Path
) -> None:
    viewer.open_sample("napari-brs", "phase_contrast")
    dock = open_dock()
    controller = dock.controller
    controller.set(device="cpu")
    user.wait(0.1)
    user.click((147, 294))
    controller.wait(60)
    user.click((110, 330), key="shift")
    controller.wait(60)
    assert "every click obeyed" in controller.state.status
    shown = controller.preview_layer.data != 0
    (positive,), (negative,) = controller.foreground_layer.data, controller.background_layer.data

    output = tmp_path / "labels.tif"
    click = "{:.6f},{:.6f}".format
    arguments = ["--fg", click(*positive), "--bg", click(*negative), "--device", "cpu"]
    assert (
        main(["segment", str(SAMPLES / "phase_contrast.tif"), *arguments, "-o", str(output)]) == 0
    )
    labels = read_labels(output)
    assert np.array_equal(labels == 1, shown)
    assert shown[147, 294]
