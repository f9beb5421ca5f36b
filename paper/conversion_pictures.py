"""Make the pictures of conversion.md again: ``python -m paper.conversion_pictures``.

Needs matplotlib; the window's picture needs a display (``xvfb-run -a`` makes one).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import find_boundaries

from napari_brs.clicks import Click
from napari_brs.metrics import iou
from napari_brs.robot import next_click
from napari_brs.segmenters import open_segmenter

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "src" / "napari_brs" / "plugin" / "samples"
REPAIRS = 3
WINDOW = (1400, 900)


def main() -> None:
    """Write the pictures to docs/images, and print what the clicks changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="unet-cells")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--window", action="store_true", help="the window's picture as well")
    args = parser.parse_args()
    segmenter: Any = open_segmenter(args.model, "cpu")
    for name in ("phase_contrast", "nuclei"):
        image = tifffile.imread(SAMPLES / f"{name}.tif")
        truth = np.asarray(Image.open(SAMPLES / f"{name}_labels.png")).astype(int)
        segmenter.set_image(image)
        before = segmenter.instances()
        after, repairs = correct(segmenter, before, truth)
        clicks = [click for made in repairs for click in made]
        path = args.output / f"conversion-{name}.png"
        draw(image, before, after, clicks, path)
        print(path, report(before, after, truth, clicks))
        if args.window and name == "phase_contrast":
            picture_of_window(args.model, repairs, args.output / "conversion-window.png")


def correct(
    segmenter: Any, labels: NDArray[Any], truth: NDArray[Any]
) -> tuple[NDArray[Any], list[list[Click]]]:
    """Repair three objects as one does in the dock: labels after it, and the clicks for each.

    One that holds two cells, if there is one, then the largest errors of the foreground,
    away from the border and from each other.
    """
    labels, made = labels.copy(), []

    def repair(clicks: list[Click]) -> None:
        hit = int(labels[clicks[0].pixel])
        found: Any = labels == hit if hit else None
        for count in range(1, len(clicks) + 1):
            found = segmenter.predict(clicks[:count], found)
        if hit:
            labels[(labels == hit) & ~found.mask] = 0
        labels[found.mask & (labels == 0)] = hit or labels.max() + 1
        made.append(clicks)

    pair = two_under_one_id(labels, truth)
    if pair is not None:
        repair([Click(*pair[0]), Click(*pair[1], positive=False)])
        repair([Click(*pair[1])])
    aside = np.ones(truth.shape, bool)
    aside[20:-20, 20:-20] = False
    while len(made) < REPAIRS:
        for click in (click for clicks in made for click in clicks):
            aside |= distances(truth.shape, click) < 60
        error = next_click(truth > 0, labels > 0, aside, [])
        if error is None:
            break
        repair([*first_on_the_cell(error, labels, truth), error])
    return labels, made


def first_on_the_cell(click: Click, labels: NDArray[Any], truth: NDArray[Any]) -> list[Click]:
    """A click on the object that holds most of a cell, if it is only incomplete."""
    cell = truth == truth[click.pixel]
    areas = np.bincount(labels[cell])
    areas[0] = 0
    if not click.positive or areas.max(initial=0) < 0.3 * cell.sum():
        return []
    return [Click(*deepest(cell & (labels == areas.argmax())))]


def two_under_one_id(
    labels: NDArray[Any], truth: NDArray[Any]
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The middles of two cells that mostly lie in one object; of the largest such object."""
    for label in np.argsort(-np.bincount(labels.ravel())):
        inside = np.bincount(truth[labels == label], minlength=truth.max() + 1)
        whole = np.bincount(truth.ravel(), minlength=truth.max() + 1)
        cells = np.flatnonzero((inside > 0.7 * whole) & (inside > 100))
        cells = cells[cells > 0]
        if label > 0 and len(cells) == 2:
            first, second = (deepest((truth == cell) & (labels == label)) for cell in cells)
            return first, second
    return None


def deepest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The pixel of a mask that is farthest from its border."""
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return int(row), int(column)


def distances(shape: tuple[int, ...], click: Click) -> NDArray[Any]:
    """Of every pixel to a click."""
    rows, columns = np.indices(shape)
    return np.asarray(np.hypot(rows - click.row, columns - click.column))


def report(
    before: NDArray[Any], after: NDArray[Any], truth: NDArray[Any], clicks: list[Click]
) -> str:
    """IoU of the foreground before and after, and how much changed far from the clicks."""
    distance = np.min([distances(truth.shape, click) for click in clicks], axis=0)
    changed = before != after
    return (
        f"IoU {iou(before > 0, truth > 0):.3f} -> {iou(after > 0, truth > 0):.3f}; "
        f"{changed.sum()} pixels changed, {changed[distance > 128].sum()} of them "
        "more than 128 px from every click"
    )


def draw(
    image: NDArray[Any],
    before: NDArray[Any],
    after: NDArray[Any],
    clicks: list[Click],
    path: Path,
) -> None:
    """The image, its objects before and after the clicks, side by side."""
    low, high = np.percentile(image, (0.5, 99.5))
    grey = np.clip((image - low) / (high - low), 0, 1)
    titles = ("the frame", "what the network finds", f"after {len(clicks)} clicks")
    figure, axes = plt.subplots(
        1, 3, figsize=(13.5, 13.5 / 3 * image.shape[0] / image.shape[1] + 0.4), dpi=100
    )
    for axis, labels, title in zip(axes, (None, before, after), titles, strict=True):
        axis.imshow(grey if labels is None else coloured(grey, labels), cmap="gray")
        axis.set_title(title)
        axis.set_axis_off()
        if labels is not None:
            for click in clicks:
                colour = "#19e64b" if click.positive else "#ff3b30"
                axis.plot(click.column, click.row, "o", ms=8, mfc=colour, mec="white")
    figure.tight_layout(pad=0.6)
    figure.savefig(path)
    plt.close(figure)


def coloured(grey: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """Objects in colours over a grey image, with their outlines."""
    # The same colour for the same id, however many objects there are.
    colours = plt.get_cmap("hsv")(np.random.default_rng(3).random(int(labels.max()) + 1))[:, :3]
    shown = np.repeat(grey[..., None], 3, axis=2)
    shown = np.where((labels > 0)[..., None], 0.65 * shown + 0.35 * colours[labels], shown)
    outlines = find_boundaries(labels, mode="inner")  # type: ignore[no-untyped-call]
    return np.where(outlines[..., None], colours[labels], shown)


def picture_of_window(model: str, repairs: list[list[Click]], path: Path) -> None:
    """The dock on the frame, after the same clicks; the last object is not committed yet."""
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=False)
    viewer.open_sample("napari-brs", "phase_contrast")
    _, dock = viewer.window.add_plugin_dock_widget("napari-brs", "BRS segmentation")
    controller = dock.controller
    controller.set_image_layer(viewer.layers["phase contrast"], look=False)
    viewer.show()
    viewer.window.resize(*WINDOW)
    controller.set(model=model)
    controller.wait(300)
    for number, clicks in enumerate(repairs):
        if number:
            controller.commit()
        for click in clicks:
            controller.add_click(click.row, click.column, click.positive)
            controller.wait(300)
    viewer.fit_to_view()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        QApplication.processEvents()
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main()
