"""What docs/extending.md builds works as it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

DOCUMENT = (Path(__file__).parents[1] / "docs/extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^`([\w.]+)`[^\n]*:\n\n```\w+\n(.*?)```", re.DOTALL | re.MULTILINE)
FILES = dict(BLOCK.findall(DOCUMENT))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package of the document is installed into, with its weights."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name, text in FILES.items():
        (source / name).write_text(text)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    subprocess.run([*pip, *options, str(source)], check=True, capture_output=True)
    save = (
        "from halo_network import Halo; from napari_brs.models import save_weights; "
        f"save_weights(Halo(), {str(site / 'halo.safetensors')!r}, 'halo')"
    )
    run(site, "-c", save)
    return site


def run(site: Path, *arguments: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_takes_less_than_sixty_lines() -> None:
    assert set(FILES) == {"pyproject.toml", "halo_models.py", "halo_network.py"}
    assert sum(len(text.splitlines()) for text in FILES.values()) < 60


def test_its_network_is_listed_offered_clicked_and_evaluated(site: Path, tmp_path: Path) -> None:
    assert "halo" in run(site, "-m", "napari_brs", "models")
    offered = (
        "from napari_brs.plugin.offer import Offer; "
        "print([value for _, value in Offer().models('brs-live')])"
    )
    assert "'halo'" in run(site, "-c", offered)
    image = np.full((40, 50), 20, np.uint8)
    image[10:20, 10:30] = 230
    tifffile.imwrite(tmp_path / "a.tif", image)
    command = ["-m", "napari_brs", "segment", "a.tif", "--fg", "15,20", "--model", "halo"]
    run(site, *command, "-o", "l.tif", cwd=tmp_path)
    assert tifffile.imread(tmp_path / "l.tif")[15, 20] == 1
    for folder, pixels in (("images", image), ("masks", (image > 100).astype(np.uint8))):
        (tmp_path / "pack" / folder).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "pack" / folder / "a.png")
    command = ["-m", "napari_brs", "evaluate", "pack", "--model", "halo", "--json", "r.json"]
    run(site, *command, "--max-clicks", "2", cwd=tmp_path)
    assert json.loads((tmp_path / "r.json").read_text())["model"] == "halo"


def test_its_format_is_written(site: Path, tmp_path: Path) -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[1, 1], labels[5, 5] = 1, 2
    tifffile.imwrite(tmp_path / "l.tif", labels)
    run(site, "-m", "napari_brs", "export", "l.tif", "-o", "cells.count", cwd=tmp_path)
    assert (tmp_path / "cells.count").read_text() == "2 objects\n"
