"""Short work with files in threads of their own, and what comes of it on the main one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject
from qtpy.QtCore import Signal as QtSignal  # type: ignore[attr-defined,unused-ignore]

from napari_brs.plugin.context import Context


class OnMain(QObject):
    """Has functions called on the main thread: emit `call` in any thread."""

    call = QtSignal(object)
    """(function without arguments)"""

    def __init__(self) -> None:
        super().__init__()
        self.call.connect(self._call)

    def __call__(self, function: Callable[[], None]) -> None:
        # At the end of the program there is no main thread to call it any more.
        with suppress(RuntimeError):
            self.call.emit(function)

    def _call(self, function: Callable[[], None]) -> None:
        function()


class Background:
    """Calls functions in other threads; what they cannot read or write is said in one line.

    napari's workers would change the filters of warnings of the whole program meanwhile.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._running = 0
        self._on_main = OnMain()

    @property
    def busy(self) -> bool:
        """Whether anything runs."""
        return self._running > 0

    def start(self, function: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Call a function in another thread, and what to do with its result on the main one.

        Parameters
        ----------
        function : callable
            May raise ValueError or OSError; the status line then says why.
        then : callable
            Is not called after an error. The dock may be closed by then.
        """
        self._running += 1

        def run() -> None:
            try:
                found, error = function(), None
            except Exception as problem:  # raised again on the main thread if not expected
                found, error = None, problem
            self._on_main(lambda: self._finish(found, error, then))

        threading.Thread(target=run, name="napari-brs files", daemon=True).start()

    def _finish(self, found: Any, error: Exception | None, then: Callable[[Any], None]) -> None:
        self._running -= 1
        if error is None:
            then(found)
        elif isinstance(error, ValueError | OSError):
            self._context.say(str(error))
        else:
            raise error
