"""Objects: beginning, committing, reopening and deleting them."""

from __future__ import annotations

from napari.layers import Points

from napari_brs.plugin.context import Context
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.text import MESSAGES


class Committing:
    """What can be done with whole objects; each is one step of undo."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs

    def new_object(self) -> None:
        """Begin another object; the current one stays open."""
        context = self._context
        if context.work is not None:
            context.take_paint()
            context.work.session.new_object()
            context.refresh()

    def commit(self) -> int | None:
        """Write the object as the preview shows it; as `Controller.commit`."""
        context = self._context
        if context.work is None:
            return None
        self._jobs.cancel()
        try:
            context.make_layers()
            with context.writing():
                label = context.work.commit(context.settings.overwrite)
        except ValueError as error:
            context.say(str(error))
            return None
        context.number()
        context.refresh(MESSAGES["committed"].format(label=label))
        return label

    def open_object(self, key: int) -> None:
        """Give the clicks to an object of the session again."""
        context = self._context
        if context.work is not None and key != context.work.session.current.key:
            context.take_paint()
            context.work.open(key)
            context.refresh()

    def reopen_under_cursor(self) -> None:
        """Give the clicks to the finished object under the mouse again."""
        context = self._context
        if context.work is None or context.state.problems:
            return
        context.take_paint()
        label = context.work.open_at(context.position, context.under_cursor())
        if label:
            context.refresh(MESSAGES["opened"].format(label=label))
        else:
            context.say(MESSAGES["no label here"])

    def delete(self) -> None:
        """Delete the finished object under the mouse, or else the open one."""
        context = self._context
        if context.work is None or context.state.problems:
            return
        self._jobs.cancel()
        context.take_paint()
        try:
            with context.writing():
                label = context.work.delete_at(context.position, context.under_cursor())
        except ValueError as error:
            context.say(str(error))
            return
        context.number()
        message = "nothing to delete" if label is None else "deleted"
        context.refresh(MESSAGES[message].format(label=label))

    def delete_in_points(self) -> None:
        """Delete the selected points of the active layer; if none is, the object."""
        active = self._context.viewer.layers.selection.active
        if isinstance(active, Points) and active.selected_data:
            active.remove_selected()
        else:
            self.delete()
