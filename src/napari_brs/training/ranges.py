"""Between what the numbers of a training configuration may lie."""

from __future__ import annotations

LARGEST = 1e12
"""Beyond what any of them can mean."""
_ANY = (0, LARGEST)
_SHARE = (0, 1)
RANGES: dict[str, tuple[float, float]] = {
    "data.crops_per_step": (1, 4096),
    "data.objects_per_crop": (1, 256),
    "data.zoom": _SHARE,
    "data.whole": _SHARE,
    "data.whole_scale": (1e-3, 1e3),
    "data.scale": (1e-3, 1e3),
    "data.merge": _SHARE,
    "data.min_pixels": (1, LARGEST),
    "data.source_weights": _ANY,
    "data.workers": (0, 256),
    "clicks.rounds": _ANY,
    "clicks.single": _SHARE,
    "clicks.correction": _SHARE,
    "clicks.box": _SHARE,
    "clicks.moved": _SHARE,
    "clicks.centre": _SHARE,
    "clicks.drop_previous": _SHARE,
    "loss.coarse": _ANY,
    "loss.fine": _ANY,
    "loss.clicks": _ANY,
    "loss.hints": _ANY,
    "loss.cores": _ANY,
    "optimizer.rate": _ANY,
    "optimizer.encoder_rate": _ANY,
    "optimizer.encoder_every": (1, LARGEST),
    "optimizer.weight_decay": _ANY,
    "optimizer.momentum": _SHARE,
    "optimizer.warm_up": _SHARE,
    "optimizer.clip": _ANY,
    "optimizer.ema": _SHARE,
    "validation.every_minutes": _ANY,
    "validation.images": (1, LARGEST),
    "validation.clicks": (1, 100),
    "run.minutes": (1e-6, LARGEST),
    "run.steps": _ANY,
    "run.seed": (0, 2**32 - 1),
    "run.devices": (1, 64),
    "run.threads": (0, 1024),
    "run.checkpoint_minutes": _ANY,
}
"""Least and highest value of every number; of every one where there are several."""
