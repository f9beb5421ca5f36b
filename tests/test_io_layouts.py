"""Published data sets in small: the layouts, what is ignored, what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat

from napari_brs.io.layouts import open_dataset
from napari_brs.io.packs import DatasetPack

SHAPE = (12, 16)
RGB = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def values(**boxes: int) -> np.ndarray:
    """Rows 0-3 hold `upper`, rows 6-9 `lower`, row 11 `last`, the rest is 0."""
    mask = np.zeros(SHAPE, np.uint8)
    for name, rows in (("upper", slice(0, 4)), ("lower", slice(6, 10)), ("last", slice(11, 12))):
        mask[rows] = boxes.get(name, 0)
    return mask


def save(path: Path, pixels: np.ndarray, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    if palette:
        picture = picture.convert("P")
        colours = np.random.default_rng(1).integers(1, 256, (256, 3), dtype=np.uint8)
        colours[0] = 0
        picture.putpalette(colours.tobytes())
    picture.save(path)


def grabcut(root: Path) -> None:
    for name in ("llama", "sheep"):
        save(root / f"data_GT/{name}.jpg", RGB)
        save(root / f"boundary_GT/{name}.bmp", values(upper=255, last=128))


def berkeley(root: Path) -> None:
    for name in ("3063", "3063#002"):
        save(root / f"images/{name}.jpg", RGB)
        save(root / f"masks/{name}.png", values(upper=255))


def frames(root: Path) -> None:
    for name in ("bear_05", "camel_33"):
        save(root / f"img/{name}.jpg", RGB)
        save(root / f"gt/{name}.png", np.stack([values(upper=128), values(), values()], axis=2))


def davis(root: Path) -> None:
    for sequence, count in (("bear", 21), ("camel", 3)):
        for frame in range(count):
            save(root / f"JPEGImages/480p/{sequence}/{frame:05}.jpg", RGB)
            path = root / f"Annotations/480p/{sequence}/{frame:05}.png"
            save(path, values(upper=1, lower=2), palette=True)


def sbd(root: Path) -> None:
    for name in ("2008_000001", "2008_000002", "2008_000009"):
        save(root / f"img/{name}.jpg", RGB)
        (root / "inst").mkdir(exist_ok=True)
        instances = {"Segmentation": values(upper=1, lower=2), "Categories": np.array([[3], [5]])}
        savemat(root / f"inst/{name}.mat", {"GTinst": instances}, do_compression=True)
    (root / "val.txt").write_text("2008_000002\n2008_000009\n")


def voc(root: Path) -> None:
    for name in ("2007_000033", "2007_000042", "2007_000061"):
        save(root / f"JPEGImages/{name}.jpg", RGB)
    for name in ("2007_000033", "2007_000042"):
        path = root / f"SegmentationObject/{name}.png"
        save(path, values(upper=1, lower=2, last=255), palette=True)
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/val.txt").write_text("2007_000033\n2007_000042\n")


def ctc(root: Path) -> None:
    for sequence in ("01", "02"):
        for folder in (sequence, f"{sequence}_GT/SEG"):
            (root / folder).mkdir(parents=True)
        grey = RGB[..., 0].astype(np.uint16) * 100 + 5000
        for frame in (0, 1):
            tifffile.imwrite(root / f"{sequence}/t{frame:03}.tif", grey)
        labels = values(upper=7, lower=44).astype(np.uint16)
        tifffile.imwrite(root / f"{sequence}_GT/SEG/man_seg001.tif", labels)


MADE: dict[str, tuple[Callable[[Path], None], list[str], list[int]]] = {
    "grabcut": (grabcut, ["llama", "sheep"], [1]),
    "berkeley": (berkeley, ["3063", "3063#002"], [1]),
    "frames": (frames, ["bear_05", "camel_33"], [1]),
    "davis": (davis, ["bear-00000", "bear-00010", "bear-00020", "camel-00000"], [1]),
    "sbd": (sbd, ["2008_000002", "2008_000009"], [1, 2]),
    "voc": (voc, ["2007_000033", "2007_000042"], [1, 2]),
    "ctc": (ctc, ["01-001", "02-001"], [7, 44]),
}


@pytest.mark.parametrize("layout", MADE)
def test_each_layout_is_recognised_and_read(layout: str, tmp_path: Path) -> None:
    make, names, numbers = MADE[layout]
    make(tmp_path)
    # Berkeley's folders are those of a pack, so it has to be named.
    data = open_dataset(tmp_path, "berkeley" if layout == "berkeley" else None)
    assert data.name == tmp_path.name
    assert list(data.names) == names
    for name in names:
        sample = data.read(name)
        assert sample.name == name
        assert sample.image.dtype == np.uint8
        assert sample.image.shape[:2] == sample.labels.shape == sample.ignore.shape == SHAPE
        assert sample.labels.dtype == np.int32
        assert sorted(set(np.unique(sample.labels)) - {0}) == numbers
        assert (sample.labels[:4] == numbers[0]).all()


@pytest.mark.parametrize("layout", ["grabcut", "voc"])
def test_the_void_band_is_ignored(layout: str, tmp_path: Path) -> None:
    make, names, _ = MADE[layout]
    make(tmp_path)
    sample = open_dataset(tmp_path).read(names[0])
    assert sample.ignore[11].all()
    assert not sample.ignore[:11].any()
    assert not sample.labels[11].any()


def test_microscopy_is_stretched_to_8_bit_and_a_plane_taken_of_volumes(tmp_path: Path) -> None:
    ctc(tmp_path)
    grey = open_dataset(tmp_path).read("01-001").image
    assert (grey.min(), grey.max()) == (0, 255)
    order = np.argsort(RGB[..., 0], axis=None, kind="stable")
    assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()

    volume = np.zeros((3, *SHAPE), np.uint16)
    volume[2, :6] = 900
    tifffile.imwrite(tmp_path / "01/t004.tif", volume, photometric="minisblack", metadata=None)
    labels = values(upper=1).astype(np.uint16)
    tifffile.imwrite(tmp_path / "01_GT/SEG/man_seg_004_002.tif", labels)
    sample = open_dataset(tmp_path).read("01-004_002")
    np.testing.assert_array_equal(sample.image[:6], 255)
    np.testing.assert_array_equal(sample.image[6:], 0)


def test_a_pack_stays_a_pack_whatever_lies_beside_it(tmp_path: Path) -> None:
    berkeley(tmp_path)
    (tmp_path / "01").mkdir()
    assert isinstance(open_dataset(tmp_path), DatasetPack)
    assert isinstance(open_dataset(tmp_path, "pack"), DatasetPack)


@pytest.mark.parametrize(
    ("layout", "lost", "said"),
    [
        ("grabcut", "boundary_GT", "boundary_GT not found"),
        ("grabcut", "boundary_GT/sheep.bmp", r"boundary_GT/sheep\.\* not found"),
        ("frames", "gt", "gt not found"),
        ("davis", "JPEGImages", "JPEGImages/480p not found"),
        ("davis", "JPEGImages/480p/camel/00000.jpg", r"camel/00000\.jpg not found"),
        ("sbd", "val.txt", r"val\.txt not found"),
        ("sbd", "inst/2008_000009.mat", r"inst/2008_000009\.mat not found"),
        ("voc", "ImageSets", r"ImageSets/Segmentation/val\.txt not found"),
        ("voc", "SegmentationObject/2007_000042.png", r"2007_000042\.png not found"),
        ("ctc", "02/t001.tif", r"02/t001\.tif not found"),
        ("ctc", "01_GT", r"02_GT"),
    ],
)
def test_what_is_missing_is_named(layout: str, lost: str, said: str, tmp_path: Path) -> None:
    MADE[layout][0](tmp_path)
    path = tmp_path / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if lost == "01_GT":
        shutil.rmtree(tmp_path / "02_GT")
        said = r"\[0-9\]\[0-9\]_GT/SEG not found"
    with pytest.raises(ValueError, match=f"is incomplete.*{said}"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("lost", "said"),
    [("masks", "masks"), ("masks/3063.png", r"3063"), ("images/3063#002.jpg", r"3063#002")],
)
def test_what_is_missing_of_berkeley_is_named(lost: str, said: str, tmp_path: Path) -> None:
    berkeley(tmp_path)
    path = tmp_path / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ValueError, match=said):
        open_dataset(tmp_path, "berkeley")


@pytest.mark.parametrize(
    ("layout", "file"),
    [("sbd", "inst/2008_000002.mat"), ("voc", "SegmentationObject/2007_000033.png")],
)
def test_a_damaged_mask_is_named(layout: str, file: str, tmp_path: Path) -> None:
    MADE[layout][0](tmp_path)
    data = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(data[: len(data) // 2])
    dataset = open_dataset(tmp_path)
    with pytest.raises(ValueError, match=f"{Path(file).name} cannot be read"):
        dataset.read(dataset.names[0])


def test_unknown_layouts_names_and_sizes_are_refused(tmp_path: Path) -> None:
    voc(tmp_path)
    with pytest.raises(ValueError, match="layout 'coco'; allowed are pack, grabcut, berkeley"):
        open_dataset(tmp_path, "coco")
    with pytest.raises(ValueError, match="no image named '2007_000061'"):
        open_dataset(tmp_path).read("2007_000061")
    save(tmp_path / "JPEGImages/2007_000033.jpg", RGB[:5])
    with pytest.raises(ValueError, match=r"000033\.png has \(12, 16\) .* its image has \(5, 16\)"):
        open_dataset(tmp_path).read("2007_000033")
