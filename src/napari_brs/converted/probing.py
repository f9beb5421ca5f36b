"""What a segmentation model takes and gives, found out by running it on small test images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_SIDES = (48, 200)
"""Least sides of the test images; networks without padding need the larger one."""
_EPSILON = 1e-4


@dataclass(frozen=True, slots=True)
class Form:
    """How tensors go in and come out.

    Attributes
    ----------
    channels : int
        Of the image.
    outputs : int
        Channels of the output.
    key : str, int or None
        Where the output stands in a dictionary or tuple.
    multiple, remainder : int
        Sides must be ``n * multiple + remainder``.
    margin : int
        By how many pixels the output is smaller, at each border.
    stride : int
        Pixels of the image for one pixel of the output.
    size : (int, int) or None
        The only rows and columns that are taken.
    least : int
        The least side that is meant to be taken.
    """

    channels: int
    outputs: int
    key: str | int | None = None
    multiple: int = 1
    remainder: int = 0
    margin: int = 0
    stride: int = 1
    size: tuple[int, int] | None = None
    least: int = 0

    def padded(self, side: int) -> int:
        """The least side that is taken and whose output covers so many pixels."""
        needed = max(side + 2 * self.margin, self.least) - self.remainder
        return -(-needed // self.multiple) * self.multiple + self.remainder


def probe_form(
    model: nn.Module,
    channels: int | None = None,
    multiple: int | None = None,
    key: str | int | None = None,
    size: tuple[int, int] | None = None,
) -> Form:
    """Find out what a model takes and gives; what is known need not be found.

    Raises
    ------
    ValueError
        If what is known cannot be, no test image goes in, or what comes out is no
        image. It names what the model said.
    """
    for name, value, most in (("channels", channels, 64), ("multiple", multiple, 1024)):
        if value is not None and (type(value) is not int or not 1 <= value <= most):
            raise ValueError(f"{name} is {value!r}; an integer from 1 to {most} is allowed")
    channel_choices = (channels,) if channels else _likely_channels(model)
    complaint = ""
    for count in channel_choices:
        for side, step, remainder in _grids(size, multiple):
            sides = size or (side, side + step)
            try:
                with torch.no_grad():
                    returned = model(_image(model, count, sides))
            except Exception as error:  # whatever its layers raise
                # The first one is of the likeliest channels and the largest freedom.
                complaint = complaint or _first_line(error)
                continue
            found, output = find_output(returned, key)
            fit = _fit(sides, (output.shape[-2], output.shape[-1]), size is not None)
            if fit is not None:
                margin, stride = fit
                return Form(count, output.shape[1], found, step, remainder, margin, stride, size)
            complaint = complaint or (
                f"{sides[0]} × {sides[1]} pixels gave {output.shape[-2]} × {output.shape[-1]}"
            )
    allowed = " or ".join(str(count) for count in channel_choices)
    raise ValueError(
        f"the model takes none of the test images of {allowed} channels: {complaint}; "
        "channels and multiple can be given"
    )


def find_output(returned: Any, key: str | int | None = None) -> tuple[str | int | None, Tensor]:
    """The output (B, K, H, W) in what a model returned, and where it stands there.

    Without a key, of a dictionary ``"out"`` or ``"logits"``, else the first
    value that is an image; of a tuple the first one.

    Raises
    ------
    ValueError
        If there is none.
    """
    parts: dict[Any, Any]
    if isinstance(returned, Tensor):
        parts = {None: returned}
    elif isinstance(returned, Mapping):
        parts = dict(returned)
    elif isinstance(returned, tuple | list):
        parts = dict(enumerate(returned))
    else:
        raise ValueError(
            f"the model returns a {type(returned).__name__}; "
            "a tensor, or a tuple or dictionary of tensors, is allowed"
        )
    if key is not None:
        if key not in parts:
            raise ValueError(f"the model returns no {key!r}; there are {list(parts)}")
        parts = {key: parts[key]}
    names = [name for name in ("out", "logits") if name in parts]
    for name in (*names, *parts):
        value = parts[name]
        if isinstance(value, Tensor) and value.ndim == 3:
            value = value[:, None]
        if isinstance(value, Tensor) and value.ndim == 4:
            if not value.is_floating_point():
                raise ValueError(
                    f"the model returns {str(value.dtype).removeprefix('torch.')} labels, which "
                    "have no gradient; a model without its last step (argmax, threshold) is needed"
                )
            return name, value
    shapes = [list(v.shape) if isinstance(v, Tensor) else type(v).__name__ for v in parts.values()]
    raise ValueError(
        f"the model returns no image: {shapes}; (batch, classes, rows, columns) is needed"
    )


def probe_activation(model: nn.Module, form: Form) -> str:
    """``"none"`` if the model gives probabilities already, else what makes them.

    Outputs that lie in [0, 1] for all test images are probabilities; others are
    logits, of one channel for the sigmoid, of several for the softmax, because nothing
    in their values tells classes that exclude each other from labels that do not.
    """
    outputs = [_run(model, form, image) for image in _test_images(model, form)]
    if all(output.min() >= -_EPSILON and output.max() <= 1 + _EPSILON for output in outputs):
        return "none"
    return "sigmoid" if form.outputs == 1 else "softmax"


def sums_to_one(model: nn.Module, form: Form) -> bool:
    """Whether the outputs at a pixel sum to 1, so that its classes exclude each other."""
    if form.outputs == 1:
        return False
    outputs = [_run(model, form, image) for image in _test_images(model, form)]
    return all(bool((output.sum(1) - 1).abs().max() < 1e-3) for output in outputs)


def check_repeatable(model: nn.Module, form: Form) -> None:
    """Raise ValueError if the same image gives another output the second time."""
    image = next(_test_images(model, form))
    if not torch.equal(_run(model, form, image), _run(model, form, image)):
        raise ValueError(
            "the model gives the same image another output each time: something random, such as "
            "dropout, is active in evaluation mode"
        )


def check_gradient(model: nn.Module, form: Form) -> None:
    """Raise ValueError, and say why, if no gradient comes back from output to image."""
    moved = False
    for image in _test_images(model, form):
        variable = image.clone().requires_grad_()
        try:
            with torch.enable_grad():
                _, output = find_output(model(variable + 0), form.key)
                if not output.requires_grad:
                    raise ValueError(
                        "the model's output does not depend on the image in a way that can be "
                        "differentiated: a threshold or argmax at its end, or no gradients inside"
                    )
                (gradient,) = torch.autograd.grad(output.sum(), variable)
        except RuntimeError as error:
            reason = _first_line(error)
            if "inplace" in reason or "in-place" in reason:
                reason = f"an operation in place destroys what the gradient needs: {reason}"
            raise ValueError(f"the model cannot be differentiated: {reason}") from None
        if not bool(gradient.isfinite().all()):
            raise ValueError("the model's gradient is not finite")
        moved |= bool(gradient.any())
    if not moved:
        raise ValueError(
            "the model's gradient is zero everywhere: it ends in a threshold, a rounding or a "
            "step, or in probabilities that are exactly 0 and 1"
        )


def _grids(size: tuple[int, int] | None, multiple: int | None) -> Iterator[tuple[int, int, int]]:
    """(side, multiple, remainder) to try.

    The test image is one multiple wider than it is high, so that no lesser multiple,
    and no greater one, is needed where both are taken.
    """
    if size is not None:
        yield size[0], 1, 0
        return
    steps = (multiple,) if multiple else _MULTIPLES
    for least in _SIDES:
        for step in steps:
            yield -(-least // step) * step, step, 0
    if multiple is None:
        # Networks without padding take sides such as 16 n + 12.
        for remainder in range(1, 16):
            yield 13 * 16 + remainder, 16, remainder


def _fit(sides: tuple[int, int], given: tuple[int, int], fixed: bool) -> tuple[int, int] | None:
    """(margin, stride) with which the output lies over the image; None if it does not."""
    lost = sides[0] - given[0]
    if lost == sides[1] - given[1] and lost >= 0 and lost % 2 == 0:
        return lost // 2, 1
    strides = {
        side // out if out and side % out == 0 else 0
        for side, out in zip(sides, given, strict=True)
    }
    (stride, *others) = strides
    return None if others or stride < 2 else (0, stride)


def _likely_channels(model: nn.Module) -> tuple[int, ...]:
    """What the first kernel suggests, then grey and RGB."""
    kernels = [p for p in model.state_dict().values() if isinstance(p, Tensor) and p.ndim == 4]
    guess = [int(kernels[0].shape[1])] if kernels and kernels[0].shape[1] <= 8 else []
    return tuple(dict.fromkeys([*guess, 3, 1]))


def _image(model: nn.Module, channels: int, sides: tuple[int, int]) -> Tensor:
    """A grey test image, smooth and dark at the left: (1, channels, rows, columns)."""
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(1))
    generator = torch.Generator().manual_seed(0)
    image = torch.randn((1, channels, *sides), generator=generator)
    ramp = torch.linspace(-1, 1, sides[1])
    return (image / 4 + ramp).to(like)


def _test_images(model: nn.Module, form: Form) -> Iterator[Tensor]:
    side = form.padded(_SIDES[0]) if form.margin == 0 else form.padded(8)
    image = _image(model, form.channels, form.size or (side, side))
    yield from (image, 10 * image, 100 + 50 * image)


def _run(model: nn.Module, form: Form, image: Tensor) -> Tensor:
    with torch.no_grad():
        return find_output(model(image), form.key)[1]


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # TorchScript puts its own traceback before what happened.
    return (
        (lines[-1] if "TorchScript" in str(error) else lines[0]) if lines else type(error).__name__
    )
