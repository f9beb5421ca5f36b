"""Which device computes, and in which precision."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

Result = TypeVar("Result")

_BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16")


def choose_device(device: str = "auto") -> torch.device:
    """The device of that name; ``"auto"`` takes cuda, else mps, else cpu.

    Raises
    ------
    ValueError
        If the name is unknown or the machine has no such device.
    """
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there.insert(0, "cuda")
    if device == "auto":
        return torch.device(there[0])
    if device.split(":")[0] not in there:
        raise ValueError(f"no device {device!r} here; allowed are auto, {', '.join(there)}")
    return torch.device(device)


def has_bfloat16(device: str) -> bool:
    """Whether a kind of device (``"cpu"``, ``"cuda"``, ...) multiplies bfloat16 in hardware.

    CPUs count with units for it (AMX, AVX512-BF16), which about halve the time of
    convolutions (docs/performance.md); those without take longer with it than with float32.
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Before torch 2.10 nothing public tells what the CPU has.
    abilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return device == "cpu" and any(abilities.get(name) for name in _BFLOAT16_UNITS)


class Placement:
    """A network on a device, and on the CPU once that has not enough memory for the work.

    Parameters
    ----------
    network : torch.nn.Module
    device : torch.device
    on_move : callable
        Is called before the network leaves the device: what was computed there is of no use.
    """

    def __init__(
        self, network: nn.Module, device: torch.device, on_move: Callable[[], None]
    ) -> None:
        self._network = network
        self._on_move = on_move
        self._place(device)

    def run(self, work: Callable[[], Result]) -> Result:
        """Do the work; on the CPU, with a warning, if the GPU has not enough memory for it."""
        try:
            return work()
        except RuntimeError as error:
            if self.device.type == "cpu" or "out of memory" not in str(error):
                raise
        warnings.warn(
            f"{self.device} ran out of memory; going on on the CPU", RuntimeWarning, stacklevel=3
        )
        self._on_move()
        self._place(torch.device("cpu"))
        return work()

    def _place(self, device: torch.device) -> None:
        self.device = device
        # The layout that convolutions are fastest in: 2.5 times on a laptop CPU.
        self._network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
