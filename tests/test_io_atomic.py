from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_brs.io.atomic import atomic, check_writable, write_text


def test_the_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_text("old")
    with atomic(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.suffix == ".tif"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path, error: type[BaseException]) -> None:
    with atomic(path) as partial:
        partial.write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_everything_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.tif"
    path.write_text("old")
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_as_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.json", "µ\n")
    assert (tmp_path / "a.json").read_bytes() == b"\xc2\xb5\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission bits")
def test_the_file_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_text(tmp_path / "a.json", "")
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        check_writable(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        check_writable(tmp_path / "no" / "a.tif")
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        check_writable(tmp_path / "file" / "a.tif")
    assert check_writable(tmp_path / "a.tif") == tmp_path / "a.tif"
    assert not (tmp_path / "a.tif").exists()


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="permissions do not hold the superuser back"
)
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="permission denied"):
        check_writable(tmp_path / "a.tif")


def test_a_full_disk_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(total=1, used=1, free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(OSError, match="No space left") as raised:
        check_writable(tmp_path / "a.tif")
    assert raised.value.filename == str(tmp_path / "a.tif")


@pytest.mark.parametrize("named", [False, True])
def test_a_disk_that_becomes_full_is_told_with_the_name_of_the_file(
    tmp_path: Path, named: bool
) -> None:
    path = tmp_path / "a.tif"

    def write() -> None:
        with atomic(path) as partial:
            partial.write_text("half")
            names = (str(partial),) if named else ()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *names)

    with pytest.raises(OSError, match="No space left") as raised:
        write()
    assert raised.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


def test_an_error_about_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised, atomic(tmp_path / "a.tif"):
        (tmp_path / "b.tif").read_bytes()
    assert raised.value.filename == str(tmp_path / "b.tif")


def test_a_name_too_long_for_the_new_file_is_known_before(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long") as raised:
        check_writable(tmp_path / f"{'µ' * 121}.tif")
    assert raised.value.errno == errno.ENAMETOOLONG


@pytest.mark.skipif(os.name == "nt", reason="asking whether a process lives ends it on Windows")
def test_what_dead_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    stale = [tmp_path / f".a.{dead.pid}.partial.tif", tmp_path / f".a.{10**30}.partial.tif"]
    others = [
        tmp_path / f".a.{os.getppid()}.partial.tif",  # is being written
        tmp_path / f".a.{dead.pid}.partial.json",
        tmp_path / f".b.{dead.pid}.partial.tif",
        tmp_path / f".a.b.{dead.pid}.partial.tif",
        tmp_path / f".a.{dead.pid}.tif",
        tmp_path / ".a.me.partial.tif",
    ]
    for path in (*stale, *others):
        path.touch()
    with atomic(tmp_path / "a.tif") as partial:
        partial.touch()
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.tif", *others])
