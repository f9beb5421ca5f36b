"""The backpropagating refinement scheme (Section 3.2, Eqs. 2–7).

The interaction maps z of the forward pass are changed until every clicked
position has its label:

    E(z) = E_C(z) + λ E_I(z)                       (2)
    E_C(z) = Σ_u (l(u) − y(u))²                    (4)   corrective energy, over the clicks u
    E_I(z) = Σ_x (z(x) − z_i(x))²                  (5)   inertial energy, over the maps

minimised by L-BFGS. Any network serves: all that is needed is its output as a
function of the maps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_brs.brs.view import sample

INERTIA = 1e-3
"""λ in Eq. 2."""
HISTORY = 20
"""Curvature pairs that L-BFGS keeps, as in the authors' code."""
MARGIN = 2.0
"""By how much the first step aims to put a wrong click's logit on the right side."""


@dataclass(frozen=True)
class Refinement:
    """What a minimisation came to.

    Attributes
    ----------
    maps : (1, C, H, W) float32
        Maps of the best evaluation.
    output : Tensor
        What ``decode`` gave for them; logits (1, K, H, W) unless ``logits_of`` makes them of it.
    evaluations : int
        Forward and backward passes made, that of `Start` included.
    energies : tuple of float
        E of each evaluation, in order.
    seconds : float
    stopped : str
        ``"obeyed"``: every click has its label; ``"converged"``: no lower
        energy is in reach; ``"limit"``: the evaluations are used up;
        ``"cancelled"``.
    """

    maps: Tensor
    output: Tensor
    evaluations: int
    energies: tuple[float, ...]
    seconds: float
    stopped: Literal["obeyed", "converged", "limit", "cancelled"]


@dataclass(frozen=True)
class Start:
    """What a network gave for the maps that a refinement starts from, so as not to ask again.

    Attributes
    ----------
    leaf : (1, C, H, W) float32
        The maps, which require gradients.
    output : Tensor
        What ``decode`` gave for them, with its graph, which is kept.
    weight : float or (1, C, H, W) tensor
        Change of ``leaf`` for a change of what is refined.
    """

    leaf: Tensor
    output: Tensor
    weight: Tensor | float = 1.0

    @staticmethod
    def of(decode: Callable[[Tensor], Tensor], maps: Tensor) -> Start:
        """Ask a network, and keep what its gradient needs."""
        leaf = maps.detach().clone().requires_grad_()
        with torch.enable_grad():
            return Start(leaf, decode(leaf))


def corrective_energy(
    logits: Tensor, points: Tensor, labels: Tensor, channels: Tensor | int = 0
) -> Tensor:
    """E_C (Eq. 4): squared errors of the probability at the clicks.

    Parameters
    ----------
    logits : (1, K, H, W)
    points : (N, 2)
        (row, column) in the grid, sampled bilinearly between pixels.
    labels : (N,)
        1 for foreground, 0 for background.
    channels : int or (N,) int64
        Which of the K classes each click speaks of.
    """
    # The sigmoid, but for its gradient: that stays above 0 where the sigmoid rounds to 1.
    probability = F.logsigmoid(logits).exp()
    return (labels - sample(probability, points, channels)).square().sum()


def inertial_energy(maps: Tensor, anchor: Tensor) -> Tensor:
    """E_I (Eq. 5): squared change of the maps, both (1, C, H, W)."""
    return (maps - anchor).square().sum()


def prepare() -> None:
    """Load what the first refinement of a process loads: torch's optimisers, some seconds."""
    torch.optim.LBFGS([torch.zeros(1)])


class _Stop(Exception):
    """Leaves the optimiser from within an evaluation."""


def refine(
    decode: Callable[[Tensor], Tensor],
    maps: Tensor,
    points: Tensor,
    labels: Tensor,
    *,
    channels: Tensor | int = 0,
    inertia: float = INERTIA,
    max_evaluations: int = 20,
    is_obeyed: Callable[[Tensor], bool] | None = None,
    on_evaluation: Callable[[int, float], bool | None] | None = None,
    logits_of: Callable[[Tensor], Tensor] = lambda output: output,
    known: Start | None = None,
) -> Refinement:
    """Minimise E over the interaction maps (Eq. 3).

    Everything stays on the device of `maps`; per evaluation only numbers for
    the line search come back.

    Parameters
    ----------
    decode : callable
        Maps (1, C, H, W) to logits (1, K, H, W), differentiable.
    maps : (1, C, H, W) float32
        Start, and the z_i that E_I holds on to.
    points : (N, 2)
        Clicks in the grid, (row, column).
    labels : (N,)
        1 for foreground, 0 for background.
    channels : int or (N,) int64
        Which of the K logits each click speaks of.
    inertia : float
        λ of Eq. 2, at least 0.
    max_evaluations : int
        Forward and backward passes at most, at least 1.
    is_obeyed : callable, optional
        Judges logits; True ends the refinement. Without it only the other
        criteria do.
    on_evaluation : callable, optional
        Called with the number of evaluations so far and the last energy;
        returning False cancels.
    logits_of : callable
        Logits (1, K, H, W) of what ``decode`` gives, if that is something else.
    known : Start, optional
        What the network gave for `maps` already.

    Raises
    ------
    ValueError
        If `inertia` or `max_evaluations` is out of range.
    """
    if not inertia >= 0:
        raise ValueError(f"inertia is {inertia}; it must be at least 0")
    if max_evaluations < 1:
        raise ValueError(f"max_evaluations is {max_evaluations}; it must be at least 1")
    began = time.perf_counter()
    start = maps.detach().contiguous()
    points = points.to(start)
    labels = labels.to(start)
    energies: list[float] = []
    best_maps, best_output = start, start
    stopped: Literal["obeyed", "converged", "limit", "cancelled"] = "converged"

    def evaluate(moved: Tensor) -> tuple[Tensor, Tensor]:
        """Energy and gradient; keeps the best maps; raises `_Stop` when it is over."""
        nonlocal best_maps, best_output, stopped
        variable = moved.requires_grad_()
        with torch.enable_grad():
            if known is not None and not energies:
                output = known.output
                logits = logits_of(output)
                # E_I and its gradient are 0 at the start.
                energy = corrective_energy(logits, points, labels, channels)
                (gradient,) = torch.autograd.grad(energy, known.leaf, retain_graph=True)
                gradient = known.weight * gradient
            else:
                output = decode(variable)
                logits = logits_of(output)
                energy = corrective_energy(logits, points, labels, channels)
                energy = energy + inertia * inertial_energy(variable, start)
                (gradient,) = torch.autograd.grad(energy, variable)
        # Networks in channels_last give it in theirs, which L-BFGS cannot flatten.
        gradient = gradient.contiguous()
        value = float(energy.detach())
        # A trial step that happens to obey but costs more than doing nothing is no solution.
        obeyed = (
            (not energies or value < energies[0])
            and is_obeyed is not None
            and is_obeyed(logits.detach())
        )
        if obeyed or not energies or value < min(energies):
            best_maps, best_output = variable.detach(), output.detach()
        energies.append(value)
        cancelled = on_evaluation is not None and on_evaluation(len(energies), value) is False
        if obeyed:
            stopped = "obeyed"
            raise _Stop
        if cancelled:
            stopped = "cancelled"
            raise _Stop
        if len(energies) >= max_evaluations:
            stopped = "limit"
            raise _Stop
        return energy.detach(), gradient

    try:
        first_energy, first_gradient = evaluate(start.clone())
        unit = _step_unit(logits_of(best_output), points, labels, channels, first_gradient)
        if unit > 0:
            _minimise(evaluate, start, unit, first_energy, first_gradient)
    except _Stop:
        pass
    return Refinement(
        best_maps,
        best_output,
        len(energies),
        tuple(energies),
        time.perf_counter() - began,
        stopped,
    )


def _step_unit(
    logits: Tensor, points: Tensor, labels: Tensor, channels: Tensor | int, gradient: Tensor
) -> float:
    """Change of the maps that the optimiser's unit stands for.

    The first step of L-BFGS has no curvature to go by. Its natural length is the
    one that, to first order, moves the logits of wrong clicks to `MARGIN` on
    their side of 0: a step of length η against the gradient g changes them by
    Σ c_k Δy_k = −η |g|, with c_k = ∂E_C/∂y_k. The optimiser makes a first step of
    1-norm min(1, |g|₁) in its own variable v, with maps = start + unit · v;
    solving for a step of length η gives the unit.
    """
    logit = sample(logits, points, channels)
    probability = logit.sigmoid()
    pull = (2 * (probability - labels) * probability * (-logit).sigmoid()).abs()
    shortfall = (MARGIN - (2 * labels - 1) * logit).clamp(min=0)
    length = gradient.norm()
    total = gradient.abs().sum()
    step, length_, total_ = torch.stack([(pull * shortfall).sum(), length, total]).tolist()
    if length_ == 0 or not math.isfinite(total_):
        return 0.0
    step = step / length_ or 1.0
    unit = step * total_ / length_
    return unit if unit * total_ >= 1 else math.sqrt(step / length_)


def _minimise(
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]],
    start: Tensor,
    unit: float,
    energy: Tensor,
    gradient: Tensor,
) -> None:
    """Run L-BFGS with a strong-Wolfe line search until it converges or `evaluate` stops it."""
    variable = torch.zeros_like(start)
    optimiser = torch.optim.LBFGS(
        [variable],
        max_iter=10_000,
        max_eval=10_000,
        tolerance_grad=0.0,
        tolerance_change=1e-12,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
    )
    known: tuple[Tensor, Tensor] | None = (energy, gradient)

    def closure() -> Tensor:
        nonlocal known
        # The optimiser asks for the start first, which has been evaluated already.
        energy, gradient = known or evaluate(start + unit * variable)
        known = None
        variable.grad = unit * gradient
        return energy

    optimiser.step(closure)  # type: ignore[no-untyped-call]
