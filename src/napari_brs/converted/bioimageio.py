"""Models of the BioImage.IO zoo: their axes, preprocessing and postprocessing."""

from __future__ import annotations

import math
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from lzma import LZMAError
from pathlib import Path
from typing import Any

import torch
from bioimageio.core import Sample, Tensor
from bioimageio.core.backends.pytorch_backend import load_torch_model
from bioimageio.core.digest_spec import get_member_id
from bioimageio.core.proc_setup import setup_pre_and_postprocessing
from bioimageio.spec import InvalidDescr, load_description
from bioimageio.spec.model.v0_5 import ModelDescr, ParameterizedSize
from loguru import logger
from torch import nn

from napari_brs.converted.network import Activation, ConvertedNetwork, make_interactive
from napari_brs.converted.torchscript import first_line, load_torchscript

# It reports on every file; what matters is raised as well.
logger.disable("bioimageio")

LARGEST = 4_000_000_000
"""Bytes that a package may unpack to."""

_SHORT = {"batch": "b", "channel": "c"}


def load_package(path: Path) -> ConvertedNetwork:
    """A package's network, made clickable.

    The image goes in as the package's axes say, after its preprocessing, which sees the grey
    values in [0, 255]. Of the postprocessing, a sigmoid or softmax is the activation, a
    threshold becomes the probability 0.5, and linear scaling is applied.

    Parameters
    ----------
    path : Path
        ``.zip``, or the description (``rdf.yaml``) of an unpacked package.

    Raises
    ------
    ValueError
        If it is no valid package, has no PyTorch or TorchScript weights, or has several
        inputs, axes or processing that cannot be used here.
    """
    with _unpacked(path) as description:
        try:
            return _load(description, path)
        except (ValueError, OSError):
            raise
        except Exception as error:  # whatever YAML, its code and torch raise
            raise ValueError(f"{path} cannot be used: {first_line(error)}") from None


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The description of a package that is a folder, or, for a while, of a zipped one."""
    if path.suffix.lower() != ".zip":
        yield path
        return
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no zip archive")
    with tempfile.TemporaryDirectory() as folder:
        _unpack(path, folder)
        found = [p for name in ("rdf.yaml", "bioimageio.yaml") for p in Path(folder).rglob(name)]
        if not found:
            raise ValueError(f"{path} holds no rdf.yaml, so it is no BioImage.IO package")
        yield found[0]


def _unpack(path: Path, folder: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            # No member unpacks to more than it says here.
            size = sum(member.file_size for member in archive.infolist())
            if size > LARGEST:
                raise ValueError(f"it unpacks to {size:,} bytes; {LARGEST:,} are allowed")
            archive.extractall(folder)
    # Passwords and compressions that are not known are RuntimeErrors, damage is anything.
    except (ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error, LZMAError) as error:
        raise ValueError(f"{path} cannot be unpacked: {error}") from None


def _load(description: Path, path: Path) -> ConvertedNetwork:
    model = load_description(description, format_version="latest", perform_io_checks=False)
    if isinstance(model, InvalidDescr):
        raise ValueError(f"{path} cannot be read as a BioImage.IO package: {_first(model)}")
    if not isinstance(model, ModelDescr):
        raise ValueError(f"{path} describes a {model.type}; a model is needed")
    if len(model.inputs) != 1:
        raise ValueError(f"{path} has {len(model.inputs)} inputs; one image is allowed")
    taken, given = _axes(model.inputs[0], path), _axes(model.outputs[0], path)
    threshold, activation, scaling = _postprocessing(model.outputs[0], path)
    network = _Adapted(_weights(model, path), taken, given, scaling, threshold)
    try:
        channels, multiple, least, size = _sizes(model.inputs[0])
        converted = make_interactive(
            network,
            activation=activation,
            normalise=_preprocessing(model, taken, channels),
            channels=channels,
            multiple=multiple,
            size=size,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    converted.form = replace(converted.form, least=least)
    return converted


class _Adapted(nn.Module):
    """A network between (B, C, H, W) and its own order of axes, with its scaling of the output."""

    def __init__(
        self,
        network: nn.Module,
        taken: str,
        given: str,
        scaling: tuple[float, float],
        threshold: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        super().__init__()
        self.network = network
        self.taken = taken
        self.given = given
        self.scaling = scaling
        self.threshold = threshold

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.network(_ordered(x, "bcyx", self.taken))
        if isinstance(y, tuple | list):
            y = y[0]
        gain, offset = self.scaling
        if self.scaling != (1.0, 0.0):
            y = gain * y + offset
        return self.threshold(_ordered(y, self.given, "bcyx"))


def _ordered(values: torch.Tensor, there: str, wanted: str) -> torch.Tensor:
    """Move the axes of a tensor; those that are not wanted have length 1, new ones get it."""
    for position, axis in reversed(list(enumerate(there))):
        if axis not in wanted:
            values = values.squeeze(position)
    axes = [axis for axis in there if axis in wanted]
    for axis in wanted:
        if axis not in axes:
            values = values.unsqueeze(0)
            axes.insert(0, axis)
    return values.permute([axes.index(axis) for axis in wanted])


def _axes(tensor: Any, path: Path) -> str:
    names = "".join(_SHORT.get(str(axis.id), str(axis.id)[:1]) for axis in tensor.axes)
    if not {"y", "x"} <= set(names) or set(names) - set("bcyxz"):
        raise ValueError(f"{path} has axes {names!r}; y and x, with b and c or not, are allowed")
    thick = [axis for axis in tensor.axes if str(axis.id) == "z" and axis.size != 1]
    if thick:
        raise ValueError(f"{path} segments volumes (axes {names!r}); images are allowed")
    return names


def _sizes(tensor: Any) -> tuple[int, int | None, int, tuple[int, int] | None]:
    """Channels, multiple of the sides, least side, and the only size, as far as they are said."""
    axes = {str(axis.id): axis for axis in tensor.axes}
    channel = axes.get("channel")
    channels = 1 if channel is None else len(channel.channel_names)
    sizes = [axes["y"].size, axes["x"].size]
    if all(isinstance(size, int) for size in sizes):
        return channels, None, 0, (sizes[0], sizes[1])
    steps = [size for size in sizes if isinstance(size, ParameterizedSize)]
    regular = [size.step for size in steps if size.min % size.step == 0]
    multiple = math.lcm(*regular) if len(regular) == len(sizes) else None
    return channels, multiple, max((size.min for size in steps), default=0), None


def _preprocessing(
    model: ModelDescr, axes: str, channels: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """What makes the network's input of an image (1, 3, H, W) in [0, 255]."""
    name = get_member_id(model.inputs[0])
    names = [str(axis.id) for axis in model.inputs[0].axes]

    def prepare(image: torch.Tensor) -> torch.Tensor:
        if channels not in (1, 3):
            raise ValueError(
                f"the package takes images of {channels} channels; grey and RGB are supported"
            )
        x = image if channels == 3 else image.mean(1, keepdim=True)
        values = _ordered(x, "bcyx", axes).cpu().numpy()
        sample = Sample(members={name: Tensor.from_numpy(values, dims=names)}, stat={}, id=None)
        steps = setup_pre_and_postprocessing(model, dataset_for_initial_statistics=[sample])
        for step in steps.pre:
            step(sample)
        done = torch.from_numpy(sample.members[name].to_numpy().astype("float32"))
        return _ordered(done, axes, "bcyx").contiguous()

    return prepare


def _postprocessing(
    tensor: Any, path: Path
) -> tuple[Callable[[torch.Tensor], torch.Tensor], Activation | None, tuple[float, float]]:
    """What the output still needs: a shift of its threshold, an activation, a scaling."""
    activation: Activation | None = None
    scaling = (1.0, 0.0)
    limit: float | None = None
    for step in tensor.postprocessing:
        kwargs: Any = getattr(step, "kwargs", None)
        if step.id in ("sigmoid", "softmax"):
            activation = step.id
        elif step.id == "binarize" and isinstance(kwargs.threshold, int | float):
            limit = float(kwargs.threshold)
        elif (
            step.id == "scale_linear"
            and activation is None
            and isinstance(kwargs.gain, int | float)
            and isinstance(kwargs.offset, int | float)
        ):
            gain, offset = float(kwargs.gain), float(kwargs.offset)
            scaling = scaling[0] * gain, scaling[1] * gain + offset
        elif step.id not in ("ensure_dtype", "clip"):
            raise ValueError(
                f"{path} has a postprocessing {step.id!r} that clicks cannot go through"
            )
    if limit is None or (limit == 0.5 and activation is not None):
        return nn.Identity(), activation, scaling
    if activation == "softmax" or not (activation is None or 0 < limit < 1):
        raise ValueError(f"{path} has a threshold of {limit} after its {activation}")
    shift = limit if activation is None else math.log(limit / (1 - limit))
    return (lambda y: y - shift), "sigmoid", scaling


def _weights(model: ModelDescr, path: Path) -> nn.Module:
    weights = model.weights
    if weights.torchscript is not None:
        network: nn.Module = load_torchscript(weights.torchscript.get_reader())
        return network
    if weights.pytorch_state_dict is not None:
        return load_torch_model(weights.pytorch_state_dict, devices=["cpu"])
    there = ", ".join(name for name, entry in weights if entry is not None)
    raise ValueError(f"{path} has {there} weights; PyTorch or TorchScript ones are needed")


def _first(invalid: InvalidDescr) -> str:
    errors = [error.msg for detail in invalid.validation_summary.details for error in detail.errors]
    if any("index_key" in error for error in errors):
        # It calls pydantic in a way that pydantic refuses since 2.14.
        return (
            f"bioimageio.spec {version('bioimageio.spec')} does not work with pydantic "
            f"{version('pydantic')}; pip install 'pydantic<2.14'"
        )
    return errors[0] if errors else "it cannot be read"
