"""What the dock says: why a control cannot work, and how the current object stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_brs.models import list_models
from napari_brs.plugin import text
from napari_brs.plugin.text import MESSAGES

if TYPE_CHECKING:
    from napari_brs.plugin.controller import Controller


def problems(controller: Controller) -> dict[str, str]:
    """Control -> why it cannot work as it is set."""
    found = {}
    try:
        _ = controller.position
    except ValueError as error:
        found["image"] = str(error)
    chosen = controller.settings.model
    there = any(model.available for model in list_models() if model.name == chosen)
    if not there and chosen not in controller.converted.files:
        found["model"] = MESSAGES["unavailable"].format(name=chosen)
    reason = controller.computing.bad_devices.get(controller.settings.device)
    if reason is not None:
        found["device"] = reason
    return found


def line(controller: Controller) -> str:
    """One line: a problem, a message, or the current object and its clicks."""
    wrong = problems(controller)
    if wrong:
        return next(iter(wrong.values()))
    if controller.message:
        return controller.message
    assert controller.work is not None
    plane = controller.work.session.current.plane(controller.position)
    foreground = sum(click.positive for click in plane.clicks)
    parts = [
        f"object {controller.label}",
        text.describe_clicks(foreground, len(plane.clicks) - foreground),
    ]
    prediction = plane.predictions.get(controller.settings.model)
    if controller.computing.activity:
        parts.append(controller.computing.activity)
    elif plane.empty:
        parts.append(MESSAGES["hint"])
    elif plane.edited is not None:
        parts.append(MESSAGES["by hand" if plane.by_hand else "opened here"])
    elif prediction is not None:
        waited = plane.waited.get(controller.settings.model, prediction.seconds)
        parts.append(text.describe_seconds(waited))
        parts.append(text.describe_scale(prediction.view.scale))
        parts.append(text.describe_obeyed(prediction.clicks_obeyed))
        # Networks that were not trained with clicks may be thrown off by them.
        parts.append("" if prediction.stable else MESSAGES["unstable"])
        parts.append(controller.computing.note)
    return " · ".join(part for part in parts if part)
