from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_brs.io.outputs import check_outputs

links = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.tif"
    path.write_text("pixels")
    return path


def test_outputs_beside_the_inputs_are_allowed(image: Path, tmp_path: Path) -> None:
    (tmp_path / "old.tif").touch()
    (tmp_path / "pack").mkdir()
    new = tmp_path / "plots" / "new"
    check_outputs(
        [tmp_path / "old.tif", None, tmp_path / "b.json", new / "c.png"],
        [image, tmp_path / "pack", None, tmp_path / "missing"],
        new,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "old.tif", "pack"]


@links
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_a_link_to_an_input_is_that_input(image: Path, tmp_path: Path, kind: str) -> None:
    link = tmp_path / "link.tif"
    make = link.symlink_to if kind == "symbolic" else link.hardlink_to
    make(image)
    for output, source in ((link, image), (image, link)):
        with pytest.raises(ValueError, match="it is an input of the same command"):
            check_outputs([output], [source])


@links
def test_what_lies_in_a_folder_is_found_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "link").symlink_to("pack")
    for folder, source in (("pack", "link"), ("link", "pack")):
        with pytest.raises(ValueError, match=r"cannot write .*new.json: it lies in .*, an input"):
            check_outputs([tmp_path / folder / "new.json"], [tmp_path / source])


@links
def test_two_links_to_one_place_are_one_output(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).symlink_to("there")
    with pytest.raises(ValueError, match=r"two outputs cannot both be written to .*two"):
        check_outputs([tmp_path / "one", tmp_path / "two"])


def test_two_spellings_of_one_path_are_one_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="two outputs cannot both be written to"):
        check_outputs(["a.json", tmp_path / "." / "a.json"])


def test_a_folder_that_cannot_be_made_is_known_before(image: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"a.tif is no folder"):
        check_outputs([image / "plots" / "a.png"], folder=image / "plots")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        check_outputs([image.parent / "plots" / "a.png"])
