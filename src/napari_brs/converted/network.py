"""The training-free conversion: any segmentation network obeys clicks (Section 3.3).

The network's first layer is given maps z beside the image x. They share its weights,
so that convolving both and adding is convolving the sum, and the converted network is

    decode(x, z) = model(x + z).

With z = 0 it gives what the model gives by itself. Refinement (Section 3.2) changes z
until the clicks have their labels; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_brs.converted.probing import (
    Form,
    check_gradient,
    check_repeatable,
    find_output,
    probe_activation,
    probe_form,
    sums_to_one,
)

Activation: TypeAlias = Literal["sigmoid", "softmax", "none"]
"""What makes probabilities of the model's output; "none" if they are that already."""

Normalisation: TypeAlias = Literal["none", "unit", "standard", "imagenet"]
"""What becomes of grey values in [0, 255]: nothing; [0, 1]; mean 0 and standard deviation
1 in each image; [0, 1] less the mean colour of ImageNet, divided by its deviation."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CERTAIN = 1e-6
"""Probabilities are kept this far from 0 and 1, where logits have no end."""


class ConvertedNetwork(nn.Module):
    """A segmentation model whose output can be corrected by clicks; see `make_interactive`.

    Attributes
    ----------
    model : torch.nn.Module
        In evaluation mode; its parameters take no gradients.
    form : Form
        How tensors go in and come out.
    activation : {"sigmoid", "softmax", "none"}
    exclusive : bool
        Whether a pixel has one class. Class 0 is the background then.
    classes : tuple of str
        A name for each channel of the output.
    normalise : str or callable
        How `encode` makes the model's input.
    """

    def __init__(
        self,
        model: nn.Module,
        form: Form,
        activation: Activation,
        exclusive: bool,
        classes: tuple[str, ...],
        normalise: Normalisation | Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.model = model
        self.form = form
        self.activation = activation
        self.exclusive = exclusive
        self.classes = classes
        self.normalise = normalise
        self.training = False

    def train(self, mode: bool = True) -> ConvertedNetwork:
        """Change nothing: a converted model stays in evaluation mode."""
        return self

    @property
    def objects(self) -> tuple[int, ...]:
        """The classes that objects may have: all but the background."""
        return tuple(range(1 if self.exclusive else 0, len(self.classes)))

    def encode(self, image: Tensor) -> Tensor:
        """The model's input for an image.

        Parameters
        ----------
        image : (B, 3, H, W) float32
            RGB in [0, 255]; grey models get the mean of the three.

        Returns
        -------
        (B, channels, H, W)

        Raises
        ------
        ValueError
            If the model takes neither grey nor RGB.
        """
        if callable(self.normalise):
            return self.normalise(image)
        if self.form.channels not in (1, 3):
            raise ValueError(
                f"the model takes images of {self.form.channels} channels; "
                "grey (1) and RGB (3) are supported"
            )
        x = image if self.form.channels == 3 else image.mean(1, keepdim=True)
        if self.normalise == "none":
            return x
        x = x / 255
        if self.normalise == "standard":
            spread = x.std((1, 2, 3), keepdim=True).clamp(min=1e-6)
            return (x - x.mean((1, 2, 3), keepdim=True)) / spread
        if self.normalise == "imagenet":
            mean, deviation = (x.new_tensor(v).view(1, 3, 1, 1) for v in _IMAGENET)
            return (x - mean) / deviation
        return x

    def decode(self, x: Tensor, z: Tensor) -> Tensor:
        """The model's own output for x + z.

        Parameters
        ----------
        x : (B, channels, H, W)
            As the model takes it, of any size: it is continued at its borders where
            the model needs more.
        z : (B, channels, H, W)
            The maps.

        Returns
        -------
        (B, classes, H / stride, W / stride)
        """
        form = self.form
        rows, columns = x.shape[-2:]
        size = form.size or (form.padded(rows), form.padded(columns))
        if rows > size[0] or columns > size[1]:
            raise ValueError(
                f"the image has {rows} × {columns} pixels; the model takes {size[0]} × {size[1]}"
            )
        moved = _continued(x + z, form.margin, size)
        output = find_output(self.model(moved), form.key)[1]
        stride = form.stride
        return output[..., : -(-rows // stride), : -(-columns // stride)]

    def log_odds(self, output: Tensor, targets: Sequence[int], size: tuple[int, int]) -> Tensor:
        """Logits of some classes against all the others, each on its own.

        Parameters
        ----------
        output : (B, classes, h, w)
            What `decode` returned.
        targets : sequence of int, T of them
        size : (int, int)
            Rows and columns of the image.

        Returns
        -------
        (B, T, rows, columns)
            Their sigmoid is the probability of the class.
        """
        chosen = output[:, list(targets)]
        if self.activation == "none":
            logits = chosen.clamp(_CERTAIN, 1 - _CERTAIN).logit()
        elif self.activation == "softmax":
            others = [
                output[:, [k for k in range(output.shape[1]) if k != target]].logsumexp(1)
                for target in targets
            ]
            logits = chosen - torch.stack(others, 1)
        else:
            logits = chosen
        return self._resized(logits, size)

    def lead(self, output: Tensor, targets: Sequence[int], size: tuple[int, int]) -> Tensor:
        """By how much some classes lead the likeliest of the others, (B, T, rows, columns).

        Parameters are as for `log_odds`. A class may lead, and thus be the one that is
        shown, without being likelier than all the others together.
        """
        output = self._resized(output, size)
        others = [
            output[:, [k for k in range(output.shape[1]) if k != target]].amax(1)
            for target in targets
        ]
        return output[:, list(targets)] - torch.stack(others, 1)

    def probabilities(self, output: Tensor, size: tuple[int, int]) -> Tensor:
        """Probability of every class, (B, classes, rows, columns), of what `decode` returned."""
        output = self._resized(output, size)
        if self.activation == "softmax":
            return output.softmax(1)
        return output.sigmoid() if self.activation == "sigmoid" else output.clamp(0, 1)

    def _resized(self, values: Tensor, size: tuple[int, int]) -> Tensor:
        if values.shape[-2:] == size:
            return values
        stride = self.form.stride
        full = F.interpolate(values, scale_factor=stride, mode="bilinear", align_corners=False)
        return full[..., : size[0], : size[1]]


def make_interactive(
    model: Any,
    *,
    activation: Activation | None = None,
    classes: int | Sequence[str] | None = None,
    normalise: Normalisation | Callable[[Tensor], Tensor] = "unit",
    channels: int | None = None,
    multiple: int | None = None,
    output: str | int | None = None,
    size: tuple[int, int] | None = None,
) -> ConvertedNetwork:
    """Make a segmentation network obey clicks, without training it (Section 3.3).

    Parameters
    ----------
    model : torch.nn.Module, TorchScript module or torch.export.ExportedProgram
        Maps an image (B, channels, H, W) to logits or probabilities
        (B, classes, H, W), or to a tuple or dictionary with such a tensor. Outputs
        that are smaller by a margin or a stride are allowed. The model is set to
        evaluation mode, and its parameters take no more gradients.
    activation : {"sigmoid", "softmax", "none"}, optional
        What makes probabilities of the output. Without it test images are run: values
        within [0, 1] are probabilities ("none"), and classes whose probabilities sum
        to 1 exclude each other; else one channel is a sigmoid's logit, and several are
        a softmax's. Labels that do not exclude each other (multi-label) need "sigmoid".
    classes : int or sequence of str, optional
        Number or names of the classes, to be held against the output.
    normalise : {"none", "unit", "standard", "imagenet"} or callable
        What `ConvertedNetwork.encode` does with images in [0, 255].
    channels : int, optional
        Of the image; found out if it is 1, 3 or what the first kernel takes.
    multiple : int, optional
        Of which the sides must be multiples; found out if it is a power of 2 up to 64.
    output : str or int, optional
        Where in a dictionary or tuple the output stands; by default "out" or "logits",
        else the first image.
    size : (int, int), optional
        The only rows and columns that the model takes, if it does not take any; exported
        programs say so themselves.

    Raises
    ------
    ValueError
        If the model cannot be converted, and why: it takes no image or gives none, is
        random, cannot be differentiated, or has other classes than were said.

    Examples
    --------
    >>> network = make_interactive(unet)                           # doctest: +SKIP
    >>> network.decode(x, torch.zeros_like(x)) == unet(x)          # doctest: +SKIP
    """
    if activation is not None and activation not in get_args(Activation):
        allowed = ", ".join(get_args(Activation))
        raise ValueError(f"activation is {activation!r}; allowed are {allowed}")
    if not callable(normalise) and normalise not in get_args(Normalisation):
        allowed = ", ".join(get_args(Normalisation))
        raise ValueError(f"normalise is {normalise!r}; allowed are {allowed}, or a function")
    module, exported = _module(model)
    form = probe_form(module, channels, multiple, output, size or exported)
    check_repeatable(module, form)
    check_gradient(module, form)
    found = activation or cast(Activation, probe_activation(module, form))
    if found == "softmax" and form.outputs == 1:
        raise ValueError("activation is 'softmax', but the model has one output; 'sigmoid' fits")
    exclusive = found == "softmax" or (found == "none" and sums_to_one(module, form))
    names = _names(classes, form.outputs)
    return ConvertedNetwork(module, form, found, exclusive, names, normalise)


def _module(model: Any) -> tuple[nn.Module, tuple[int, int] | None]:
    """The model as a module in evaluation mode, and the only size it takes, if there is one."""
    size = None
    if isinstance(model, torch.export.ExportedProgram):
        size = _exported_size(model)
        model = model.module()
    elif isinstance(model, nn.Module):
        model.eval()
    else:
        raise ValueError(
            f"the model is a {type(model).__name__}; a torch.nn.Module, a TorchScript module or "
            "a torch.export program is needed"
        )
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model, size


def _exported_size(program: torch.export.ExportedProgram) -> tuple[int, int] | None:
    names = set(program.graph_signature.user_inputs)
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in names]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ValueError(
            f"the exported program takes {len(shapes)} inputs of shapes "
            f"{[list(map(str, shape)) for shape in shapes]}; one image is allowed"
        )
    rows, columns = shapes[0][-2:]
    return (rows, columns) if isinstance(rows, int) and isinstance(columns, int) else None


def _names(classes: int | Sequence[str] | None, outputs: int) -> tuple[str, ...]:
    if classes is None or type(classes) is int:
        names, count = tuple(str(k) for k in range(outputs)), classes
    elif isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes):
        names, count = tuple(classes), len(classes)
    else:
        raise ValueError(f"classes are {classes!r}; a number or a list of names is allowed")
    if count not in (None, outputs):
        raise ValueError(f"{count} classes were given, but the model has {outputs} outputs")
    return names


def _continued(x: Tensor, margin: int, size: tuple[int, int]) -> Tensor:
    """The image with its border pixels repeated: a margin all round, the rest below and right."""
    below = size[0] - x.shape[-2] - margin
    right = size[1] - x.shape[-1] - margin
    if margin == below == right == 0:
        return x
    return F.pad(x, (margin, right, margin, below), mode="replicate")
