"""Which models and devices can be chosen in the dock."""

from __future__ import annotations

from pathlib import Path

from napari_brs.converted.files import is_own_model
from napari_brs.models import BUILT_IN, list_models
from napari_brs.plugin.state import Choice
from napari_brs.plugin.text import MESSAGES

FIRST = ("brs-live", "unet-cells")
"""Models of this package that are offered at once; its others are there for comparison."""

MORE = "more methods"
"""Stands for the others while they are not offered."""


class Offer:
    """Models and devices of one dock.

    Attributes
    ----------
    files : list of str
        Networks of the user's own that were opened and are trusted, by path.
    bad_devices : dict
        Device -> why it cannot be used here.
    all_methods : bool
        Whether models for comparison are offered, too.
    """

    def __init__(self) -> None:
        self.files: list[str] = []
        self.bad_devices: dict[str, str] = {}
        self.all_methods = False

    def default(self) -> str:
        """The first model that has weights; else the first."""
        return _usable()[0]

    def models(self, chosen: str) -> tuple[Choice, ...]:
        """The models to choose from, the chosen one among them."""
        usable = _usable()
        few = [name for name in usable if name in (*FIRST, chosen) or name not in BUILT_IN]
        names = usable if self.all_methods else few or usable
        files = [(Path(path).name, path) for path in self.files]
        more = [] if len(names) == len(usable) else [(MESSAGES["more methods"], MORE)]
        return (*((name, name) for name in names), *files, *more)

    def problems(self, model: str, device: str) -> dict[str, str]:
        """Control -> why what is chosen cannot be used."""
        found = {}
        there = any(info.available for info in list_models() if info.name == model)
        if not there and model not in self.files:
            found["model"] = MESSAGES["unavailable"].format(name=model)
        if device in self.bad_devices:
            found["device"] = self.bad_devices[device]
        return found

    def segments_whole_images(self, model: str) -> bool:
        """Whether a model finds objects without clicks."""
        return is_own_model(model) or any(
            info.name == model and info.kind == "converted" for info in list_models()
        )

    def trust(self, path: str) -> None:
        """Let a network from a file run its code; ask the user before."""
        if path not in self.files:
            self.files.append(path)

    def forget(self, path: str) -> None:
        """Trust a file no more, because it could not be used."""
        if path in self.files:
            self.files.remove(path)


def _usable() -> list[str]:
    """Names of the models that have their weights, or of all if none has."""
    models = list_models()
    return [info.name for info in models if info.available] or [info.name for info in models]
