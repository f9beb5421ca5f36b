"""The rest of a frame: proposed from its finished objects, and accepted or rejected.

Proposals stand in a layer of their own until they are accepted. Those that were rejected are
examples against in the next round.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from napari_brs.masks import Box, Mask
from napari_brs.plugin.context import Context
from napari_brs.plugin.engine import Done, Found, Job, News
from napari_brs.plugin.jobs import Jobs
from napari_brs.plugin.layers.objects import masks_in
from napari_brs.plugin.layers.proposals import draw_proposals, make_proposals
from napari_brs.plugin.state import DockState
from napari_brs.plugin.text import MESSAGES
from napari_brs.segmenters import Segmenter
from napari_brs.session import Position

if TYPE_CHECKING:
    from napari_brs.completion.propose import Proposal

LONGEST = 4096
"""Of a plane with a longer side, only what is on display is completed."""


@dataclass(kw_only=True)
class CompleteJob(Job):
    """Proposes the objects of a plane that are like the finished ones.

    Attributes
    ----------
    finished, rejected : sequence of Mask
    position : Position
    region : Box
        Where to look, in pixels of the plane.
    """

    what = "finding the rest"

    finished: Sequence[Mask]
    rejected: Sequence[Mask]
    position: Position
    region: Box

    def steps(
        self,
        segmenter: Segmenter,
        report: Callable[[News], None],
        stopped: Callable[[], bool],
    ) -> Generator[News, None, None]:
        yield from ()
        # Here, because this loads torch.
        from napari_brs.completion import propose

        found = propose.propose(segmenter, self.finished, self.rejected, region=self.region)  # type: ignore[arg-type]
        for proposal in found:
            yield Found(proposal)
            if stopped():
                break
        yield Done(None)


@dataclass
class _Round:
    """What was proposed last, and where."""

    image: Image
    position: Position
    region: Box
    layer: Labels
    proposals: list[Proposal] = field(default_factory=list)


class Completing:
    """Has objects proposed, shows them, and writes the accepted ones into the objects layer."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs
        self._round: _Round | None = None
        self._rejected: dict[tuple[str, Position], list[Mask]] = {}
        self._drawn = context.settings.confidence
        context.image_left.connect(lambda _: self._drop())
        context.changed.connect(self._on_changed)
        jobs.found.connect(self._on_found)
        jobs.done.connect(self._on_done)

    def proposals(self, state: DockState) -> tuple[Proposal, ...]:
        """Those of the plane on display."""
        shown = self._round
        if shown is None or state.position != shown.position:
            return ()
        return tuple(shown.proposals)

    def find_rest(self) -> None:
        """Propose the objects of the plane on display that are like the finished ones."""
        context = self._context
        if context.work is None or context.state.problems:
            return
        self._jobs.cancel()
        self._drop()
        context.take_paint()
        image, position = context.image, context.position
        assert image is not None
        region = region_of(image, position, context.work.session.plane_shape(position))
        finished = self._finished(region)
        if not finished:
            context.say(MESSAGES["no examples"])
            return
        layer = make_proposals(image, position, region)
        self._round = _Round(image, position, region, layer)
        active = context.viewer.layers.selection.active
        with context.writing():
            context.viewer.add_layer(layer)
            context.viewer.layers.selection.active = active
            context.work.raise_helpers(context.viewer)
        context.say(MESSAGES["completing"])
        self._jobs.submit(
            CompleteJob(
                model=context.settings.model,
                device=context.settings.device,
                image=context.image_plane(),
                trust=context.settings.model in context.offer.files,
                finished=finished,
                rejected=tuple(self._rejected.get((image.unique_id, position), ())),
                position=position,
                region=region,
            )
        )

    def accept_all(self) -> None:
        """Finish the proposals above the confidence; one step of undo. The others go."""
        least = self._context.settings.confidence
        likely = [one for one in self.proposals(self._context.state) if one.confidence >= least]
        if likely:
            self._jobs.cancel()
            self._accept(likely)
            self._drop()
            self._context.update()

    def accept(self) -> None:
        """Finish the proposal under the mouse."""
        proposal = self._under_cursor()
        if proposal is not None:
            self._accept([proposal])
            self._take(proposal)

    def reject(self) -> None:
        """Drop the proposal under the mouse; nothing like it is proposed next time."""
        proposal = self._under_cursor()
        if proposal is not None and self._round is not None:
            where = self._round.image.unique_id, self._round.position
            self._rejected.setdefault(where, []).append(proposal.mask)
            self._take(proposal)
            self._context.say(MESSAGES["rejected"])

    def discard(self) -> None:
        """Drop all proposals."""
        if self._round is not None:
            self._jobs.cancel()
            self._drop()
            self._context.refresh()

    def _finished(self, region: Box) -> list[Mask]:
        """The finished objects of the plane on display, as far as they lie in a region."""
        context = self._context
        assert context.work is not None
        if context.work.objects is None:
            return []
        return list(masks_in(context.work.objects, context.position, region=region).values())

    def _accept(self, proposals: Sequence[Proposal]) -> None:
        context = self._context
        assert context.work is not None
        masks = [one.mask for one in proposals]
        try:
            context.make_layers()
            with context.writing():
                count = context.work.finish(context.position, masks)
        except ValueError as error:
            context.say(str(error))
            return
        context.number()
        context.refresh(MESSAGES["accepted"].format(count=count))

    def _under_cursor(self) -> Proposal | None:
        row, column = self._context.under_cursor().pixel if self._round else (-1, -1)
        shown = self.proposals(self._context.state)
        under = [one for one in shown if one.mask.holds(row, column)]
        if not under:
            self._context.say(MESSAGES["no proposal here"])
        return under[0] if under else None

    def _take(self, proposal: Proposal) -> None:
        """Show a proposal no more."""
        if self._round is not None:
            self._round.proposals.remove(proposal)
            self._draw()
            self._context.update()

    def _drop(self) -> None:
        shown, self._round = self._round, None
        if shown is not None:
            with self._context.writing(), suppress(ValueError):
                self._context.viewer.layers.remove(shown.layer)

    def _draw(self) -> None:
        if self._round is not None:
            self._drawn = self._context.settings.confidence
            shown = self._round
            draw_proposals(shown.layer, shown.region, shown.proposals, self._drawn)

    def _on_changed(self, state: DockState) -> None:
        if state.settings.confidence != self._drawn:
            self._draw()

    def _on_found(self, job: Job, found: Found) -> None:
        shown = self._round
        if shown is None or not isinstance(job, CompleteJob) or job.stop.is_set():
            return
        if shown.position == job.position and self._context.has(job.image):
            shown.proposals.append(found.proposal)
            self._draw()

    def _on_done(self, job: Job, done: Done) -> None:
        if isinstance(job, CompleteJob) and self._round is not None:
            count = len(self._round.proposals)
            self._context.say(MESSAGES["proposed"].format(count=count))


def region_of(image: Any, position: Position, shape: tuple[int, int]) -> Box:
    """Where a plane is completed: all of it, or of a large one what is on display."""
    whole = Box(0, 0, *shape)
    if max(shape) <= LONGEST:
        return whole
    corners = np.asarray(image.corner_pixels, float)
    if image.multiscale:
        corners = corners * image.downsample_factors[image.data_level]
    inside = [axis for axis, index in enumerate(position) if index is None]
    (top, left), (bottom, right) = corners[:, inside].astype(int)
    return Box(
        int(top), int(left), min(int(bottom) + 1, int(top) + LONGEST),
        min(int(right) + 1, int(left) + LONGEST),
    ).intersection(whole)  # fmt: skip
