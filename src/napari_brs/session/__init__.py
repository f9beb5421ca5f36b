"""Objects and clicks on one image: immutable states, undo and redo; no napari, Qt or torch."""

from napari_brs.session.history import UNDO_LIMIT, Change, History
from napari_brs.session.session import Session
from napari_brs.session.states import ObjectState, PlaneState, Position, State
from napari_brs.session.tracks import Track

__all__ = [
    "UNDO_LIMIT",
    "Change",
    "History",
    "ObjectState",
    "PlaneState",
    "Position",
    "Session",
    "State",
    "Track",
]
