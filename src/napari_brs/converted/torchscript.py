"""TorchScript modules, and what the code in them says when it fails."""

from __future__ import annotations

import warnings
from typing import Any


def first_line(error: BaseException) -> str:
    """What an error of somebody else's code says, as far as it fits in a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def load_torchscript(file: Any) -> Any:
    """A TorchScript module from a path or an open file, on the CPU."""
    import torch

    with warnings.catch_warnings():
        # It is on its way out of torch; people's files are there nevertheless.
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(file, map_location="cpu")  # type: ignore[no-untyped-call]
