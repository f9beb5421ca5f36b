"""Clicks that correct a converted network's output near them, and nowhere else.

The networks of Section 3.3 were not trained with interaction maps: without bounds, the
maps that put one pixel right may spoil the other end of the image. Two things keep them
from it. The maps change only near the clicks that are wrong, ever less towards the border
of that neighbourhood. And what has changed far away is counted: if it is too much, the
neighbourhood is halved; if that does not help, the result says that it is unstable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_brs.brs.refinement import INERTIA, Refinement, Start, refine
from napari_brs.converted.network import ConvertedNetwork

REACH = 64
"""Pixels from a wrong click within which the maps may change."""
ATTEMPTS = 4
"""Minimisations at most: with other neighbourhoods, or less inertia."""
LESS_INERTIA = 0.1
"""Factor of λ where the energy is lowest with a click that is still wrong."""
FAR = 2 * REACH
"""Pixels from the wrong clicks beyond which nothing is meant to change."""
FAR_SHARE = 0.01
"""Share of the far pixels that may change nevertheless."""


@dataclass(frozen=True)
class Correction:
    """What a refinement came to.

    Attributes
    ----------
    maps : (1, C, H, W) float32
        z; 0 where the image is as it was.
    output : (1, K, h, w) float32
        The network's output for them, as `ConvertedNetwork.decode` gives it.
    refinement : Refinement
    far_change : float
        Share of the pixels farther than `FAR` from every wrong click that changed
        their class, or that would have if the clicks had been obeyed.
    stable : bool
        False if obeying the clicks would have changed more than `FAR_SHARE` of them.
    """

    maps: Tensor
    output: Tensor
    refinement: Refinement
    far_change: float
    stable: bool


def begin(network: ConvertedNetwork, x: Tensor, maps: Tensor | None = None) -> Start:
    """What a network gives for an input and the maps so far; default zeros, both (1, C, H, W)."""
    return Start.of(lambda z: network.decode(x, z), torch.zeros_like(x) if maps is None else maps)


def correct(
    network: ConvertedNetwork,
    x: Tensor,
    start: Start,
    points: Tensor,
    labels: Tensor,
    targets: Sequence[int],
    *,
    threshold: float = 0.5,
    max_evaluations: int = 20,
    on_evaluation: Callable[[int, float], bool | None] | None = None,
) -> Correction:
    """Minimise E (Section 3.2) over the maps of a converted network, near the wrong clicks.

    E_I is measured in standard deviations of the network's input, so that λ means the same
    whatever range the input has.

    Parameters
    ----------
    network : ConvertedNetwork
    x : (1, C, H, W) float32
        The network's input.
    start : Start
        The maps to start from, which E_I holds on to, and the network's output for them;
        see `begin`.
    points : (N, 2) int64
        Clicked pixels, (row, column).
    labels : (N,) bool
        Whether the pixel has the class, or has it not.
    targets : sequence of int
        The class that each click speaks of.
    threshold : float
        Of the probability, for a class against all others.
    max_evaluations : int
        Per attempt.
    on_evaluation : callable, optional
        As for `refine`.
    """
    size = (x.shape[-2], x.shape[-1])
    classes = sorted(set(targets))
    channels = torch.tensor([classes.index(target) for target in targets], device=x.device)
    edge = math.log(threshold / (1 - threshold))
    unit = float(x.std()) or 1.0
    exclusive = network.exclusive and len(network.classes) > 2

    def judged(output: Tensor) -> Tensor:
        """Log-odds of the classes; then, where classes exclude, their lead."""
        odds = network.log_odds(output, classes, size)
        return torch.cat([odds, network.lead(output, classes, size)], 1) if exclusive else odds

    def obeyed(logits: Tensor) -> Tensor:
        at_clicks = logits[0, :, points[:, 0], points[:, 1]]
        each = torch.arange(len(points), device=x.device)
        given = at_clicks[channels, each] > edge
        if exclusive:
            # What is denied must not be the likeliest class either: that is what is shown.
            given |= ~labels & (at_clicks[len(classes) + channels, each] > 0)
        return given == labels

    maps, before = start.leaf.detach(), start.output.detach()
    wrong = points[~obeyed(judged(before))]
    distance = _distance(wrong if len(wrong) else points, size)
    far = distance > FAR
    reach, inertia = float(REACH), INERTIA
    quiet, loud = None, None
    for _ in range(ATTEMPTS):
        window = unit * _window(distance, reach)

        def decode(change: Tensor, window: Tensor = window) -> Tensor:
            return network.decode(x, maps + window * change)

        refinement = refine(
            decode,
            torch.zeros_like(x),
            points.to(x.dtype),
            labels.to(x.dtype),
            channels=channels,
            inertia=inertia,
            max_evaluations=max_evaluations,
            is_obeyed=lambda logits: bool(obeyed(logits).all()),
            on_evaluation=on_evaluation,
            logits_of=judged,
            known=replace(start, weight=window),
        )
        moved, output = maps + window * refinement.maps, refinement.output
        changed = _decided(network, before, size) != _decided(network, output, size)
        share = float(changed.any(1)[0][far].float().mean()) if bool(far.any()) else 0.0
        found = Correction(moved, output, refinement, share, share <= FAR_SHARE)
        if found.stable:
            quiet = found
        else:
            loud = found
        if refinement.stopped == "cancelled":
            break
        if not found.stable:
            reach /= 2
        elif loud is None and refinement.stopped == "converged":
            inertia *= LESS_INERTIA
        else:
            break
    if quiet is not None and (loud is None or quiet.refinement.stopped == "obeyed"):
        return quiet
    assert loud is not None
    if quiet is None:
        quiet = replace(loud, maps=maps, output=before)
    return replace(quiet, far_change=loud.far_change, stable=False)


def _distance(points: Tensor, size: tuple[int, int]) -> Tensor:
    """(rows, columns) of the distance to the nearest of (N, 2) points."""
    rows = torch.arange(size[0], device=points.device)[:, None]
    columns = torch.arange(size[1], device=points.device)[None]
    squares = [(rows - row) ** 2 + (columns - column) ** 2 for row, column in points]
    return torch.stack(squares).amin(0).float().sqrt()


def _window(distance: Tensor, reach: float) -> Tensor:
    """1 at distance 0, falling to 0 at the reach, as a squared cosine."""
    falling = (distance * (math.pi / 2 / reach)).cos().square()
    return falling * (distance < reach)


def _decided(network: ConvertedNetwork, output: Tensor, size: tuple[int, int]) -> Tensor:
    """The class of each pixel, (1, 1, H, W), or for each class whether the pixel has it."""
    if network.exclusive:
        return network.probabilities(output, size).argmax(1, keepdim=True)
    return network.probabilities(output, size) > 0.5
