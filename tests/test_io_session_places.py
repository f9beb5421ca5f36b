"""Where the session of an image lies, and how an image is known again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_brs.io import session_places
from napari_brs.io.journal import Journal
from napari_brs.io.session_models import ImagePart
from napari_brs.io.session_places import (
    claim,
    claim_again,
    data_folder,
    find,
    identify,
    recent,
    sampled_digest,
)

PIXELS = np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)


def image_at(path: Path) -> ImagePart:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"pixels")
    return identify(PIXELS, 2, "layer", str(path))


def save(image: ImagePart) -> Path:
    place = claim(image)
    Journal(place.path).begin({"image": image.model_dump(mode="json")}, [[]])
    place.lock.release()
    return place.path


def test_a_session_lies_beside_its_image_and_is_found_there(tmp_path: Path) -> None:
    image = image_at(tmp_path / "Zellen von gestern ü.tif")
    assert find(image) == []
    path = save(image)
    assert path.parent == tmp_path
    assert path.name.startswith("Zellen von gestern ü.tif.")
    assert [one.path for one in find(image)] == [path]
    assert recent(5) == [path]


def test_an_image_that_was_renamed_or_moved_is_known_again(tmp_path: Path) -> None:
    path = save(image_at(tmp_path / "a" / "cells.tif"))
    (tmp_path / "a" / "cells.tif").rename(tmp_path / "a" / "other.tif")
    renamed = identify(PIXELS, 2, "x", str(tmp_path / "a" / "other.tif"))
    assert [one.path for one in find(renamed)] == [path]
    (tmp_path / "a" / "other.tif").unlink()
    moved = image_at(tmp_path / "b" / "cells.tif")
    assert [one.path for one in find(moved)] == [path]


def test_a_copy_is_another_image_and_so_is_one_with_other_pixels(tmp_path: Path) -> None:
    save(image_at(tmp_path / "cells.tif"))
    assert find(image_at(tmp_path / "copy.tif")) == []
    changed = identify(PIXELS + 1, 2, "cells", str(tmp_path / "cells.tif"))
    assert find(changed) == []
    turned = identify(PIXELS.reshape(80, 60), 2, "cells", str(tmp_path / "cells.tif"))
    assert find(turned) == []


def test_a_session_that_is_there_is_never_given_out_again(tmp_path: Path) -> None:
    image = image_at(tmp_path / "cells.tif")
    first, second = save(image), save(image)
    assert first != second
    os.utime(first, (1, 1))
    assert [one.path for one in find(image)] == [second, first]
    place = claim_again(first)
    assert place is not None
    assert place.path == first
    assert claim_again(first) is None
    found = {one.path: one.holder for one in find(image)}
    assert found[first] is not None
    assert found[second] is None
    third = claim(image)
    assert third.path not in (first, second)
    third.lock.release()
    place.lock.release()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that nobody can write to")
def test_without_a_folder_that_can_be_written_to_it_lies_in_the_data_folder() -> None:
    image = identify(PIXELS, 2, "layer", "/proc/version")
    path = save(image)
    assert path.parent == data_folder() / "sessions"
    assert [one.path for one in find(image)] == [path]


def test_images_without_a_file_are_known_by_name_and_content() -> None:
    image = identify(PIXELS, 2, "a/b: c?", "http://example.org/not/there.zarr")
    path = save(image)
    assert path.parent == data_folder() / "sessions"
    assert [one.path for one in find(image)] == [path]
    assert find(identify(PIXELS, 2, "another")) == []


def test_names_too_long_for_a_file_are_cut(tmp_path: Path) -> None:
    image = identify(PIXELS, 2, "ü" * 300)
    assert len(os.fsencode(save(image).name)) <= 255


def test_sessions_that_cannot_be_read_are_told_of_and_left_alone(tmp_path: Path) -> None:
    image = image_at(tmp_path / "cells.tif")
    path = save(image)
    shutil.copy(path, tmp_path / f"cells.tif.{image.digest[:12]}.9.napari-brs")  # type: ignore[index]
    path.write_text("notes")
    problems = {one.path: one.problem for one in find(image)}
    assert "is no napari-brs journal" in problems[path]
    assert sorted(map(bool, problems.values())) == [False, True]
    assert save(image) != path
    assert path.read_text() == "notes"


class Counting:
    """An array on disk that counts the pixels that are read."""

    dtype = np.dtype("uint16")

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.read = 0

    def __getitem__(self, key: Any) -> np.ndarray:
        sizes = [part.stop - part.start for part in key]
        sizes += self.shape[len(sizes) :]
        self.read += int(np.prod(sizes))
        return np.zeros(sizes, np.uint16)


@pytest.mark.parametrize("shape", [(10**6, 10**6), (500, 90, 10**5, 10**5), (10**4, 10**4, 3)])
def test_of_a_huge_image_little_is_read(shape: tuple[int, ...]) -> None:
    lazy = Counting(shape)
    sampled_digest(lazy, len(shape) - (shape[-1] == 3))
    assert 0 < lazy.read <= 4**2 * 32**2 * 4 ** max(0, len(shape) - 2)


def test_samples_of_a_large_image_tell_it_from_another() -> None:
    pixels = np.random.default_rng(1).integers(0, 999, (2000, 2000), np.uint16)
    assert pixels.nbytes > session_places.READ_WHOLE
    assert sampled_digest(pixels, 2) == sampled_digest(pixels.copy(), 2)
    assert sampled_digest(pixels, 2) != sampled_digest(pixels[::-1], 2)
