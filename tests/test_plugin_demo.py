"""``napari-brs demo``, and what it does with a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from napari_brs.io.labels import read_labels
from napari_brs.plugin import demo
from napari_brs.plugin.demo import CELLS, OUTPUT, WINDOW

# The whole demo draws without a GPU and computes on the CPU: a minute, or more where it is busy.
slow = pytest.mark.timeout(900)
no_xvfb = sys.platform != "linux" or shutil.which("xvfb-run") is None


def run(*arguments: object, cwd, **environment: str) -> subprocess.CompletedProcess[str]:
    """``napari-brs demo`` on a machine without a display."""
    without = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        [sys.executable, "-m", "napari_brs", "demo", *map(str, arguments)],
        cwd=cwd,
        env=without | environment,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory):
    """The folder that the demo made, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = run(cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@slow
@pytest.mark.skipif(no_xvfb, reason="needs Xvfb")
def test_without_a_display_it_leaves_labels_of_the_cells_that_were_clicked(left_behind):
    folder, _ = left_behind
    labels = read_labels(folder / OUTPUT / "labels.tif")
    committed = CELLS[:-1]
    assert labels.shape == (512, 512)
    assert set(np.unique(labels)) == {0, *range(1, len(committed) + 1)}
    for label, clicks in enumerate(committed, start=1):
        for click in clicks:
            assert (labels[click.pixel] == label) == click.positive, click
        # A cell, neither a speck nor half the image.
        assert 1000 < np.count_nonzero(labels == label) < 10_000, clicks


@slow
@pytest.mark.skipif(no_xvfb, reason="needs Xvfb")
def test_without_a_display_it_leaves_a_screenshot_of_the_whole_window(left_behind):
    folder, _ = left_behind
    with Image.open(folder / OUTPUT / "screenshot.png") as image:
        assert image.size == WINDOW
        pixels = np.asarray(image.convert("RGB")).astype(int)
    # Between the panels everything is grey but the labels, which are drawn magnified.
    colourful = np.ptp(pixels[:, 400:1000], axis=-1) > 20
    labels = read_labels(folder / OUTPUT / "labels.tif")
    assert np.count_nonzero(colourful) > np.count_nonzero(labels)


@slow
@pytest.mark.skipif(no_xvfb, reason="needs Xvfb")
def test_it_prints_where_it_left_them_and_leaves_nothing_else(left_behind):
    folder, printed = left_behind
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    assert files == [f"{OUTPUT}/labels.tif", f"{OUTPUT}/screenshot.png"]
    assert all(file in printed for file in files)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_a_display_and_xvfb_it_says_so(tmp_path):
    done = run(cwd=tmp_path, PATH=str(tmp_path))
    assert done.returncode == 2
    assert "xvfb" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    done = run("--output", "taken", cwd=tmp_path)
    assert done.returncode == 2
    assert "taken" in done.stderr
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_linux_with_either_kind_of_display_has_one(monkeypatch, variable):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not demo.has_display()
    monkeypatch.setenv(variable, ":0")
    assert demo.has_display()


def test_other_systems_have_a_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert demo.has_display()


@pytest.fixture
def opened(viewer, fake, open_dock):
    """The controller of a dock on the sample; the segmenter draws discs around clicks."""
    viewer.open_sample("napari-brs", "phase_contrast")
    controller = open_dock().controller
    controller.set_image_layer(viewer.layers["phase contrast"])
    return controller


def test_replayed_clicks_leave_all_but_the_last_cell_committed(opened):
    demo.replay(opened, CELLS, pause=0)
    objects, preview = opened.objects_layer.data, opened.preview_layer.data
    for label, clicks in enumerate(CELLS[:-1], start=1):
        assert objects[clicks[0].pixel] == label
    assert objects.max() == len(CELLS) - 1
    assert preview[CELLS[-1][0].pixel] > 0


def test_a_dock_closed_in_the_middle_ends_the_replay(opened):
    objects = opened.objects_layer
    # The third cell's turn comes when two are committed.
    opened.changed.connect(lambda: objects.data.max() == 2 and opened.close())
    demo.replay(opened, CELLS, pause=0)
    assert objects.data.max() == 2


@pytest.mark.usefixtures("make_viewer", "fake")
def test_with_a_display_the_window_stays_open_and_takes_clicks(monkeypatch):
    import napari

    running = []
    monkeypatch.setattr(napari, "run", lambda: running.append(napari.current_viewer()))
    monkeypatch.setattr(demo, "PAUSE", 0)
    monkeypatch.setattr(demo, "WINDOW", (800, 600))
    demo.show(None)
    (viewer,) = running
    objects = viewer.layers["objects · phase contrast"]
    assert objects.data.max() == len(CELLS) - 1
    assert len(viewer.layers["foreground · phase contrast"].data) == len(CELLS[-1])
    viewer.close()
