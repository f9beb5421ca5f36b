from __future__ import annotations

import numpy as np
import pytest

from napari_brs.training.augment import augment


@pytest.mark.parametrize("microscopy", [False, True])
def test_augmented_images_stay_images(microscopy: bool) -> None:
    rng = np.random.default_rng(0)
    image = (255 * rng.random((40, 30, 3))).astype(np.float32)
    changed = 0
    for _ in range(40):
        result = augment(image, rng, microscopy=microscopy)
        assert result.shape == image.shape
        assert result.dtype == np.float32
        assert 0 <= result.min() <= result.max() <= 255
        changed += not np.array_equal(result, image)
    assert changed > 20


def test_microscopes_are_shown_as_other_modalities_too() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:64, :64]
    disk = (rows - 32) ** 2 + (columns - 32) ** 2 < 200
    image = np.repeat(np.where(disk, 200, 60)[..., None], 3, 2).astype(np.float32)
    flat = 0
    for _ in range(100):
        result = augment(image, rng, microscopy=True)[..., 0]
        # A relief shows slopes only: inside and outside look the same.
        flat += abs(result[28:36, 28:36].mean() - result[:8].mean()) < 5
    assert 2 <= flat <= 30
