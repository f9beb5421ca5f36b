"""What the models made of the clicks, kept beside the states they were made for."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from napari_brs.session import UNDO_LIMIT, PlaneState


class Made(NamedTuple):
    """A prediction, and how long the user waited for it.

    Attributes
    ----------
    prediction : Prediction
    waited : float or None
        Seconds from asking for it to seeing it; None while it is being refined.
    """

    prediction: Any
    waited: float | None = None


class Predictions:
    """Predictions keyed by the clicks' state and the model; gone when the state is.

    States of equal clicks may have different histories, and are different keys.
    """

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[PlaneState, dict[str, Made]] = WeakKeyDictionary()

    def put(
        self, plane: PlaneState, model: str, prediction: Any, waited: float | None = None
    ) -> None:
        """Keep a prediction made for exactly these clicks, in place of an earlier one."""
        self._made.setdefault(plane, {})[model] = Made(prediction, waited)
        # Each state keeps those before it alive; undo does not go back further.
        for distance, before in enumerate(plane.before()):
            if distance >= UNDO_LIMIT:
                self._made.pop(before, None)

    def all(self) -> dict[PlaneState, dict[str, Made]]:
        """State -> model -> what was made; the states are kept alive by it."""
        return dict(self._made.items())

    def get(self, plane: PlaneState, model: str) -> Made | None:
        """What was made of exactly these clicks, or None."""
        return self._made.get(plane, {}).get(model)

    def start(self, plane: PlaneState, model: str) -> Any:
        """What a prediction of these clicks starts from, or None.

        That is the newest prediction of the clicks before them; where there is none,
        the mask that the object had.
        """
        for before in plane.before():
            made = self.get(before, model)
            if made is not None:
                return made.prediction
        return plane.start_mask

    def shown(self, plane: PlaneState, model: str) -> Any:
        """The mask or prediction to show: the latest there is, or None."""
        if plane.empty:
            return None
        if plane.edited is not None:
            return plane.edited
        made = self.get(plane, model)
        return self.start(plane, model) if made is None else made.prediction

    def complete(self, plane: PlaneState, model: str) -> bool:
        """Whether nothing is left to compute for these clicks."""
        known = not plane.prompted or plane.edited is not None
        return known or self.get(plane, model) is not None
