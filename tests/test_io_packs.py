"""Dataset packs, as folders and as tars."""

from __future__ import annotations

import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_brs.io.packs import DatasetPack

SHARED = Path(__file__).parents[1].parent / "shared"
IGNORED_8, IGNORED_16 = 255, 65535


def save(path: Path, pixels: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images: grey with an 8-bit mask, RGB with a 16-bit mask, RGB webp."""
    root = tmp_path / "cells"
    mask = np.zeros((6, 9), np.uint8)
    mask[1:3, 2:5], mask[4, 4], mask[0, 0] = 1, 254, IGNORED_8
    save(root / "images/b.png", noise(6, 9))
    save(root / "masks/b.png", mask)
    wide = mask.astype(np.uint16)
    wide[0, 0], wide[5, 8] = IGNORED_16, 300
    save(root / "images/a.tif", noise(6, 9, 3))
    save(root / "masks/a.png", wide)
    save(root / "images/c.webp", noise(6, 9, 3), lossless=True)
    save(root / "masks/c.png", mask)
    return root


def to_tar(folder: Path, prefix: str = "") -> Path:
    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.add(file, prefix + file.relative_to(folder).as_posix(), recursive=False)
    return path


def test_a_tar_and_its_folder_hold_the_same_samples(folder: Path) -> None:
    ours, theirs = DatasetPack(folder), DatasetPack(to_tar(folder, prefix="./"))
    assert ours.name == theirs.name == "cells"
    assert ours.names == theirs.names == ("a", "b", "c")
    for name in ours.names:
        one, other = ours.read(name), theirs.read(name)
        for field in ("image", "labels", "ignore"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def test_lossless_images_keep_their_pixels_and_channels(folder: Path) -> None:
    pack = DatasetPack(folder)
    for name, shape in (("a", (6, 9, 3)), ("b", (6, 9)), ("c", (6, 9, 3))):
        image = pack.read(name).image
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, noise(*shape))


def test_only_the_highest_value_of_the_mask_type_is_ignored(folder: Path) -> None:
    pack = DatasetPack(folder)
    narrow, wide = pack.read("b"), pack.read("a")
    assert narrow.labels.dtype == wide.labels.dtype == np.int32
    assert set(np.unique(narrow.labels)) == {0, 1, 254}
    assert set(np.unique(wide.labels)) == {0, 1, 254, 300}
    for sample in (narrow, wide):
        assert np.argwhere(sample.ignore).tolist() == [[0, 0]]


def test_255_is_an_object_in_a_16_bit_mask(folder: Path) -> None:
    save(folder / "masks/a.png", np.full((6, 9), 255, np.uint16))
    sample = DatasetPack(folder).read("a")
    assert (sample.labels == 255).all()
    assert not sample.ignore.any()


def test_palette_masks_give_indices_and_one_bit_masks_ignore_nothing(folder: Path) -> None:
    indices = Image.fromarray(np.eye(6, 9, dtype=np.uint8) * 3).convert("P")
    indices.putpalette(list(noise(768)))
    indices.save(folder / "masks/a.png")
    save(folder / "masks/b.png", np.eye(6, 9, dtype=bool))
    pack = DatasetPack(folder)
    np.testing.assert_array_equal(pack.read("a").labels, np.eye(6, 9) * 3)
    np.testing.assert_array_equal(pack.read("b").labels, np.eye(6, 9))
    assert not pack.read("b").ignore.any()


def test_a_pack_survives_pickling(folder: Path) -> None:
    pack = pickle.loads(pickle.dumps(DatasetPack(to_tar(folder))))
    assert pack.read("b").labels.max() == 254


def test_hidden_and_foreign_files_are_passed_over(folder: Path) -> None:
    (folder / "images/._a.tif").write_bytes(b"resource fork")
    (folder / "images/notes.txt").write_text("hello")
    assert DatasetPack(folder).names == ("a", "b", "c")


@pytest.mark.parametrize("lost", ["images/a.tif", "masks/a.png"])
def test_a_missing_half_is_named(folder: Path, lost: str) -> None:
    (folder / lost).unlink()
    with pytest.raises(ValueError, match=r"incomplete: (images/a\.\*|masks/a\.png) not found"):
        DatasetPack(folder)


def test_two_images_of_one_name_are_refused(folder: Path) -> None:
    save(folder / "images/a.png", noise(6, 9))
    with pytest.raises(ValueError, match=r"images/a\.png and images/a\.tif"):
        DatasetPack(folder)


def test_a_damaged_file_is_named(folder: Path) -> None:
    data = (folder / "images/b.png").read_bytes()
    (folder / "images/b.png").write_bytes(data[: len(data) // 2])
    (folder / "masks/c.png").write_bytes(b"not a picture")
    pack = DatasetPack(to_tar(folder))
    for name, file in (("b", r"images/b\.png"), ("c", r"masks/c\.png")):
        with pytest.raises(ValueError, match=rf"cells\.tar/{file} cannot be read"):
            pack.read(name)
    assert pack.read("a").image.shape == (6, 9, 3)


def test_sizes_that_differ_are_named(folder: Path) -> None:
    save(folder / "masks/b.png", np.zeros((9, 6), np.uint8))
    with pytest.raises(ValueError, match=r"masks/b\.png has \(9, 6\) .* image has \(6, 9\)"):
        DatasetPack(folder).read("b")


def test_colour_masks_and_deep_images_are_refused(folder: Path) -> None:
    save(folder / "masks/b.png", noise(6, 9, 3))
    save(folder / "images/a.tif", np.zeros((6, 9), np.uint16))
    pack = DatasetPack(folder)
    with pytest.raises(ValueError, match=r"masks/b\.png .*'RGB'; a mask is 8-bit or 16-bit"):
        pack.read("b")
    with pytest.raises(ValueError, match=r"images/a\.tif .*8-bit grey or RGB is allowed"):
        pack.read("a")


def test_what_is_no_pack_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        DatasetPack(tmp_path / "nothing.tar")
    with pytest.raises(ValueError, match=r"expected images/<name>"):
        DatasetPack(tmp_path)
    squeezed = tmp_path / "cells.tar.gz"
    with tarfile.open(squeezed, "w:gz") as archive:
        archive.add(folder, "")
    text = tmp_path / "text.tar"
    text.write_text("plain text")
    for path in (squeezed, text):
        with pytest.raises(ValueError, match="neither a folder nor an uncompressed tar"):
            DatasetPack(path)
    with pytest.raises(ValueError, match="no image named 'z'"):
        DatasetPack(folder).read("z")


@pytest.mark.skipif(not SHARED.exists(), reason="the shared packs are not here")
def test_the_published_packs_have_their_objects() -> None:
    pack = DatasetPack(SHARED / "data" / "grabcut_test.tar")
    samples = [pack.read(name) for name in pack.names]
    assert len(samples) == 50
    assert all(set(np.unique(sample.labels)) == {0, 1} for sample in samples)
    assert sum(bool(sample.ignore.any()) for sample in samples) == 41
