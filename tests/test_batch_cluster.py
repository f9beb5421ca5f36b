"""A cluster of two processes, one of which is killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_brs.batch.cluster import open_client, segment_images
from napari_brs.batch.inputs import BatchImage, find_images
from napari_brs.batch.records import finished, labels_path
from napari_brs.batch.work import Plan

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with open_client(workers=2) as client:
        yield client


def images(folder: Path, count: int) -> list[BatchImage]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 60, (96, 96)).astype(np.uint8)
        tifffile.imwrite(folder / f"{number}.tif", pixels)
    return find_images([str(folder)])


def plan(folder: Path) -> Plan:
    folder.mkdir()
    return Plan(folder, {"model": "unet-cells"}, "unet-cells", "cpu")


@pytest.mark.skipif(os.name == "nt", reason="processes are killed as POSIX does it")
def test_when_a_worker_is_killed_nothing_is_lost_and_nothing_done_twice(
    client: Any, tmp_path: Path
) -> None:
    asked, made = images(tmp_path / "in", 16), plan(tmp_path / "out")
    written: dict[str, int] = {}
    before = set(client.run(os.getpid).values())
    assert len(before) == 2
    for record in segment_images(client, asked, made):
        assert record.error == ""
        assert record.image not in written
        path = labels_path(made.folder, BatchImage(record.image, Path()))
        # Writing it again would make another file.
        written[record.image] = path.stat().st_ino
        if len(written) == 4:
            os.kill(min(before), signal.SIGKILL)
    assert set(written) == {image.name for image in asked}
    for image in asked:
        assert finished(made.folder, image, made.settings) is not None
        assert labels_path(made.folder, image).stat().st_ino == written[image.name]
    client.wait_for_workers(2, timeout=60)
    assert min(before) not in client.run(os.getpid).values()
    assert {path.suffix for path in made.folder.iterdir()} == {".tif", ".json"}


def test_a_bad_image_is_reported_and_the_others_go_on(client: Any, tmp_path: Path) -> None:
    asked, made = images(tmp_path / "in", 3), plan(tmp_path / "out")
    asked[1].path.write_text("no image")
    records = {record.image: record for record in segment_images(client, asked, made)}
    assert [bool(records[image.name].error) for image in asked] == [False, True, False]


def test_without_dask_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r'pip install "napari-brs\[batch\]"'), open_client(1):
        pass
