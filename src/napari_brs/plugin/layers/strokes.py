"""Brush strokes in the objects layer, in their order among the steps of the session.

napari keeps strokes in a history of the layer, and the session its own. Undo goes back in
both, and takes what was done last.
"""

from __future__ import annotations

from napari.layers import Labels

from napari_brs.session import Session, State


class Strokes:
    """Which strokes napari's own undo and redo would go over now.

    Parameters
    ----------
    layer : Labels
        The objects layer; what the dock writes into it buries the strokes before.
    """

    def __init__(self, layer: Labels) -> None:
        self._layer = layer
        self._made: list[State] = []
        self._undone: list[State] = []

    def note(self, session: Session) -> None:
        """Know that somebody painted."""
        self._made.append(session.state)
        self._undone.clear()

    def bury(self) -> None:
        """Know that the dock wrote, so that napari's undo would take that back."""
        self._made.clear()
        self._undone.clear()

    def undo(self, session: Session) -> bool:
        """Take back the last stroke, if nothing of the session came after it."""
        if not self._made or (self._made[-1] is not session.state and session.can_undo):
            return False
        self._undone.append(self._made.pop())
        self._layer.undo()
        return True

    def redo(self, session: Session) -> bool:
        """Do the last stroke again, if it is next."""
        if not self._undone or (self._undone[-1] is not session.state and session.can_redo):
            return False
        self._made.append(self._undone.pop())
        self._layer.redo()
        return True
