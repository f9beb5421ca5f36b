from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_brs.plugin.sample_data import FOLDER

SHARED = Path(__file__).parents[2] / "shared" / "data" / "samples"


@pytest.mark.parametrize(
    ("key", "shape", "dtype"),
    [
        ("phase_contrast", (512, 512), np.uint16),
        ("nuclei", (520, 696), np.uint16),
        ("photograph", (300, 451, 3), np.uint8),
    ],
)
def test_samples_open_from_the_menu(
    key: str, shape: tuple[int, ...], dtype: type, make_viewer: Any
) -> None:
    viewer = make_viewer()
    (layer,) = viewer.open_sample("napari-brs", key)
    assert layer.data.shape == shape
    assert layer.data.dtype == dtype
    assert layer.rgb == (len(shape) == 3)
    low, high = layer.contrast_limits
    assert low < high


def test_samples_are_told_with_source_and_licence() -> None:
    told = (FOLDER / "README.md").read_text(encoding="utf-8")
    for file in FOLDER.glob("*.tif"):
        assert file.name in told
    assert "CC0" in told
    assert "MIT License" in (FOLDER / "LICENSE-usiigaci.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the original crops are not here")
@pytest.mark.parametrize("name", ["phase_contrast.tif", "nuclei.tif"])
def test_samples_are_the_original_crops(name: str) -> None:
    assert (FOLDER / name).read_bytes() == (SHARED / name).read_bytes()
