"""Which device computes, and in which precision."""

from __future__ import annotations

from typing import Any

import torch

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
