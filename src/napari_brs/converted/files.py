"""Networks that people bring: TorchScript, exported programs, BioImage.IO packages.

Such files hold code beside weights, and run it. So they are opened only if the user says
that they come from somebody trusted. What a TorchScript file or an exported program cannot
say about itself may stand in a TOML file of the same name beside it, with the options of
`make_interactive`::

    # cells.toml, beside cells.pt
    normalise = "standard"
    activation = "softmax"
    classes = ["background", "cell"]
"""

from __future__ import annotations

import os
import tomllib
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_brs.converted.torchscript import first_line, load_torchscript
from napari_brs.models import model_info

if TYPE_CHECKING:
    from napari_brs.converted.network import ConvertedNetwork

PACKAGES = (".zip", ".yaml", ".yml")
SUFFIXES = (".pt", ".pt2", *PACKAGES)
"""Of the files that can be opened."""
OPTIONS = ("activation", "classes", "normalise", "channels", "multiple", "output")
"""What a TOML file may say."""


def is_own_model(model: str | os.PathLike[str]) -> bool:
    """Whether a model is meant to be a file that somebody brings."""
    return Path(model).suffix.lower() in SUFFIXES


def model_files(model: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The files that a model is read from, be they there or not.

    Raises
    ------
    ValueError
        If it is neither a file nor a known name.
    """
    path = Path(model)
    if is_own_model(path):
        return path, path.with_suffix(".toml")
    return (path,) if path.suffix == ".safetensors" else (model_info(str(model)).path,)


def load_own_model(path: str | os.PathLike[str], trust: bool = False) -> ConvertedNetwork:
    """A network from a file, made clickable.

    Parameters
    ----------
    path : str or path
        ``.pt`` (TorchScript), ``.pt2`` (``torch.export.save``), or a BioImage.IO package:
        ``.zip``, or the ``rdf.yaml`` of one that is unpacked.
    trust : bool
        Whether the file may run its code.

    Raises
    ------
    ValueError
        If it may not, cannot be read, or cannot be made clickable.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such model file: {path}")
    if not trust:
        raise ValueError(
            f"{path} runs code of its own when it is opened; "
            "if you trust those it comes from, add --trust"
        )
    if path.suffix.lower() in PACKAGES:
        try:
            from napari_brs.converted.bioimageio import load_package
        except ModuleNotFoundError as error:
            raise ValueError(
                f'{error}; BioImage.IO packages need: pip install "napari-brs[bioimageio]"'
            ) from None
        return load_package(path)
    from napari_brs.converted.network import make_interactive

    try:
        return make_interactive(_load(path), **_options(path.with_suffix(".toml")))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # what its own code raises
        raise ValueError(f"{path} cannot be used: {first_line(error)}") from None


def _load(path: Path) -> Any:
    import torch

    try:
        if path.suffix.lower() == ".pt2":
            return torch.export.load(path)
        return load_torchscript(path)
    except Exception as error:  # torch raises whatever its unpacking raises
        raise ValueError(_what_it_is(path, error)) from None


def _what_it_is(path: Path, error: Exception) -> str:
    """Why a file cannot be loaded; the usual mistake is to save weights or a pickle."""
    if path.suffix.lower() == ".pt":
        names = []
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith("/data.pkl") for name in names) and not any(
            "/code/" in name for name in names
        ):
            return (
                "it was written by torch.save and holds weights or a pickle; save the model "
                "with torch.jit.script(model).save(...) or torch.export.save(...)"
            )
    return f"it cannot be read: {first_line(error)}"


def _options(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not TOML: {error}") from None
    for name in options:
        if name not in OPTIONS:
            raise ValueError(f"{path.name} has {name!r}; allowed are {', '.join(OPTIONS)}")
    return options
