"""Tables as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_brs.io.atomic import atomic


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows with the same columns, under a line with their names.

    Raises
    ------
    ValueError
        If there are none.
    OSError
        If the file cannot be written.
    """
    if not rows:
        raise ValueError(f"nothing to write to {path}: there are no objects")
    with atomic(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
