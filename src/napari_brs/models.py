"""The models that can be named, and the weights of those that are networks.

Weights are safetensors files alone, so loading them runs no code. Each carries
its architecture and a digest of its tensors; shipped files are pinned by their
SHA-256 as well, so that a damaged or half-copied file is noticed.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_brs.io.atomic import atomic

if TYPE_CHECKING:
    import torch

    from napari_brs.networks.base import InteractiveNetwork

# Installed, the weights lie inside the package; in a checkout, at its top.
_INSTALLED = Path(__file__).parent / "weights"
WEIGHTS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "weights"


GROUP = "napari_brs.models"
"""Entry points by which other packages add models: each gives a function without arguments
that returns an iterable of `ModelInfo`."""

Kind = Literal["network", "converted", "classical"]
"""``"network"``: an `InteractiveNetwork` with a weights file. ``"converted"``: one that
segments without clicks, and is made clickable without training (Section 3.3).
``"classical"``: a method without weights."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One entry of the registry.

    Attributes
    ----------
    name : str
        What users write; also the architecture named in its weights files.
    description : str
        One line for people.
    builder : str
        ``"module:class"``; called without arguments it gives the network. Of
        a classical method ``"module:function"``.
    sha256 : str or None
        Of the shipped weights file; None if none is shipped.
    kind : str
        How `open_segmenter` opens it.
    weights : Path or None
        Where the weights lie, if not among those of this package.
    """

    name: str
    description: str
    builder: str
    sha256: str | None
    kind: Kind = "network"
    weights: Path | None = None

    @property
    def path(self) -> Path:
        """Where the weights lie."""
        return self.weights or WEIGHTS / f"{self.name}.safetensors"

    @property
    def card(self) -> Path:
        """Where the model card lies: beside the weights."""
        return self.path.with_suffix(".md")

    @property
    def available(self) -> bool:
        """Whether weights are there, or none are needed."""
        return self.kind == "classical" or self.path.is_file()

    def build(self) -> InteractiveNetwork:
        """The network with untrained parameters."""
        network: InteractiveNetwork = self.locate()()
        return network

    def locate(self) -> Any:
        """The class or function that ``builder`` names."""
        module, name = self.builder.split(":")
        return getattr(import_module(module), name)


_MODELS = (
    ModelInfo(
        "brs-live",
        "image features once, clicks late: milliseconds per click on a laptop",
        "napari_brs.networks.brs_live:BRSLive",
        "237536a6a9f5151e09d50642572c3b3e5e37a9966802dcc35cf46e92b30934bd",
    ),
    ModelInfo(
        "brs-densenet",
        "the network of the BRS paper (Jang & Kim, CVPR 2019), about a second per click",
        "napari_brs.networks.brs_densenet:BRSDenseNet",
        "9d126758aba6982484ae2195bcfbf456df8a16f89fe8806ef762563b411c7ce5",
    ),
    ModelInfo(
        "brs-vgg",
        "the paper's second network, on VGG-19; barely trained, for comparison only",
        "napari_brs.networks.brs_vgg:BRSVgg",
        "4db49d57064c5c4f3e2bbbd521cdbfce59a28d540bc344d7dd058c6464808049",
    ),
    ModelInfo(
        "unet-cells",
        "all cells of an image at once, without clicks; clicks correct them",
        "napari_brs.networks.unet:UNet",
        "aa7b60abce2e63f033eb6034261c81aa7c3a07692551b85856c37c4993b2eedf",
        kind="converted",
    ),
    ModelInfo(
        "saliency",
        "what stands out in a photograph, without clicks; to be trained (docs/training.md)",
        "napari_brs.networks.unet:DenseUNet",
        None,
        kind="converted",
    ),
    *(
        ModelInfo(name, description, f"napari_brs.classical.{builder}", None, kind="classical")
        for name, description, builder in (
            (
                "graph-cut",
                "cheapest cut by colour and contrast (Boykov & Jolly, ICCV 2001)",
                "graph_cut:graph_cut",
            ),
            (
                "geodesic-star",
                "graph cut, star-shaped along geodesics (Gulshan et al., CVPR 2010)",
                "star_convexity:geodesic_star",
            ),
            (
                "euclidean-star",
                "graph cut, star-shaped along straight lines (Gulshan et al., CVPR 2010)",
                "star_convexity:euclidean_star",
            ),
            (
                "random-walk",
                "random walks that shun edges (Grady, PAMI 2006)",
                "random_walk:random_walk",
            ),
            (
                "geodesic",
                "geodesic distances in the likelihood of colours (Bai & Sapiro, ICCV 2007)",
                "geodesic:geodesic",
            ),
            (
                "grow-cut",
                "cells that conquer their neighbours (Vezhnevets & Konouchine, GraphiCon 2005)",
                "grow_cut:grow_cut",
            ),
        )
    ),
)


BUILT_IN = frozenset(info.name for info in _MODELS)
"""Names of the models of this package."""


def list_models() -> tuple[ModelInfo, ...]:
    """All known models, the default first, those of other packages last. Loads no torch."""
    return (*_MODELS, *_of_other_packages())


@cache
def _of_other_packages() -> tuple[ModelInfo, ...]:
    return tuple(_found_elsewhere())


def _found_elsewhere() -> Iterator[ModelInfo]:
    known = set(BUILT_IN)
    for entry in entry_points(group=GROUP):
        try:
            found = tuple(entry.load()())
        except Exception as error:  # whatever is wrong there, the other models work
            warnings.warn(f"the models of {entry.value} are not used: {error}", stacklevel=3)
            continue
        for info in found:
            if not isinstance(info, ModelInfo) or info.name in known:
                name = getattr(info, "name", info)
                reason = "is no ModelInfo" if name is info else "is the name of another model"
                warnings.warn(f"{name} of {entry.value} is not used: it {reason}", stacklevel=3)
                continue
            known.add(info.name)
            yield info


def model_info(name: str) -> ModelInfo:
    """The entry of that name.

    Raises
    ------
    ValueError
        If there is none.
    """
    for info in list_models():
        if info.name == name:
            return info
    allowed = ", ".join(info.name for info in list_models())
    raise ValueError(f"unknown model {name!r}; allowed are {allowed}, or a .safetensors file")


def load_model(name_or_path: str | os.PathLike[str]) -> InteractiveNetwork:
    """A network with its weights, in eval mode, float32, on the CPU.

    Parameters
    ----------
    name_or_path : str or path
        A name from `list_models`, or a ``.safetensors`` file that
        `save_weights` wrote.

    Raises
    ------
    ValueError
        If the name is unknown, the file is no safetensors file, is damaged
        (its digest differs), or holds the weights of something else.
    FileNotFoundError
        If the file does not exist, or no weights are shipped under the name.
    """
    if Path(name_or_path).suffix == ".safetensors":
        path, expected = Path(name_or_path), None
        if not path.is_file():
            raise FileNotFoundError(f"no such weights file: {path}")
    else:
        info = model_info(str(name_or_path))
        if info.kind == "classical":
            raise ValueError(f"{info.name} is no network and has no weights to load")
        path, expected = info.path, info.sha256
        if not info.available and expected is not None:
            raise FileNotFoundError(
                f"the weights of {info.name} are not installed, for their size: give "
                f"weights/{path.name} of the project's repository instead, or copy it to {path}"
            )
        if not info.available:
            raise FileNotFoundError(
                f"no weights are shipped for {info.name}; give a .safetensors file instead, "
                "such as one made by 'napari-brs import-caffe' or 'napari-brs train'"
            )
    if expected is not None:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != expected:
            raise ValueError(f"{path} is damaged: its SHA-256 is {found}, expected {expected}")
    tensors, metadata = _read(path)
    architecture = model_info(metadata["architecture"])
    if architecture.kind == "classical":
        raise ValueError(f"{path} claims to hold {architecture.name}, which has no weights")
    network = architecture.build()
    try:
        missing, unexpected = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit {metadata['architecture']}: {error}") from None
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(
            f"{path} does not fit {metadata['architecture']}: "
            f"{len(missing)} tensors missing {missing[:3]}, "
            f"{len(unexpected)} unexpected {unexpected[:3]}"
        )
    return network.eval().requires_grad_(False)


def save_weights(network: torch.nn.Module, path: str | os.PathLike[str], architecture: str) -> Path:
    """Write weights as float16 safetensors; vectors stay float32.

    Kernels lose nothing that matters in half precision; running variances can
    lie below its smallest value, and vectors are small anyway.

    Parameters
    ----------
    network : torch.nn.Module
    path : str or path
        Ends in ``.safetensors``; replaced only once the new file is complete.
    architecture : str
        A name from `list_models`.
    """
    import torch
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"{path} must end in .safetensors")
    model_info(architecture)
    tensors = {
        key: value.detach()
        .cpu()
        .to(torch.float16 if value.ndim > 1 else torch.float32)
        .contiguous()
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    content = save(tensors, {"architecture": architecture, "sha256": digest(tensors)})
    with atomic(path) as partial:
        partial.write_bytes(content)
    return path


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over names, types, shapes and values of tensors."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Before they are read: torch does not know all types that there are.
            types = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
            if other := ", ".join(sorted(types - {"F16", "F32"})):
                raise ValueError(f"{path} holds tensors of type {other}; F16 and F32 are allowed")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a complete safetensors file: {error}") from None
    for key in ("architecture", "sha256"):
        if key not in metadata:
            raise ValueError(f"{path} was not written by napari-brs: its metadata has no {key!r}")
    if digest(tensors) != metadata["sha256"]:
        raise ValueError(f"{path} is damaged: its tensors do not match the SHA-256 it carries")
    return {key: tensor.float() for key, tensor in tensors.items()}, metadata
