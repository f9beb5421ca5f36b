"""Waits until a key is let go of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication


class Released(QObject):
    """Calls back once a key that is held now is let go of, or the window is left.

    It looks at all events of the application meanwhile: whichever widget had the focus when
    the key was pressed, or gets its release, does not matter.

    Parameters
    ----------
    key : Qt.Key
    action : callable
    """

    def __init__(self, key: Any, action: Callable[[], None]) -> None:
        super().__init__()
        self._key = key
        self._action = action

    def wait(self) -> None:
        """Begin to wait, if it does not already."""
        application = QApplication.instance()
        assert application is not None  # the key was pressed in one
        application.installEventFilter(self)

    def stop(self) -> None:
        """Wait no more."""
        application = QApplication.instance()
        # At exit Qt deletes the dock, and this filter, after the application began to end.
        if application is not None:
            with suppress(RuntimeError):
                application.removeEventFilter(self)

    def eventFilter(self, _watched: Any, event: Any) -> bool:
        """Qt's hook; every event goes on to whom it is meant for."""
        kind = event.type()
        let_go = kind == QEvent.Type.KeyRelease and event.key() == self._key
        if (let_go and not event.isAutoRepeat()) or kind == QEvent.Type.WindowDeactivate:
            self.stop()
            self._action()
        return False
