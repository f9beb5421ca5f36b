from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_brs.image import ImageSource
from napari_brs.io.images import read_image, read_plane

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
RGBA = RNG.integers(0, 256, (20, 30, 4), dtype=np.uint8)
DEEP = RNG.integers(0, 60_000, (20, 30), dtype=np.uint16)
STACK = RNG.integers(0, 60_000, (5, 20, 30), dtype=np.uint16)


def write(path: Path, image: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, image)
    elif path.suffix == ".zarr":
        zarr.save_array(path, image)
    elif path.suffix in (".tif", ".TIFF"):
        colours = "rgb" if image.shape[2:] in ((3,), (4,)) else "minisblack"
        tifffile.imwrite(path, image, photometric=colours)
    else:
        Image.fromarray(image).save(path, **({"lossless": True} if path.suffix == ".webp" else {}))
    return path


def loaded(image: Any) -> np.ndarray:
    return np.asarray(image[(slice(None),) * len(image.shape)])


@pytest.mark.parametrize("suffix", ["tif", "TIFF", "png", "npy", "zarr"])
@pytest.mark.parametrize("image", [GREY, RGB, RGBA, DEEP], ids=["grey", "rgb", "rgba", "uint16"])
def test_lossless_files_come_back_as_they_were(
    tmp_path: Path, suffix: str, image: np.ndarray
) -> None:
    read = read_image(write(tmp_path / f"cells.{suffix}", image))
    assert read.dtype == image.dtype
    assert np.array_equal(loaded(read), image)


@pytest.mark.parametrize("image", [RGB, RGBA], ids=["rgb", "rgba"])
def test_webp_comes_back_in_colour(tmp_path: Path, image: np.ndarray) -> None:
    read = read_image(write(tmp_path / "cells.webp", image))
    seen = image[..., -1] > 0 if image.shape[2] == 4 else ...  # hidden colours may change
    assert np.array_equal(read[seen], image[seen])


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "JPG"])
def test_jpeg_is_read(tmp_path: Path, suffix: str) -> None:
    smooth = np.broadcast_to(np.arange(30, dtype=np.uint8)[:, None] * 8, (30, 30))
    Image.fromarray(smooth).save(tmp_path / f"cells.{suffix}", format="jpeg")
    assert np.abs(read_image(tmp_path / f"cells.{suffix}").astype(int) - smooth).max() < 10


def test_a_jpeg_in_print_colours_becomes_rgb(tmp_path: Path) -> None:
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    red.convert("CMYK").save(tmp_path / "print.jpg")
    read = read_image(tmp_path / "print.jpg")
    assert read.shape == (16, 16, 3)
    assert (read[..., 0] > 240).all()
    assert (read[..., 1:] < 15).all()


def test_a_palette_becomes_the_colours_it_stands_for(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 10, 200, 30])
    picture.save(tmp_path / "palette.png")
    assert (read_image(tmp_path / "palette.png") == (10, 200, 30)).all()


def test_a_grey_png_loses_its_alpha(tmp_path: Path) -> None:
    Image.merge("LA", (Image.fromarray(GREY), Image.new("L", (30, 20), 255))).save(
        tmp_path / "alpha.png"
    )
    assert np.array_equal(read_image(tmp_path / "alpha.png"), GREY)


def test_a_one_bit_png_is_bool(tmp_path: Path) -> None:
    Image.fromarray(GREY > 100).save(tmp_path / "mask.png")
    read = read_image(tmp_path / "mask.png")
    assert read.dtype == bool
    assert np.array_equal(read, GREY > 100)


def test_large_pictures_raise_no_suspicion(tmp_path: Path) -> None:
    Image.new("1", (20_000, 10_000)).save(tmp_path / "wide.png")
    limit = Image.MAX_IMAGE_PIXELS
    assert read_image(tmp_path / "wide.png").shape == (10_000, 20_000)
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("suffix", ["tif", "npy", "zarr"])
def test_one_plane_of_a_stack_is_chosen_by_its_index(tmp_path: Path, suffix: str) -> None:
    read = read_image(write(tmp_path / f"stack.{suffix}", STACK), [3])
    assert np.array_equal(loaded(read), STACK[3])


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiff_hyperstack_needs_one_index_an_axis_and_keeps_its_channels(
    tmp_path: Path, compression: str | None
) -> None:
    image = RNG.integers(0, 999, (2, 4, 3, 20, 30), dtype=np.uint16)
    for name, options in (("a.ome.tif", {"ome": True}), ("b.tif", {"imagej": True})):
        path = tmp_path / name
        tifffile.imwrite(
            path, image, metadata={"axes": "TZCYX"}, compression=compression, **options
        )
        assert np.array_equal(read_image(path, [1, 2]), np.moveaxis(image[1, 2], 0, -1))
        with pytest.raises(ValueError, match=r"allowed: 0 to 1 along T, 0 to 3 along Z; given: 1$"):
            read_image(path, [1])


def test_a_plane_knows_where_it_lies_in_its_file(tmp_path: Path) -> None:
    plane = read_plane(write(tmp_path / "stack.tif", STACK), [3])
    assert (plane.shape, plane.position) == ((5, 20, 30), (3, None, None))
    plane = read_plane(write(tmp_path / "colour.png", RGB))
    assert (plane.shape, plane.position) == ((20, 30), (None, None))
    ome_zarr(tmp_path / "cells.ome.zarr", "0.5")  # axes TCYX
    plane = read_plane(tmp_path / "cells.ome.zarr", [1])
    assert (plane.shape, plane.position) == ((2, 40, 60), (1, None, None))


def test_axes_of_length_one_need_no_index(tmp_path: Path) -> None:
    np.save(tmp_path / "thin.npy", STACK[:, None])
    assert np.array_equal(read_image(tmp_path / "thin.npy", [4]), STACK[4])
    assert np.array_equal(read_image(tmp_path / "thin.npy", [4, 0]), STACK[4])
    np.save(tmp_path / "flat.npy", STACK[:1])
    assert np.array_equal(read_image(tmp_path / "flat.npy"), STACK[0])


@pytest.mark.parametrize("suffix", ["tif", "npy", "zarr"])
@pytest.mark.parametrize("indices", [[], [5], [-1], [0, 0]])
def test_a_plane_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, suffix: str, indices: list[int]
) -> None:
    path = write(tmp_path / f"stack.{suffix}", STACK)
    given = ", ".join(map(str, indices)) or "none"
    with pytest.raises(
        ValueError, match=rf"stack.{suffix} .*\(5, 20, 30\).* 0 to 4 along \w; given: {given}$"
    ):
        read_image(path, indices)


def test_a_slice_of_a_flat_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allowed: none; given: 0"):
        read_image(write(tmp_path / "cells.png", GREY), [0])


def ome_zarr(path: Path, version: str) -> np.ndarray:
    image = RNG.integers(0, 999, (2, 3, 40, 60), dtype=np.uint16)
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    for level, step in (("s0", 1), ("s1", 2)):
        values = np.ascontiguousarray(image[..., ::step, ::step])
        group.create_array(level, data=values, chunks=(1, 1, 16, 16))
    multiscales = [
        {
            "axes": [{"name": name} for name in ("t", "c", "y", "x")],
            "datasets": [{"path": "s0"}, {"path": "s1"}],
        }
    ]
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": multiscales}
    else:
        group.attrs["multiscales"] = multiscales
    return image


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_finest_level_of_an_ome_zarr_is_read_with_its_axes(
    tmp_path: Path, version: str
) -> None:
    image = ome_zarr(tmp_path / "cells.ome.zarr", version)
    read = read_image(tmp_path / "cells.ome.zarr", [1])
    assert read.shape == (40, 60, 3)
    assert read.chunks == (16, 16, 1)
    assert np.array_equal(loaded(read), np.moveaxis(image[1], 0, -1))
    assert np.array_equal(read[5:9, 7:20, 2], image[1, 2, 5:9, 7:20])
    assert np.array_equal(
        ImageSource(read, (0, 999)).read(3, 4, 20, 30),
        ImageSource(np.moveaxis(image[1], 0, -1), (0, 999)).read(3, 4, 20, 30),
    )


def test_an_image_without_rows_and_columns_is_refused(tmp_path: Path) -> None:
    ome_zarr(tmp_path / "odd.zarr", "0.4")
    group = zarr.open_group(tmp_path / "odd.zarr")
    (image,) = group.attrs["multiscales"]
    group.attrs["multiscales"] = [{**image, "axes": ["t", "c", "v", "u"]}]
    with pytest.raises(ValueError, match="axes TCVU; Y and X are needed"):
        read_image(tmp_path / "odd.zarr")


def test_zarr_is_read_lazily(tmp_path: Path) -> None:
    path = tmp_path / "cells.zarr"
    zarr.save_array(path, DEEP)
    read = read_image(path)
    for chunk in (path / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    with pytest.raises(ValueError, match=re.escape(f"{path} is damaged")):
        read[0:2, 0:2]


def test_a_zarr_group_of_one_array_is_that_array(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("raw", data=GREY)
    assert np.array_equal(loaded(read_image(tmp_path / "g.zarr")), GREY)
    group.create_array("labels", data=GREY)
    with pytest.raises(ValueError, match="one of its arrays: labels, raw"):
        read_image(tmp_path / "g.zarr")
    assert np.array_equal(loaded(read_image(tmp_path / "g.zarr" / "raw")), GREY)


@pytest.mark.parametrize("suffix", ["tif", "npy"])
def test_uncompressed_files_are_mapped_not_loaded(tmp_path: Path, suffix: str) -> None:
    assert isinstance(read_image(write(tmp_path / f"cells.{suffix}", DEEP)), np.memmap)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape(f"no such file: {tmp_path / 'no.tif'}")):
        read_image(tmp_path / "no.tif")


@pytest.mark.parametrize(
    "name",
    ["a.tif", "a.png", "a.jpg", "a.webp", "a.npy", "a.txt", "a", "a.gif", "a.npz", "a.safetensors"],
)
@pytest.mark.parametrize("content", [b"", b"no image at all\n" * 9])
def test_what_is_no_image_is_named_with_the_kinds_that_are_allowed(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"TIFF, PNG, JPEG, WebP, NPY and Zarr are allowed$") as e:
        read_image(path)
    assert str(e.value).startswith(f"{path} is not an image that can be read")


def test_a_folder_that_is_no_zarr_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Zarr are allowed"):
        read_image(tmp_path)


@pytest.mark.parametrize("suffix", ["tif", "png", "jpg", "webp", "npy"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"cells.{suffix}", np.tile(GREY, (20, 20)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="is not an image that can be read"):
        read_image(path)


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}, 3], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        read_image(tmp_path / "objects.npy")


@pytest.mark.parametrize("shape", [(), (7,)])
def test_arrays_that_are_no_plane_are_refused_with_their_shape(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    np.save(tmp_path / "line.npy", np.zeros(shape))
    with pytest.raises(ValueError, match=re.escape(f"shape {shape}; images have two axes")):
        read_image(tmp_path / "line.npy")
