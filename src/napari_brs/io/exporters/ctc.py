"""Tracks and masks as the Cell Tracking Challenge has them: ``TRA/man_track.txt``."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from napari_brs.io.atomic import atomic, write_text
from napari_brs.io.exporters.labelled_image import LabelledImage
from napari_brs.io.exporters.tracks import edges, frames, nodes

HIGHEST = 2**16 - 1
"""The format's masks have 16 bits."""


def outputs(labelled: LabelledImage, path: Path) -> list[Path]:
    """The masks, one a frame, and the table.

    Raises
    ------
    ValueError
        If the folder has masks of other frames, which would seem to belong to these.
    """
    count = len(frames(labelled))
    digits = max(3, len(str(count - 1)))
    masks = [path.with_name(f"man_track{frame:0{digits}}.tif") for frame in range(count)]
    other = sorted({*path.parent.glob("man_track*.tif")} - {*masks})
    if other:
        raise ValueError(
            f"{other[0]} is a mask of another series; a folder without such is allowed"
        )
    return [*masks, path]


def write(labelled: LabelledImage, path: Path) -> None:
    """A mask a frame, and a line a track: id, first frame, last frame, parent or 0.

    The format knows no gaps: a track that leaves and returns goes on under a new id,
    after the highest, with the old one as its parent. A warning says so.

    Raises
    ------
    ValueError
        If there is no time axis, an id is above 65,535, or parents and daughters overlap
        in time.
    OSError
        If a file cannot be written.
    """
    import tifffile

    found = nodes(labelled)
    edges(labelled, found)  # refuses a lineage that cannot be
    masks = outputs(labelled, path)[:-1]
    labels = frames(labelled)
    times: dict[int, list[int]] = {}
    for node in found:
        times.setdefault(node.track, []).append(node.frame)
    highest = max(times, default=0)
    lines: list[tuple[int, int, int, int]] = []
    renamed: dict[int, dict[int, int]] = {}  # frame -> id -> id in the file
    last_id: dict[int, int] = {}
    for track in sorted(times):
        runs = np.split(times[track], np.flatnonzero(np.diff(times[track]) > 1) + 1)
        known = track
        for place, run in enumerate(runs):
            if place:
                highest += 1
                known = highest
            before = last_id.get(track, 0)
            lines.append((known, int(run[0]), int(run[-1]), before))
            last_id[track] = known
            for frame in run if place else ():
                renamed.setdefault(int(frame), {})[track] = known
    if highest > HIGHEST:
        raise ValueError(f"object {highest} has no place in 16 bits; ids to {HIGHEST} are allowed")
    if renamed:
        tracks = sorted({track for of_frame in renamed.values() for track in of_frame})
        warnings.warn(
            f"objects {', '.join(map(str, tracks))} leave and return; they go on under new ids",
            stacklevel=2,
        )
    for frame, mask in enumerate(masks):
        values = labels[frame].astype(np.uint16)
        for track, known in renamed.get(frame, {}).items():
            values[labels[frame] == track] = known
        with atomic(mask) as partial:
            tifffile.imwrite(
                partial, values, photometric="minisblack", compression="zlib", metadata=None
            )
    parents = labelled.parents
    table = (
        f"{known} {begin} {end} {before or last_id.get(parents.get(known, 0), 0)}\n"
        for known, begin, end, before in sorted(lines)
    )
    write_text(path, "".join(table))
