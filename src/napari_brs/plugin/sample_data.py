"""Images to try the plugin on: two kinds of cells, and a photograph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tifffile

FOLDER = Path(__file__).parent / "samples"

LayerData = tuple[Any, dict[str, Any], str]


def phase_contrast() -> list[LayerData]:
    """Glioblastoma-like cells, 512 × 512, 16 bit (Usiigaci, Tsai et al. 2019, MIT)."""
    return [_microscopy("phase_contrast.tif", "phase contrast")]


def nuclei() -> list[LayerData]:
    """Stained nuclei, 520 × 696, 16 bit (BBBC039, Broad Bioimage Benchmark Collection, CC0)."""
    return [_microscopy("nuclei.tif", "nuclei")]


def photograph() -> list[LayerData]:
    """A cat, 300 × 451, colour (scikit-image's chelsea, CC0)."""
    from skimage.data import chelsea

    photograph = chelsea()  # type: ignore[no-untyped-call]
    return [(photograph, {"name": "photograph"}, "image")]


def _microscopy(file: str, name: str) -> LayerData:
    from napari_brs.image import ImageSource

    image = tifffile.imread(FOLDER / file)
    # The limits that the command line takes for the same file, so that masks agree.
    limits = ImageSource(image).contrast_limits
    return image, {"name": name, "contrast_limits": limits}, "image"
