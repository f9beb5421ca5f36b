"""The shipped networks, held against what their cards say of the sample images."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.evaluation.protocol import RobotSettings, choose_objects, click_object
from napari_brs.models import model_info

SAMPLES = Path(__file__).parents[1] / "src/napari_brs/plugin/samples"


@pytest.mark.parametrize(
    ("model", "megabytes"), [("brs-live", 20), ("brs-densenet", 36), ("brs-vgg", 60)]
)
def test_the_shipped_weights_are_small_enough(model, megabytes):
    assert model_info(model).path.stat().st_size <= megabytes * 1e6


@pytest.mark.parametrize(
    ("model", "name", "objects"),
    [
        ("brs-live", "phase_contrast", 6),
        ("brs-live", "nuclei", 6),
        # Every click of the paper's networks is a pass of the whole of them.
        ("brs-densenet", "phase_contrast", 3),
        ("brs-densenet", "nuclei", 3),
        ("brs-vgg", "phase_contrast", 3),
        ("brs-vgg", "nuclei", 3),
    ],
)
def test_figures_of_the_card_hold_on_the_sample_images(model, name, objects):
    card = model_info(model).card.read_text(encoding="utf-8")
    found = re.search(rf"\| `{name}` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", card)
    assert found, f"no figures of {name} in the card"
    labels = np.array(Image.open(SAMPLES / f"{name}_labels.png")).astype(np.int32)
    settings = RobotSettings(max_clicks=5, objects_per_image=objects)
    segmenter = BRSSegmenter(model, "cpu")
    segmenter.set_image(tifffile.imread(SAMPLES / f"{name}.tif"))
    nothing = np.zeros(labels.shape, bool)
    runs = [
        click_object(segmenter, labels == number, nothing, name, number, settings)
        for number in choose_objects(labels, name, settings)
    ]
    assert len(runs) == objects
    # Half precision of an encoder moves a mask, and that the next click, by a little.
    ious = np.mean([[run.iou[k] for k in (0, 2, 4)] for run in runs], axis=0)
    assert ious == pytest.approx([float(value) for value in found.groups()], abs=0.03)
    assert all(run.obeyed[-1] == 1 for run in runs)
