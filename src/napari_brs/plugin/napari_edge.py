"""The places where napari has no types: what it gives, with the types that it has.

Layers that napari hands to a plugin may be wrapped; everything here takes both kinds.
"""

from __future__ import annotations

from typing import Any


def plain(layer: Any) -> Any:
    """A layer itself, unwrapped: as a key, or among a box's choices, it must be that."""
    return getattr(layer, "__wrapped__", layer)
