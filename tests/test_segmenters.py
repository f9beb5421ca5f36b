"""Opening models by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_brs import Click
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.models import model_info, save_weights
from napari_brs.segmenters import open_segmenter


def test_a_weights_file_opens_as_its_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = save_weights(model_info("brs-live").build(), tmp_path / "w.safetensors", "brs-live")
    segmenter = open_segmenter(path, "cpu")
    segmenter.set_image(np.zeros((20, 30), np.uint8))
    assert str(segmenter.device) == "cpu"
    assert segmenter.shape == (20, 30)
    direct = BRSSegmenter(path, "cpu")
    direct.set_image(np.zeros((20, 30), np.uint8))
    clicks = [Click(5, 5)]
    np.testing.assert_array_equal(
        segmenter.predict(clicks, refine=False).probability,
        direct.predict(clicks, refine=False).probability,
    )


def test_unknown_names_and_devices_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown model 'sam'; allowed are brs-live"):
        open_segmenter("sam")
    with pytest.raises(ValueError, match="no device 'tpu' here"):
        open_segmenter("brs-live", "tpu")
