"""From the work to what the dock shows of it: looked up once for each change."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from napari.layers import Image

from napari_brs.plugin import status
from napari_brs.plugin.completing import Completing
from napari_brs.plugin.context import Context
from napari_brs.plugin.following import Following
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.napari_edge import plain
from napari_brs.plugin.session_files import SessionFiles
from napari_brs.plugin.state import Choice, DockState
from napari_brs.plugin.text import describe_object


def is_image(layer: Any) -> bool:
    """Whether a layer can be segmented."""
    return isinstance(layer, Image) and layer.ndim >= 2


def resolve(
    context: Context,
    jobs: Jobs,
    completing: Completing,
    following: Following,
    session_files: SessionFiles,
) -> DockState:
    """What the dock shows now."""
    position, problems = status.problems(context)
    settings, offer = context.settings, context.offer
    state = DockState(
        settings=settings,
        problems=MappingProxyType(problems),
        position=position,
        label=context.label,
        status=status.line(context, position, problems, jobs.activity),
        images=tuple((one.name, plain(one)) for one in context.viewer.layers if is_image(one)),
        models=offer.models(settings.model),
        image=context.image,
        whole_image=offer.segments_whole_images(settings.model),
        busy=jobs.busy,
    )
    confidences = [one.confidence for one in completing.proposals(state)]
    likely = sum(one >= settings.confidence for one in confidences)
    state = replace(state, proposed=len(confidences), likely=likely, **session_files.shown())
    tracks = following.along(state)
    if tracks is not None and position is not None:
        frame = tracks.frame_of(position)
        state = replace(state, can_follow=True, frames=tracks.marks(), frame=frame)
    return state if context.work is None else _with_session(state, context)


def _with_session(state: DockState, context: Context) -> DockState:
    work = context.work
    assert work is not None
    session, current = work.session, work.session.current
    labels: list[Choice] = [
        (layer.name, plain(layer))
        for layer in context.viewer.layers
        if context.can_be_objects(layer)
    ]
    return replace(
        state,
        labels=tuple(labels),
        objects=tuple((describe_object(found), found.key) for found in session.objects),
        objects_layer=work.objects,
        object=current.key,
        has_clicks=state.position is not None and current.plane(state.position).prompted,
        has_mask=current.label is not None
        or any(mask is not None for mask in work.shown(current).values()),
        has_object=not current.empty,
        can_clear=any(not plane.empty for plane in current.planes.values()),
        can_undo=session.can_undo,
        can_redo=session.can_redo,
    )
