"""Refinement as a textbook has it, to compare the project's own with.

The two energies of the BRS paper (Jang & Kim, CVPR 2019, Eqs. 2-7), minimised by
SciPy's L-BFGS-B over double-precision arrays on the host, one click pixel each, over
the maps of the whole image: the network is asked for the energy and its gradient,
and everything is copied between host and device in each evaluation. The settings
are those of the authors' code: history 20, at most 100 iterations, no bounds, and a
stop as soon as every click is off by less than a half.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import fmin_l_bfgs_b
from torch import Tensor

INERTIA = 1e-3
HISTORY = 20
MAX_ITERATIONS = 100


class _Stop(Exception):
    """Every click has its label, or the evaluations are used up."""


def refine(
    decode: Callable[[Tensor], Tensor],
    maps: NDArray[np.float32],
    pixels: NDArray[np.intp],
    labels: NDArray[np.bool_],
    max_evaluations: int = 15000,
) -> tuple[NDArray[np.float64], int]:
    """Refined maps and the evaluations that they took.

    Parameters
    ----------
    decode : callable
        Maps (1, 2, H, W) to logits (1, 1, H, W), differentiable.
    maps : (2, H, W) float32
    pixels : (N, 2) int
        Clicked (row, column).
    labels : (N,) bool
    max_evaluations : int
        SciPy's own limit by default.
    """
    anchor = maps.astype(np.float64)
    rows, columns = pixels.T
    wanted = labels.astype(np.float64)
    evaluations = 0
    latest = anchor

    def energy(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nonlocal evaluations, latest
        evaluations += 1
        latest = flat.reshape(anchor.shape).copy()
        variable = torch.tensor(latest[None], dtype=torch.float32, requires_grad=True)
        probability = decode(variable).sigmoid()[0, 0, rows, columns]
        error = probability - torch.as_tensor(wanted, dtype=torch.float32)
        if bool((error.abs() < 0.5).all()):
            raise _Stop
        corrective = error.square().sum()
        (gradient,) = torch.autograd.grad(corrective, variable)
        change = latest - anchor
        total = float(corrective.detach()) + INERTIA * float(np.sum(change**2))
        if evaluations >= max_evaluations:
            raise _Stop
        slope = gradient[0].numpy().astype(np.float64) + 2 * INERTIA * change
        return total, slope.ravel()

    try:
        flat, _, _ = fmin_l_bfgs_b(
            energy,
            anchor.ravel(),
            m=HISTORY,
            maxiter=MAX_ITERATIONS,
        )
        latest = flat.reshape(anchor.shape)
    except _Stop:
        pass
    return latest, evaluations
