from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_brs.io.sequences import read_sequences


def _write(folder: Path, name: str, count: int = 3) -> None:
    for t in range(count):
        for kind, dtype in (("frames", np.uint8), ("masks", np.uint16)):
            path = folder / name / kind / f"{t:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = np.full((6, 8), t, dtype)
            if kind == "masks":
                values[0, 0] = 65535
            Image.fromarray(values).save(path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_and_a_tar_of_it_give_the_same_sequences(tmp_path: Path, packed: bool) -> None:
    for name in ("b", "a"):
        _write(tmp_path / "pack", name)
    path = tmp_path / "pack"
    if packed:
        path = tmp_path / "pack.tar"
        with tarfile.open(path, "w") as tar:
            tar.add(tmp_path / "pack", "pack")
    found = list(read_sequences(path))
    assert [(one.name, len(one)) for one in found] == [("a", 3), ("b", 3)]
    assert found[0][2].shape == (6, 8)
    labels = found[0].labels(2)
    assert (labels[0, 0], labels[1, 1]) == (-1, 2)


def test_what_holds_no_sequence_and_a_frame_without_mask_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.tar does not exist"):
        list(read_sequences(tmp_path / "no.tar"))
    with pytest.raises(ValueError, match="holds no sequences"):
        list(read_sequences(tmp_path))
    _write(tmp_path, "a")
    (tmp_path / "a" / "masks" / "001.png").unlink()
    with pytest.raises(ValueError, match=r"a: frames/001\.png has no mask"):
        list(read_sequences(tmp_path))
