"""The shipped network, held against what its card says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_brs.metrics import iou
from napari_brs.models import load_model, model_info
from napari_brs.networks.unet import UNet
from napari_brs.segmenters import open_segmenter
from paper.whole_metrics import segmentation_measure

SAMPLES = Path(__file__).parents[1] / "src/napari_brs/plugin/samples"


def test_shipped_weights_are_the_pinned_ones_and_small_enough():
    # load_model compares the SHA-256.
    assert model_info("unet-cells").sha256 is not None
    assert isinstance(load_model("unet-cells"), UNet)
    assert model_info("unet-cells").path.stat().st_size <= 16e6


@pytest.mark.parametrize("name", ["phase_contrast", "nuclei"])
def test_figures_of_the_card_hold_on_the_sample_images(name):
    card = model_info("unet-cells").card.read_text(encoding="utf-8")
    found = re.search(rf"\| `{name}` \| ([\d.]+) \| ([\d.]+) \|", card)
    assert found, f"no figures of {name} in the card"
    labels = np.array(Image.open(SAMPLES / f"{name}_labels.png"))
    segmenter = open_segmenter("unet-cells", "cpu")
    segmenter.set_image(tifffile.imread(SAMPLES / f"{name}.tif"))
    foreground = iou(segmenter.segment().mask(0), labels > 0)
    objects = segmentation_measure(segmenter.instances(), labels)
    assert (foreground, objects) == pytest.approx([float(v) for v in found.groups()], abs=0.006)
