"""What is built from the repository works without the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_brs import Click, open_segmenter

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_brs"
NOT_SOURCE = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "demo-output"
)
WEIGHTS = "brs-live.safetensors"
TOO_LARGE = "brs-vgg.safetensors"
CELL = Click(147, 294)

pytestmark = pytest.mark.packaging


def call(*command: object, cwd: Path) -> str:
    """What a command prints; it must succeed, and sees no PYTHONPATH."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with an sdist, and the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("build")
    # A copy: what earlier builds left in a checkout must not help.
    shutil.copytree(ROOT, folder / "source", ignore=NOT_SOURCE)
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist")
    call(*build, folder / "source", cwd=folder)
    return folder / "dist"


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """The Python of a new environment that holds the wheel.

    Dependencies are those of the environment the tests run in, by a plain path: its
    own .pth files, and so the checkout that they may lead to, are not followed.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    (wheel,) = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", python)
    call(*pip, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(call(python, "-c", asked, cwd=folder).strip())
    here = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site / "dependencies.pth").write_text("\n".join(here), encoding="utf-8")
    return python


def files_of_the_package() -> set[str]:
    return {
        f"napari_brs/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_package_the_manifest_and_the_weights(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = files_of_the_package() | {
        f"napari_brs/weights/{path.name}"
        for path in (ROOT / "weights").glob("*")
        if path.name != TOO_LARGE
    }
    assert f"napari_brs/weights/{WEIGHTS}" in wanted
    assert names == wanted | {"napari_brs_manifest/napari.yaml"}


def test_pypi_takes_the_wheel_and_the_sdist(built):
    for path in built.iterdir():
        assert path.stat().st_size < 100e6, path.name


def test_the_sdist_holds_what_is_needed_to_build_and_to_test(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    beside = {
        f"{folder}/{path.name}"
        for folder in ("tests", "paper")
        for path in (ROOT / folder).glob("*.py")
    }
    top = {"napari.yaml", "pyproject.toml", "constraints.txt", "CITATION.cff", "LICENSE"}
    wanted = {f"src/{name}" for name in files_of_the_package()} | beside | top
    assert sorted((wanted | {f"weights/{WEIGHTS}", "scripts/test"}) - names) == []


def test_the_wheel_names_no_qt_binding_among_its_dependencies(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    required = [line.lower() for line in lines if line.startswith("Requires-Dist:")]
    base = [line for line in required if "extra ==" not in line]
    assert [line for line in base if "napari" in line]
    assert not [line for line in base if "pyqt" in line or "pyside" in line]
    assert [line for line in required if "napari[pyqt6]" in line and 'extra == "all"' in line]


ABOUT = """
import importlib, json
import napari_brs
from napari_brs.models import load_model, model_info
from npe2 import PluginManager
load_model("brs-live")
manager = PluginManager()
manager.discover()
manifest = manager.get_manifest("napari-brs")
commands = {}
for command in manifest.contributions.commands:
    module, name = command.python_name.split(":")
    commands[command.id] = callable(getattr(importlib.import_module(module), name))
print(json.dumps({
    "package": napari_brs.__file__,
    "weights": str(model_info("brs-live").path.resolve()),
    "version": manifest.package_version,
    "commands": commands,
    "widgets": [widget.display_name for widget in manifest.contributions.widgets],
}))
"""


def check_about(about: dict, package: Path, weights: Path) -> None:
    assert Path(about["package"]).resolve().is_relative_to(package.resolve())
    assert Path(about["weights"]).is_relative_to(weights.resolve())
    assert about["widgets"] == ["BRS segmentation"]
    assert len(about["commands"]) >= 4
    assert all(about["commands"].values())


def test_the_wheel_finds_its_manifest_and_weights_elsewhere(installed, tmp_path):
    about = json.loads(call(installed, "-c", ABOUT, cwd=tmp_path).splitlines()[-1])
    environment = installed.parents[1]
    check_about(about, package=environment, weights=environment)


def test_an_editable_install_finds_manifest_and_weights_at_the_top(tmp_path):
    about = json.loads(call(sys.executable, "-c", ABOUT, cwd=tmp_path).splitlines()[-1])
    check_about(about, package=PACKAGE, weights=ROOT / "weights")


def test_the_wheel_segments_from_another_folder_just_as_the_checkout_does(installed, tmp_path):
    shutil.copy(PACKAGE / "plugin" / "samples" / "phase_contrast.tif", tmp_path / "cells.tif")
    command = installed.parent / "napari-brs"
    clicks = ("--fg", f"{CELL.row},{CELL.column}")
    call(command, "segment", "cells.tif", *clicks, "-o", "labels.tif", cwd=tmp_path)
    labels = tifffile.imread(tmp_path / "labels.tif")
    segmenter = open_segmenter("brs-live", device="cpu")
    segmenter.set_image(tifffile.imread(tmp_path / "cells.tif"))
    expected = segmenter.predict([CELL]).mask
    assert labels.dtype == np.uint16
    assert labels[CELL.pixel] == 1
    np.testing.assert_array_equal(labels, expected)
