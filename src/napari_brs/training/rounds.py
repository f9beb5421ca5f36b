"""One training step: several rounds of clicks on objects that share an image."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from napari_brs.networks.base import InteractiveNetwork
from napari_brs.networks.brs import BRSNetwork

from .click_sampling import (
    MAX_DISTANCE,
    add_clicks,
    background_candidates,
    depth,
    draw_points,
    error_clicks,
    filled_boxes,
    maps_of,
    medoid_clicks,
    moved,
    spoil,
)
from .config import ClickConfig, LossConfig
from .crops import Crop
from .hints import Teacher
from .losses import cross_entropy_loss, normalized_focal_loss

_MAX_FOREGROUND = 10
_MAX_BACKGROUND = 10
_START_CLICKS = 4
# Radius of the neighbourhood in which the click loss asks for the click's sign.
_CLICK_RADIUS = 5.0


class Step(NamedTuple):
    loss: Tensor
    """Scalar."""
    iou: Tensor
    """Scalar: mean IoU after the last round."""


class ClickRounds(nn.Module):
    """Loss of an interactive network over rounds of simulated clicks.

    With a teacher, its hints are part of the loss; the network then is a `BRSNetwork`.

    The forward pass of a module, so that Fabric can wrap it for its precision
    and for several devices.
    """

    def __init__(
        self,
        network: InteractiveNetwork,
        clicks: ClickConfig,
        loss: LossConfig,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.teacher = teacher
        self._clicks, self._loss = clicks, loss

    def forward(self, crop: Crop, seed: tuple[int, int, int]) -> Step:
        """Encode B images once; click on K objects of each; average the losses.

        The last round is trained, and one of those before it at random.

        Parameters
        ----------
        crop : Crop
            A batch: image (B, 3, H, W), masks (B, K, H, W), valid (B, H, W).
        seed : (int, int, int)
            Of the run, the step and the process; determines all clicks. The number
            of rounds depends on the first two alone: processes wait for each other.
        """
        objects = crop.masks.shape[1]
        generator = torch.Generator().manual_seed(
            int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1)
        )
        target = crop.masks.flatten(0, 1)[:, None]
        valid = crop.valid.repeat_interleave(objects, 0)[:, None]
        features: Any = self.network.encode(crop.image)
        features = type(features)(*(f.repeat_interleave(objects, 0) for f in features))

        rng = np.random.default_rng(seed[:2])
        if self._clicks.strategy == "k-medoids":
            distances, previous = self._medoids(target, seed), torch.zeros_like(target).float()
            rounds = 1
        else:
            distances, previous = self._start(target, valid, generator)
            weights = np.array(self._clicks.rounds)
            rounds = 1 + int(rng.choice(len(weights), p=weights / weights.sum()))

        # Late rounds show many clicks; a gradient through all of them would be slow.
        trained = {rounds} if rounds == 1 else {rounds, int(rng.integers(1, rounds))}
        total = crop.image.new_zeros(())
        for number in range(1, rounds + 1):
            with torch.set_grad_enabled(number in trained and torch.is_grad_enabled()):
                maps = maps_of(distances)
                if self.teacher is not None and number in trained:
                    coarse, fine, hints = self.teacher.decode_both(
                        cast(BRSNetwork, self.network), features, maps
                    )
                    total = total + self._loss.hints * hints.mean()
                else:
                    coarse, fine = self.network.decode_both(features, maps, previous)
                if number in trained:
                    total = total + self._round_loss(coarse, fine, target, valid, distances)
            prediction = (fine if self._loss.fine else coarse).detach()
            if number == rounds:
                break
            points, positive, found = error_clicks(
                prediction > 0, target, valid, generator, self._clicks.centre
            )
            distances = add_clicks(distances, points, positive, found)
            keep = torch.rand(len(target), generator=generator) >= self._clicks.drop_previous
            previous = prediction.float().sigmoid() * keep.to(prediction.device).view(-1, 1, 1, 1)
        hit = (prediction > 0) & valid
        intersection = (hit & target).sum((1, 2, 3))
        iou = intersection / (hit | target).sum((1, 2, 3)).clamp(min=1)
        return Step(total / len(trained), iou.mean())

    def _round_loss(
        self, coarse: Tensor, fine: Tensor, target: Tensor, valid: Tensor, distances: Tensor
    ) -> Tensor:
        config = self._loss
        coarse, fine = coarse.float(), fine.float()
        near = (1 - distances.amin(1, keepdim=True) / _CLICK_RADIUS).clamp(min=0) * valid
        loss = config.coarse * cross_entropy_loss(coarse, target, valid)
        if config.fine:
            if config.kind == "focal":
                loss = loss + config.fine * normalized_focal_loss(fine, target, valid)
            else:
                loss = loss + config.fine * cross_entropy_loss(fine, target, valid)
        if config.clicks:
            output = fine if config.fine else coarse
            loss = loss + config.clicks * cross_entropy_loss(output, target, near)
        return loss.mean()

    def _start(
        self, target: Tensor, valid: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Distances and previous masks of the first round."""
        config = self._clicks
        count = len(target)
        device = target.device
        # Each kind of start has its share; what is left starts with several clicks.
        shares = torch.tensor([config.correction, config.box, config.moved, config.single])
        kind = torch.bucketize(torch.rand(count, generator=generator), shares.cumsum(0), right=True)
        correct, boxed, shifted, _, several = (kind.to(device) == k for k in range(5))
        start = torch.zeros_like(target)
        start[correct] = spoil(target[correct], generator)
        start[boxed] = filled_boxes(target[boxed], generator)
        start[shifted] = moved(target[shifted], generator)

        distances = target.new_full((count, 2, *target.shape[-2:]), MAX_DISTANCE, dtype=torch.float)
        # The first click is where a spoilt mask errs, in the middle of what a moved one still
        # covers, and else, as on an empty prediction, in the middle of the object.
        shown = start & correct.view(-1, 1, 1, 1)
        kept = start & target & shifted.view(-1, 1, 1, 1)
        goal = torch.where(kept.any(-1, True).any(-2, True), kept, target)
        points, positive, found = error_clicks(shown, goal, valid, generator, config.centre)
        # A box means the object without any click, too.
        silent = boxed & (torch.rand(count, generator=generator) < 0.5).to(device)
        distances = add_clicks(distances, points, positive, found & ~silent)
        if bool(several.any()):
            part, seen = distances[several], valid[several]
            number = torch.randint(0, _START_CLICKS, (2, len(part)), generator=generator)
            anywhere = torch.zeros(len(part), dtype=torch.bool, device=device)
            for positives, region in ((True, target[several]), (False, ~target[several])):
                depths = depth(region & seen)
                for k in range(_START_CLICKS - 1):
                    points, found = draw_points(depths, anywhere, generator, least=0.1)
                    found = found & (number[0 if positives else 1] > k).to(device)
                    part = add_clicks(part, points, anywhere | positives, found)
            distances[several] = part
        return distances, start.float()

    def _medoids(self, target: Tensor, seed: tuple[int, int, int]) -> Tensor:
        """Foreground clicks 1-10 and background clicks 0-10 (paper, Section 3.1)."""
        rng = np.random.default_rng(seed)
        distances = target.new_full((len(target), 2, *target.shape[-2:]), MAX_DISTANCE,
                                    dtype=torch.float)  # fmt: skip
        for n, mask in enumerate(target[:, 0].cpu().numpy()):
            for positive, candidates, low, high in (
                (True, mask, 1, _MAX_FOREGROUND),
                (False, background_candidates(mask), 0, _MAX_BACKGROUND),
            ):
                for point in medoid_clicks(candidates, int(rng.integers(low, high + 1)), rng):
                    distances[n : n + 1] = add_clicks(
                        distances[n : n + 1],
                        torch.from_numpy(point[None]),
                        torch.tensor([positive], device=target.device),
                        torch.tensor([True], device=target.device),
                    )
        return distances
