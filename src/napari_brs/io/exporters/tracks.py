"""The objects of a series as a graph: a node an object and frame, edges forward in time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_brs.io.exporters.labelled_image import LabelledImage, compact


class Node(NamedTuple):
    """An object in a frame.

    Attributes
    ----------
    track : int
        Its id.
    frame : int
    centroid : tuple of float
        In pixels, the centre of the first at 0: (row, column), or (plane, row, column).
    pixels : int
    """

    track: int
    frame: int
    centroid: tuple[float, ...]
    pixels: int


def frames(labelled: LabelledImage) -> NDArray[Any]:
    """The labels with time as their first axis, then (Z, Y, X) or (Y, X).

    Raises
    ------
    ValueError
        If there is no axis T, or one that tracks do not have.
    """
    if "T" not in labelled.axes or "Q" in labelled.axes:
        raise ValueError(
            f"these labels have the axes {labelled.axes}; tracks need TYX, TZYX or ZTYX"
        )
    return np.moveaxis(labelled.labels, labelled.axes.index("T"), 0)


def nodes(labelled: LabelledImage) -> list[Node]:
    """All objects of all frames, by frame and then by id."""
    found = []
    for frame, labels in enumerate(frames(labelled)):
        ids, numbers = compact(labels)
        inside = np.nonzero(numbers)
        numbers = numbers[inside] - 1
        counts = np.bincount(numbers, minlength=len(ids))
        sums = [np.bincount(numbers, weights=axis, minlength=len(ids)) for axis in inside]
        centroids = np.stack(sums, axis=1) / counts[:, None]
        found += [
            Node(int(label), frame, tuple(centroid), int(count))
            for label, centroid, count in zip(ids, centroids.tolist(), counts, strict=True)
        ]
    return found


def edges(labelled: LabelledImage, found: list[Node]) -> list[tuple[int, int]]:
    """Pairs of places in a list of nodes: each track's, and from parents to daughters.

    Raises
    ------
    ValueError
        If a parent is nowhere, or is still there when its daughter begins.
    """
    of_track: dict[int, list[int]] = {}
    for place, node in enumerate(found):
        of_track.setdefault(node.track, []).append(place)
    pairs = [pair for places in of_track.values() for pair in pairwise(places)]
    for daughter, parent in labelled.parents.items():
        if daughter not in of_track or parent not in of_track:
            absent = parent if daughter in of_track else daughter
            raise ValueError(f"object {absent} has relatives, but no pixel in any frame")
        last, first = of_track[parent][-1], of_track[daughter][0]
        if found[last].frame >= found[first].frame:
            raise ValueError(
                f"object {daughter} begins in frame {found[first].frame}, but its parent "
                f"{parent} lasts to frame {found[last].frame}; parents end before"
            )
        pairs.append((last, first))
    return sorted(pairs)


def root(labelled: LabelledImage, track: int) -> int:
    """The first ancestor of a track; itself if it has no parent."""
    while track in labelled.parents:
        track = labelled.parents[track]
    return track
