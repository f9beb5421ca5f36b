"""Which exporter writes a file, by the end of its name.

Other packages add theirs as entry points of the group ``napari_brs.exporters``, whose name
is a suffix such as ``.obj`` and whose value a callable
``write(labelled: LabelledImage, path: pathlib.Path) -> None``. It writes ``path``, or
raises a ValueError that says why it cannot; it does not change ``labelled``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from napari_brs.io.exporters.labelled_image import LabelledImage

GROUP = "napari_brs.exporters"

Writer = Callable[[LabelledImage, Path], None]


@dataclass(frozen=True)
class Exporter:
    """One format.

    Attributes
    ----------
    suffix : str
        How names of its files end, in lower case.
    description : str
        One line for people.
    writer : str or EntryPoint
        Where its writer is: a module of this package with a function ``write``, or that
        of another package. The module may also have a function
        ``outputs(labelled, path)``, which names the files that it writes where that is
        not ``path`` alone.
    """

    suffix: str
    description: str
    writer: str | EntryPoint

    def load(self) -> Writer:
        """The writer.

        Raises
        ------
        ValueError
            If a package that it needs is not installed, or another package's fails.
        """
        if isinstance(self.writer, str):
            own: Writer = import_module(self.writer).write
            return own
        try:
            writer: Writer = self.writer.load()
        except Exception as error:  # whatever a package raises when it is imported
            raise ValueError(
                f"the exporter of {self.suffix} files, {self.writer.value}, cannot be loaded: "
                f"{error}"
            ) from error
        if not callable(writer):
            raise ValueError(
                f"the exporter of {self.suffix} files, {self.writer.value}, is not callable"
            )
        return writer

    def outputs(self, labelled: LabelledImage, path: Path) -> list[Path]:
        """The files that the writer writes or changes, before it does."""
        if not isinstance(self.writer, str):
            return [path]
        outputs = getattr(import_module(self.writer), "outputs", None)
        return [path] if outputs is None else outputs(labelled, path)


def _own(suffix: str, description: str, module: str) -> Exporter:
    return Exporter(suffix, description, f"{__package__}.{module}")


_EXPORTERS = (
    _own(".tif", "labels as OME-TIFF: Fiji, QuPath, CellProfiler, napari", "tiff"),
    _own(".tiff", "the same", "tiff"),
    _own(".zarr", "labels as OME-Zarr, on their own or into a store: napari, Fiji", "ome_zarr"),
    _own(".json", "COCO: RLE and polygons, to train networks", "coco"),
    _own(".zip", "ImageJ ROIs: ImageJ, Fiji", "imagej"),
    _own(".geojson", "polygons with holes and classes: QuPath", "geojson"),
    _own(".csv", "region properties, a row an object: spreadsheets, pandas, R", "region_table"),
    _own(".png", "outlines over the image, to look at", "overlay"),
    _own("man_track.txt", "tracks and masks of the Cell Tracking Challenge", "ctc"),
    _own(".geff", "tracks as GEFF: napari, Fiji's TrackMate", "geff"),
    _own(".tracks.csv", "tracks, a row an object and frame", "track_table"),
)


def exporters() -> dict[str, Exporter]:
    """Suffix -> exporter, those of other packages after the own ones.

    A suffix that is there already is not taken over; a warning says so.
    """
    found = {exporter.suffix: exporter for exporter in _EXPORTERS}
    for entry in entry_points(group=GROUP):
        suffix = entry.name.lower()
        if suffix in found:
            warnings.warn(
                f"{entry.value} is not used: {suffix} files have an exporter already", stacklevel=2
            )
        else:
            found[suffix] = Exporter(suffix, f"by {entry.value}", entry)
    return found


def exporter_for(path: str | os.PathLike[str]) -> Exporter:
    """The exporter whose suffix a name ends in; the longest, if several fit.

    Raises
    ------
    ValueError
        If there is none.
    """
    name = Path(path).name.lower()
    known = exporters()
    fitting = [suffix for suffix in known if name.endswith(suffix)]
    if not fitting or (name in known and name.startswith(".")):
        raise ValueError(f"cannot export to {path}: names in {', '.join(known)} are allowed")
    return known[max(fitting, key=len)]


def export(labelled: LabelledImage, path: str | os.PathLike[str]) -> Path:
    """Write objects in the format that the suffix of a path names.

    Parameters
    ----------
    labelled : LabelledImage
    path : str or path
        An existing file is replaced once the new one is complete; an existing folder
        never is.

    Raises
    ------
    ValueError
        If the suffix is unknown, the format cannot hold these objects, or a package that
        it needs is not installed.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    exporter_for(path).load()(labelled, path)
    return path


def missing(package: str) -> ValueError:
    """The error of an exporter whose package is not installed."""
    return ValueError(
        f'{package} is not installed; it comes with: pip install "napari-brs[export]"'
    )
