"""What the dock shows, at one moment: resolved once for each change, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from napari_brs.session import Position

Choice: TypeAlias = tuple[str, Any]
"""An entry of a box: its text, and the value that it stands for."""


@dataclass(frozen=True)
class Settings:
    """What the dock's controls say."""

    model: str
    device: str = "auto"
    refine: bool = True
    run_on_click: bool = True
    threshold: float = 0.5
    overwrite: bool = False
    positive: bool = True
    confidence: float = 0.5


class FrameMark(NamedTuple):
    """How a frame stands in which objects were followed.

    Attributes
    ----------
    confidence : float or None
        Least chance that what was found is good; None if nothing was followed there.
    keyframe : bool
        Whether a person made or corrected an object there.
    """

    confidence: float | None
    keyframe: bool


@dataclass(frozen=True)
class DockState:
    """All that the dock shows.

    Attributes
    ----------
    settings : Settings
    problems : mapping
        Control -> why it cannot work as it is set.
    position : Position or None
        The plane of the image on display; None if there is none.
    label : int
        Id that the current object has, or will get.
    status : str
        The line at the bottom.
    images, labels, objects, models : tuple of Choice
        What can be chosen. Images and labels are layers, objects their keys in the session.
    image : Image layer or None
    objects_layer : Labels layer or None
    object : int or None
        Key of the object that takes the clicks.
    whole_image : bool
        Whether the model segments whole images, without clicks.
    busy : bool
        Whether anything is being computed.
    has_clicks : bool
        Whether there is something to segment on display: a click or a box.
    has_mask : bool
        Whether there is something to commit.
    has_object : bool
        Whether the current object has clicks, masks or an id.
    proposed, likely : int
        Proposals on display; those at or above the confidence.
    frames : tuple of FrameMark
        Along the axis that objects are followed along; empty before any was.
    frame : int
        That on display.
    can_follow : bool
        Whether there are frames to follow objects through.
    can_clear, can_undo, can_redo : bool
    resumable : str
        How much earlier work there is on the image, and how old; empty if there is none.
    saved : str
        Whether the work is on the disk, or why not.
    recent : tuple of Choice
        Sessions, by their paths.
    """

    settings: Settings
    problems: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    position: Position | None = None
    label: int = 1
    status: str = ""
    images: tuple[Choice, ...] = ()
    labels: tuple[Choice, ...] = ()
    objects: tuple[Choice, ...] = ()
    models: tuple[Choice, ...] = ()
    image: Any = None
    objects_layer: Any = None
    object: int | None = None
    whole_image: bool = False
    busy: bool = False
    has_clicks: bool = False
    has_mask: bool = False
    has_object: bool = False
    proposed: int = 0
    likely: int = 0
    frames: tuple[FrameMark, ...] = ()
    frame: int = 0
    can_follow: bool = False
    can_clear: bool = False
    can_undo: bool = False
    can_redo: bool = False
    resumable: str = ""
    saved: str = ""
    recent: tuple[Choice, ...] = ()

    @property
    def can_segment(self) -> bool:
        """Whether there are clicks on display, and nothing stands in the way."""
        return self.has_clicks and not self.problems
