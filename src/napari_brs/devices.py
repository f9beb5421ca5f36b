"""Which device computes, and in which precision."""

from __future__ import annotations

from typing import Any

import torch


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

    CPUs count only with matrix units for it (AMX): those that have the type but
    not the units take longer with it than with float32.
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Before torch 2.10 nothing public tells what the CPU has.
    abilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return device == "cpu" and bool(abilities.get("amx_bf16", False))
