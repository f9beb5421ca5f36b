"""Simulated annotations for training.

Two kinds: the k-medoids of candidate sets (the paper, Section 3.1), in NumPy;
and clicks where the network errs, for a whole batch at once, in torch on
whatever device the masks are.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional as F

MAX_DISTANCE = 255.0
_RING = (5.0, 40.0)
_CANDIDATES = 400
_DEEPEST = 40


def background_candidates(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels 5 to 40 pixels outside the object (paper, Section 3.1); (H, W) bool."""
    if not mask.any():
        return np.zeros_like(mask)
    distance = distance_transform_edt(~mask)
    ring: NDArray[np.bool_] = (distance >= _RING[0]) & (distance <= _RING[1])
    return ring


def k_medoids(points: NDArray[np.float64], k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of k of the points such that the sum of distances to the nearest is small.

    Partitioning around medoids (Kaufman and Rousseeuw): from random medoids, the
    swap of a medoid for another point that lowers the sum most, until none does.

    Parameters
    ----------
    points : (N, 2)
    k : int
        1 to N.
    rng : numpy.random.Generator

    Returns
    -------
    (k,) int64, all different
    """
    if not 1 <= k <= len(points):
        raise ValueError(f"k = {k}: allowed is 1 to the number of points, {len(points)}")
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    medoids = rng.choice(len(points), k, replace=False)
    cost = distance[medoids].min(axis=0).sum()
    while True:
        # Row j, column i: the sum with point i in place of medoid j.
        others = [
            np.delete(distance[medoids], j, axis=0).min(axis=0, initial=np.inf) for j in range(k)
        ]
        sums = np.stack([np.minimum(distance, nearest).sum(axis=1) for nearest in others])
        j, i = np.unravel_index(sums.argmin(), sums.shape)
        if sums[j, i] >= cost * (1 - 1e-12):
            return medoids
        medoids[j], cost = i, sums[j, i]


def medoid_clicks(
    candidates: NDArray[np.bool_], k: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(row, column) of the k-medoids of candidate pixels; fewer if there are fewer.

    At most 400 random candidates are clustered: the medoids of a sample are as
    good as those of all pixels, whose distances would not fit in memory.
    """
    points = np.argwhere(candidates)
    if len(points) == 0 or k == 0:
        return np.empty((0, 2), np.int64)
    if len(points) > _CANDIDATES:
        points = points[rng.choice(len(points), _CANDIDATES, replace=False)]
    return points[k_medoids(points.astype(float), min(k, len(points)), rng)]


def depth(mask: Tensor) -> Tensor:
    """About how many pixels the outside of a region is away, on a grid of every second pixel.

    Counts erosions by a 3x3 cross and a 3x3 square in turn, the octagonal
    distance, up to 80 pixels; the image's edge counts as outside.

    Parameters
    ----------
    mask : (B, 1, H, W) bool

    Returns
    -------
    (B, 1, ceil(H/2), ceil(W/2)) float32
        0 outside; everything in a region thinner than the grid may be 0 too.
    """
    # Bytes and slices: an order of magnitude faster on a CPU than pooling.
    left = F.pad(mask[..., ::2, ::2], (1, 1, 1, 1))
    total = torch.zeros_like(left, dtype=torch.uint8)
    for step in range(_DEEPEST):
        if not bool(left.any()):
            break
        total += left
        rows = left[..., 1:-1, :] & left[..., :-2, :] & left[..., 2:, :]
        # A square erodes the eroded rows along the columns, a cross the region itself.
        source = rows if step % 2 else left[..., 1:-1, :]
        columns = source[..., 1:-1] & source[..., :-2] & source[..., 2:]
        left = F.pad(columns & rows[..., 1:-1], (1, 1, 1, 1))
    return 2 * total[..., 1:-1, 1:-1].float()


def draw_points(
    depths: Tensor, deepest: Tensor, generator: torch.Generator, least: float = 0.5
) -> tuple[Tensor, Tensor]:
    """One pixel of each region.

    Parameters
    ----------
    depths : (B, 1, h, w)
        From `depth`.
    deepest : (B,) bool
        True: the deepest pixel; False: any at least ``least`` times as deep, at random.
    generator : torch.Generator
        On the CPU, so that a run's clicks do not depend on the device.

    Returns
    -------
    points : (B, 2) int64
        (row, column) in the grid of the mask.
    found : (B,) bool
        False where the region is empty.
    """
    flat = depths.flatten(1)
    top = flat.max(dim=1, keepdim=True).values
    # One number a region and not one a pixel: drawing those would take longer than the network.
    order = (flat >= least * top).cumsum(1, dtype=torch.int32)
    share = torch.rand((len(flat), 1), generator=generator).to(flat.device)
    chosen = (share * order[:, -1:]).int()
    random = torch.searchsorted(order, chosen, right=True)[:, 0]
    # The maximum of a plateau: the first in raster order, as the click robot takes it.
    index = torch.where(deepest, flat.argmax(dim=1), random)
    width = depths.shape[-1]
    return 2 * torch.stack([index // width, index % width], 1), top[:, 0] > 0


def error_clicks(
    prediction: Tensor, target: Tensor, valid: Tensor, generator: torch.Generator, centre: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The click robot on a batch: a click in the deepest error, with its sign.

    Parameters
    ----------
    prediction, target, valid : (B, 1, H, W) bool
    generator : torch.Generator
    centre : float
        Share of clicks at the deepest pixel itself; the others fall around it.

    Returns
    -------
    points : (B, 2) int64
    positive : (B,) bool
    found : (B,) bool
        False where the prediction has no error that a click could correct.
    """
    errors = torch.cat([target & ~prediction & valid, prediction & ~target & valid])
    missing, excess = depth(errors).chunk(2)
    positive = missing.amax((1, 2, 3)) >= excess.amax((1, 2, 3))
    depths = torch.where(positive.view(-1, 1, 1, 1), missing, excess)
    deepest = (torch.rand(len(target), generator=generator) < centre).to(depths.device)
    points, found = draw_points(depths, deepest, generator)
    return points, positive, found


def add_clicks(distances: Tensor, points: Tensor, positive: Tensor, found: Tensor) -> Tensor:
    """Distances to the nearest click of each sign after one more click a sample.

    Parameters
    ----------
    distances : (B, 2, H, W) float32
        Foreground first, 255 where no click is near.
    points : (B, 2)
    positive, found : (B,) bool
        Samples that are not ``found`` keep their distances.
    """
    rows = torch.arange(distances.shape[-2], device=distances.device, dtype=distances.dtype)
    columns = torch.arange(distances.shape[-1], device=distances.device, dtype=distances.dtype)
    points = points.to(distances)
    new = torch.hypot(
        rows.view(1, -1, 1) - points[:, :1, None], columns.view(1, 1, -1) - points[:, 1:, None]
    )
    sign = torch.stack([positive, ~positive], 1) & found[:, None]
    return torch.where(sign[..., None, None], torch.minimum(distances, new[:, None]), distances)


def maps_of(distances: Tensor) -> Tensor:
    """Interaction maps 1 - min(d, 255)/255."""
    return 1 - distances.clamp(max=MAX_DISTANCE) / MAX_DISTANCE


def spoil(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Masks as another tool might have segmented them: grown, shrunken, with parts
    missing and parts too many.

    Parameters
    ----------
    mask : (B, 1, H, W) bool

    Returns
    -------
    (B, 1, H, W) bool
    """
    result = [mask[:0]]
    for one in mask.float()[:, None]:
        size = max(float(one.sum()) ** 0.5, 1.0)
        radius = int(torch.randint(0, max(2, min(7, int(size / 8))), (1,), generator=generator))
        if torch.rand(1, generator=generator) < 0.5:
            changed = F.max_pool2d(one, 2 * radius + 1, 1, radius)
        else:
            changed = 1 - F.max_pool2d(1 - one, 2 * radius + 1, 1, radius)
        # Blobs about a third as wide as the object, inside it or close to it.
        cells = [max(2, min(32, round(3 * n / size))) for n in one.shape[-2:]]
        noise = torch.randn((1, 1, *cells), generator=generator).to(one.device)
        noise = noise * (F.adaptive_max_pool2d(one, cells) > 0)
        blobs = F.interpolate(noise, one.shape[-2:], mode="bilinear") > 0.8
        result.append((changed > 0.5) ^ blobs)
    return torch.cat(result)


def moved(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Masks as a neighbouring frame or plane has them: shifted, scaled and a little deformed.

    Shifts have a standard deviation of 12 % of the object's size (the root of its area), its
    size changes by 10 %, and its outline by 5 %, in waves about as long as the object.

    Parameters
    ----------
    mask : (B, 1, H, W) bool

    Returns
    -------
    (B, 1, H, W) bool
    """
    height, width = mask.shape[-2:]
    rows = torch.arange(height, device=mask.device, dtype=torch.float)
    columns = torch.arange(width, device=mask.device, dtype=torch.float)
    result = [mask[:0]]
    for one in mask[:, None]:
        inside = one[0, 0]
        area = float(inside.sum())
        if not area:
            result.append(one)
            continue
        size = area**0.5
        middle = (inside.sum(1) * rows).sum() / area, (inside.sum(0) * columns).sum() / area
        shift = 0.12 * size * torch.randn(2, generator=generator)
        scale = float(torch.exp(0.1 * torch.randn(1, generator=generator)))
        cells = [max(2, min(16, round(n / size))) for n in (height, width)]
        waves = 0.05 * size * torch.randn((1, 2, *cells), generator=generator)
        waves = F.interpolate(waves.to(mask.device), (height, width), mode="bicubic")[0]
        row = middle[0] + (rows[:, None] - middle[0]) / scale - shift[0] + waves[0]
        column = middle[1] + (columns[None] - middle[1]) / scale - shift[1] + waves[1]
        # The range from -1 to 1 spans the pixels, their edges included.
        grid = torch.stack([(2 * column + 1) / width - 1, (2 * row + 1) / height - 1], -1)
        result.append(F.grid_sample(one.float(), grid[None], align_corners=False) > 0.5)
    return torch.cat(result)


def filled_boxes(mask: Tensor, generator: torch.Generator, jitter: float = 0.15) -> Tensor:
    """The bounding boxes of masks, filled, as a hand draws them.

    Parameters
    ----------
    mask : (B, 1, H, W) bool
    jitter : float
        Each side lies up to this share of the box's height or width off.

    Returns
    -------
    (B, 1, H, W) bool
        Empty where the mask is.
    """
    result = torch.zeros_like(mask)
    for one, box in zip(mask[:, 0], result[:, 0], strict=True):
        rows, columns = (torch.nonzero(one.any(axis)).flatten() for axis in (1, 0))
        if not len(rows):
            continue
        sides = []
        for span in (rows, columns):
            first, last = int(span[0]), int(span[-1]) + 1
            off = jitter * (last - first) * (2 * torch.rand(2, generator=generator) - 1)
            first, last = max(0, round(first + float(off[0]))), round(last + float(off[1]))
            sides.append(slice(first, max(first + 1, last)))
        box[sides[0], sides[1]] = True
    return result
