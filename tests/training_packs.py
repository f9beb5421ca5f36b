"""Small dataset packs to train on, and a small configuration to train with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from napari_brs.io.packs import DatasetPack

TINY = """
[data]
crop_sizes = [[64, 64]]
crops_per_step = 2
objects_per_crop = 2
[clicks]
rounds = [0.5, 0.5]
[validation]
images = 2
clicks = 1
[optimizer]
warm_up = 0.0
[run]
minutes = 1000
steps = {steps}
accelerator = "cpu"
threads = 1
checkpoint_minutes = {checkpoint_minutes}
"""


def write_image(folder: Path, name: str, image: np.ndarray, mask: np.ndarray) -> None:
    for kind, pixels in (("images", image), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / kind / f"{name}.png")


def disks(seed: int, size: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """An image whose red channel is its mask: 40 times the id of the disk at each pixel."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:size, :size]
    mask = np.zeros((size, size), np.uint8)
    for number in (1, 2, 3):
        row, column = rng.uniform(25, size - 25, 2)
        mask[(rows - row) ** 2 + (columns - column) ** 2 < rng.uniform(8, 22) ** 2] = number
    image = np.stack([40 * mask, np.full_like(mask, 90), np.full_like(mask, 30)], 2)
    return image, mask


def write_disks(folder: Path) -> DatasetPack:
    """Six images, of the sources a and b in turn."""
    for seed in range(6):
        write_image(folder, f"{'ab'[seed % 2]}-{seed}", *disks(seed))
    return DatasetPack(folder)


def write_blobs(folder: Path, count: int, size: int = 96, seed: int = 0) -> Path:
    """Bright and dark noisy ellipses on a noisy ground, three an image, apart from each other."""
    rng = np.random.default_rng(seed)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:size, :size]
    for n in range(count):
        mask = np.zeros((size, size), np.uint8)
        image = rng.normal(110, 12, (size, size))
        for number, quarter in enumerate(rng.permutation(4)[:3], 1):
            row, column = (np.divmod(quarter, 2) + rng.uniform(0.45, 0.55, 2)) * size / 2
            radii = rng.uniform(0.12 * size, 0.2 * size, 2)
            inside = ((rows - row) / radii[0]) ** 2 + ((columns - column) / radii[1]) ** 2 < 1
            mask[inside] = number
            image[inside] = rng.normal(rng.choice([30, 70, 190, 230]), 12, inside.sum())
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"images/blob-{n}.png")
        Image.fromarray(mask).save(folder / f"masks/blob-{n}.png")
    return folder


def write_config(folder: Path, steps: int, checkpoint_minutes: float = 1000) -> Path:
    file = folder / f"tiny{steps}.toml"
    file.write_text(TINY.format(steps=steps, checkpoint_minutes=checkpoint_minutes))
    return file
