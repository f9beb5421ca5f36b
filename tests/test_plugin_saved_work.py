"""Saving and resuming where something is in the way: the disk, other programs, other images."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from sessions import everything, open_image, paint, pause, write_image

from napari_brs.io import saver

SUFFIX = ".napari-brs"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_image(tmp_path / "images" / "cells.tif")


@pytest.fixture
def begin(another: Callable[[], Any]) -> Callable[[Path], Any]:
    """Opens an image in a viewer of its own."""

    def begin(path: Path) -> Any:
        controller = another()
        open_image(controller.viewer, controller, path)
        return controller

    return begin


def commit(controller: Any, row: float, column: float) -> None:
    controller.add_click(row, column)
    controller.wait(20)
    assert controller.commit()


def wait_for(condition: Callable[[], Any]) -> None:
    for _ in range(1000):
        if condition():
            return
        pause(0.01)
    raise AssertionError("waited in vain")


def resume(controller: Any) -> None:
    assert controller.state.resumable, controller.state.status
    controller.actions["resume"]()
    controller.wait(20)


def sessions(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"*{SUFFIX}"))


def test_a_full_disk_is_told_and_nothing_is_lost_once_there_is_room(
    begin: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver, "RETRY", 0.1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    controller = begin(path)
    commit(controller, 20, 20)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        commit(controller, 60, 60)
        wait_for(lambda: "No space left" in controller.state.saved)
        paint(controller.objects_layer, (80, 100), 7)
    wait_for(lambda: controller.state.saved == "all is saved")
    was = everything(controller)
    controller.close()
    again = begin(path)
    resume(again)
    assert everything(again) == was


def test_in_a_folder_that_cannot_be_written_to_work_is_kept_in_the_data_folder(
    begin: Any, path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def read_only(name: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_CREAT and Path(name).parent == path.parent:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(name))
        return really_open(name, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    controller = begin(path)
    commit(controller, 20, 20)
    was = everything(controller)
    controller.close()
    assert [one.name for one in path.parent.iterdir()] == ["cells.tif"]
    assert len(list((data_folder / "sessions").glob(f"*{SUFFIX}"))) == 1
    again = begin(path)
    resume(again)
    assert everything(again) == was


def test_the_second_viewer_on_an_image_is_told_and_saves_into_a_file_of_its_own(
    begin: Any, path: Path
) -> None:
    first = begin(path)
    commit(first, 20, 20)
    wait_for(lambda: sessions(path))
    (mine,) = sessions(path)
    second = begin(path)
    assert "is open elsewhere" in second.state.status
    assert str(os.getpid()) in second.state.status
    assert not second.state.resumable
    commit(second, 60, 60)
    wait_for(lambda: len(sessions(path)) == 2)
    second.resuming.load(mine)
    second.wait(20)
    assert "close it there first" in second.state.status
    was = everything(first)
    second.close()
    first.close()
    os.utime(mine)
    again = begin(path)
    resume(again)
    assert everything(again) == was


@pytest.mark.parametrize("damage", ["changed", "cut off"])
def test_a_damaged_session_is_told_in_one_line_and_never_written_over(
    begin: Any, path: Path, damage: str
) -> None:
    controller = begin(path)
    commit(controller, 20, 20)
    controller.close()
    (there,) = sessions(path)
    content = there.read_bytes()
    if damage == "changed":
        content = content.replace(b'"current":0', b'"current":1', 1)
    else:
        content = content[: content.index(b"\n") + 50]
    there.write_bytes(content)
    again = begin(path)
    assert damage in again.state.status
    assert there.name in again.state.status
    assert "\n" not in again.state.status
    assert not again.state.resumable
    commit(again, 60, 60)
    again.session_files.save(there)
    again.wait(20)
    assert "would be lost" in again.state.status
    again.close()
    assert there.read_bytes() == content
    assert len(sessions(path)) == 2


def test_a_session_with_a_last_line_cut_off_is_resumed_without_that_line(
    begin: Any, path: Path
) -> None:
    controller = begin(path)
    commit(controller, 20, 20)
    pause(0.5)
    was = everything(controller)
    wait_for(lambda: sessions(path))
    (there,) = sessions(path)
    controller.wait(20)
    pause(0.5)
    whole = there.stat().st_size
    controller.add_click(60, 60)
    controller.close()
    with there.open("rb+") as file:
        file.truncate(whole + 30)
    again = begin(path)
    resume(again)
    assert everything(again) == was


def test_each_image_of_a_viewer_has_a_session_of_its_own(begin: Any, path: Path) -> None:
    other = write_image(path.with_name("others.tif"), seed=2)
    controller = begin(path)
    commit(controller, 20, 20)
    first = controller.image
    was = [everything(controller)]
    open_image(controller.viewer, controller, other)
    commit(controller, 60, 60)
    commit(controller, 80, 20)
    was.append(everything(controller))
    controller.set_image_layer(first, look=False)
    controller.close()
    assert len(sessions(path)) == 2
    for one, before in zip((path, other), was, strict=True):
        again = begin(one)
        resume(again)
        assert everything(again)["now"] == before["now"]
        assert everything(again)["labels"] == before["labels"]


def test_an_image_that_is_removed_and_opened_again_or_moved_has_its_work(
    begin: Any, path: Path
) -> None:
    controller = begin(path)
    commit(controller, 20, 20)
    was = everything(controller)
    controller.viewer.layers.remove(controller.image)
    pause(0.05)
    moved = path.parent.parent / "größer ü" / "renamed.tif"
    moved.parent.mkdir()
    path.rename(moved)
    open_image(controller.viewer, controller, moved)
    controller.viewer.layers.remove(controller.viewer.layers[0])
    resume(controller)
    assert everything(controller)["now"] == was["now"]
    assert everything(controller)["labels"] == was["labels"]
    assert len(sessions(path)) == 1


def test_work_done_before_resuming_stays_in_a_file_of_its_own(begin: Any, path: Path) -> None:
    controller = begin(path)
    commit(controller, 20, 20)
    was = everything(controller)
    controller.close()
    again = begin(path)
    commit(again, 60, 60)
    second = everything(again)
    resume(again)
    # The labels of the second work are in a layer that stays.
    assert everything(again) == was
    assert len([one for one in again.viewer.layers if one.name.startswith("objects")]) == 2
    again.close()
    files = {one.name: one for one in sessions(path)}
    assert len(files) == 2
    third = begin(path)
    third.resuming.load(next(one for name, one in files.items() if f".2{SUFFIX}" in name))
    third.wait(20)
    assert everything(third)["now"] == second["now"]


def test_a_saved_session_is_loaded_as_it_was_and_not_saved_into_again(
    begin: Any, path: Path
) -> None:
    controller = begin(path)
    commit(controller, 20, 20)
    was = everything(controller)
    kept = path.parent.parent / f"to keep{SUFFIX}"
    controller.session_files.save(kept.with_suffix(""))
    controller.wait(20)
    assert controller.state.status == f"saved as {kept.name}"
    assert (kept.name, kept) in controller.state.recent
    content = kept.read_bytes()
    commit(controller, 60, 60)
    controller.close()
    again = begin(path)
    assert "2 objects" in again.state.resumable
    again.session_files.open(kept)
    again.wait(20)
    again.wait(20)
    assert everything(again) == was
    commit(again, 80, 100)
    again.close()
    assert kept.read_bytes() == content
    # Nor was the work that was there before it written over.
    assert len(sessions(path)) == 2


def test_a_session_of_another_size_is_refused_in_one_line(begin: Any, path: Path) -> None:
    controller = begin(path)
    commit(controller, 20, 20)
    controller.close()
    again = begin(path)
    again.context.choose(again.viewer.add_image(np.zeros((8, 9), np.uint8)))
    again.resuming.load(sessions(path)[0])
    again.wait(20)
    assert "is of an image of 96 x 128" in again.state.status


def test_closing_the_dock_and_opening_it_again_saves_into_the_same_file(
    begin: Any, path: Path
) -> None:
    from napari_brs.plugin.controller import Controller

    controller = begin(path)
    commit(controller, 20, 20)
    image = controller.image
    controller.close()
    again = Controller(controller.viewer)
    again.set_image_layer(image, look=False)
    again.wait(20)
    assert not again.state.resumable
    commit(again, 60, 60)
    was = everything(again)
    again.close()
    assert len(sessions(path)) == 1
    third = begin(path)
    resume(third)
    assert everything(third)["now"] == was["now"]
