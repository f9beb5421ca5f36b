"""What the dock says: why a control cannot work, and how the current object stands."""

from __future__ import annotations

from collections.abc import Mapping

from napari_brs.masks import Mask
from napari_brs.plugin import text
from napari_brs.plugin.context import Context
from napari_brs.plugin.layers.planes import displayed_position
from napari_brs.plugin.text import MESSAGES
from napari_brs.session import Position


def problems(context: Context) -> tuple[Position | None, dict[str, str]]:
    """The plane on display, if there is one, and control -> why it cannot work as it is set."""
    found = {}
    position = None
    try:
        if context.image is None:
            raise ValueError(MESSAGES["no image"])
        position = displayed_position(context.image, context.viewer.dims)
    except ValueError as error:
        found["image"] = str(error)
    settings = context.settings
    return position, found | context.offer.problems(settings.model, settings.device)


def line(
    context: Context, position: Position | None, problems: Mapping[str, str], activity: str
) -> str:
    """One line: a problem, a message, or the current object and its clicks.

    Parameters
    ----------
    context : Context
    position : Position or None
        The plane on display.
    problems : mapping
        Control -> why it cannot work.
    activity : str
        What is being computed.
    """
    if problems:
        return next(iter(problems.values()))
    if context.message or context.work is None or position is None:
        return context.message
    model = context.settings.model
    plane = context.work.session.current.plane(position)
    foreground = sum(click.positive for click in plane.clicks)
    parts = [
        f"object {context.label}",
        text.describe_clicks(foreground, len(plane.clicks) - foreground, plane.box is not None),
    ]
    made = context.work.predictions.get(plane, model)
    if activity:
        parts.append(activity)
    elif plane.empty:
        parts.append(MESSAGES["hint"])
    elif plane.edited is not None:
        parts.append(MESSAGES["by hand" if plane.by_hand else "opened here"])
    elif made is not None and isinstance(made.prediction, Mask):
        parts.append(MESSAGES["as it was"])
    elif made is not None:
        prediction = made.prediction
        parts.append(
            text.describe_seconds(prediction.seconds if made.waited is None else made.waited)
        )
        parts.append(text.describe_scale(prediction.view.scale))
        parts.append(text.describe_obeyed(prediction.clicks_obeyed))
        # Networks that were not trained with clicks may be thrown off by them.
        parts.append("" if prediction.stable else MESSAGES["unstable"])
        parts.append(context.note)
    return " · ".join(part for part in parts if part)
