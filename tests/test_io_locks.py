"""Which process writes to a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_brs.io.locks import Lock, holder

HOLD = """
import sys
from pathlib import Path
from napari_brs.io.locks import Lock
lock = Lock.take(Path(sys.argv[1]))
print("none" if lock is None else "taken", flush=True)
sys.stdin.read()
"""


def test_a_file_has_one_lock_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "s"
    lock = Lock.take(path)
    assert lock is not None
    assert Lock.take(path) is None
    assert holder(path) is not None
    lock.release()
    lock.release()
    assert holder(path) is None
    assert not list(tmp_path.iterdir()) or os.name == "nt"
    again = Lock.take(path)
    assert again is not None
    again.release()


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "s"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    assert Lock.take(path) is None
    if os.name != "nt":
        assert f"process {process.pid} on " in str(holder(path))
    process.kill()
    process.communicate()
    assert process.returncode in (-getattr(signal, "SIGKILL", 9), 1)
    assert holder(path) is None
    lock = Lock.take(path)
    assert lock is not None
    lock.release()


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Lock.take(tmp_path / "none" / "s")
    assert holder(tmp_path / "none" / "s") is None
