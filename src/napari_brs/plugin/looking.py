"""Where a click is wanted next: the view goes there."""

from __future__ import annotations

from napari_brs.clicks import Click
from napari_brs.plugin.completing import Completing
from napari_brs.plugin.context import Context
from napari_brs.plugin.layers.planes import to_point
from napari_brs.plugin.text import MESSAGES


class Looking:
    """Moves the view to what is least certain."""

    def __init__(self, context: Context, completing: Completing) -> None:
        self._context = context
        self._completing = completing

    def where_next(self) -> None:
        """Show the least certain place of the object, or else the least likely proposal."""
        context = self._context
        if context.work is None or context.state.problems:
            return
        place = self._in_object() or self._among_proposals()
        if place is None:
            context.say(MESSAGES["all certain"])
            return
        assert context.image is not None
        point = to_point(Click(*place), context.position)
        world = context.image.data_to_world(point)
        extra = context.viewer.dims.ndim - context.image.ndim
        row, column = (float(world[axis - extra]) for axis in context.viewer.dims.displayed)
        camera = context.viewer.scene.camera
        camera.center = (*camera.center[:-2], row, column)
        context.say(MESSAGES["least certain"])

    def _in_object(self) -> tuple[int, int] | None:
        # Here, because its room loads torch.
        from napari_brs.brs.uncertainty import least_certain

        context = self._context
        assert context.work is not None
        plane = context.work.session.current.plane(context.position)
        made = context.work.predictions.get(plane, context.settings.model)
        if made is None or plane.edited is not None:
            return None
        seen, box = made.prediction, made.prediction.view.box
        return least_certain(
            seen.window_probability, plane.clicks, seen.threshold, (box.top, box.left)
        )

    def _among_proposals(self) -> tuple[int, int] | None:
        proposals = self._completing.proposals(self._context.state)
        if not proposals:
            return None
        return min(proposals, key=lambda one: one.confidence).clicks[0].pixel
