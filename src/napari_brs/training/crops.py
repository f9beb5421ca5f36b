"""Crops of an image with several of its objects: cut, scaled, flipped and augmented."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation
from torch import Tensor

from napari_brs.brs.zoom import first_view
from napari_brs.masks import Box

from .augment import augment
from .config import DataConfig
from .items import Item

# What normalises to zero, so that borders look like the networks' own padding.
_BORDER_RGB = (123.68, 116.779, 103.939)
_SCALES = (1 / 6, 4.0)
# Pixels between two masks that count as touching.
_TOUCHING = 3


class Crop(NamedTuple):
    """One crop and K of its objects; a batch of them has a leading dimension more."""

    image: Tensor
    """(3, H, W) float32, RGB in [0, 255]."""
    masks: Tensor
    """(K, H, W) bool: objects, of which one may be there more than once; or the
    foreground and its cores (``data.targets``)."""
    valid: Tensor
    """(H, W) bool; False where pixels count for nothing."""


def make_crop(
    item: Item, target: int, shape: tuple[int, int], config: DataConfig, rng: np.random.Generator
) -> Crop | None:
    """Cut, scale, flip and augment; None if the target object is hardly visible.

    Parameters
    ----------
    item : Item
    target : int
        Position in ``item.objects`` of the object that sets scale and place.
    shape : (rows, columns)
    config : DataConfig
    rng : numpy.random.Generator
    """
    number, *box = item.objects[target]
    rotate = item.source in config.rotate
    turned = rotate and rng.random() < 0.5
    rows, columns = shape[::-1] if turned else shape
    window = _draw_window(item, number, box, (rows, columns), config, rng)
    inside, place = _clip(window, item.labels.shape, (rows, columns))
    if place[2] - place[0] < 4 or place[3] - place[1] < 4:
        return None

    size = (place[3] - place[1], place[2] - place[0])
    pixels = np.asarray(
        Image.fromarray(item.image).resize(size, Image.Resampling.BILINEAR, inside), np.float32
    )
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if config.augment:
        pixels = augment(pixels, rng, microscopy=rotate)
    canvas = np.empty((rows, columns, 3), np.float32)
    canvas[:] = _BORDER_RGB
    valid = np.zeros((rows, columns), bool)
    part = np.s_[place[0] : place[2], place[1] : place[3]]
    canvas[part] = pixels
    valid[part] = ~_scaled(item.ignored, size, inside)

    def placed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        whole = np.zeros((rows, columns), bool)
        whole[part] = _scaled(mask, size, inside)
        return whole & valid

    if config.targets == "foreground":
        stack = np.stack([placed(item.foreground), placed(item.cores)])
    else:
        masks = []
        for other in _visible(item, target, inside, rng):
            mask = placed(item.labels == item.objects[other][0])
            if np.count_nonzero(mask) >= config.min_pixels:
                masks.append(mask)
            elif other == target:
                return None
            if len(masks) == config.objects_per_crop:
                break
        if len(masks) > 1 and rng.random() < config.merge:
            masks[1] = _merged(masks[0], masks[1])
        stack = np.stack([masks[k % len(masks)] for k in range(config.objects_per_crop)])

    image = canvas.transpose(2, 0, 1)
    arrays = [image, stack, valid]
    if turned:
        arrays = [a.swapaxes(-1, -2) for a in arrays]
    if rng.random() < 0.5:
        arrays = [a[..., ::-1] for a in arrays]
    if rotate and rng.random() < 0.5:
        arrays = [a[..., ::-1, :] for a in arrays]
    return Crop(*(torch.from_numpy(np.ascontiguousarray(a)) for a in arrays))


def _draw_window(
    item: Item,
    number: int,
    box: list[int],
    shape: tuple[int, int],
    config: DataConfig,
    rng: np.random.Generator,
) -> tuple[float, float, float, float]:
    """(top, left, bottom, right) in image pixels; it may reach over the image's edge."""
    image = item.labels.shape
    fit = min(shape[0] / image[0], shape[1] / image[1])
    extent = np.array([box[2] - box[0], box[3] - box[1]], float)
    start = np.empty(2)
    if config.native_scale:
        rows, columns = np.nonzero(item.labels == number)
        k = rng.integers(len(rows))
        if config.targets == "objects":
            top, left = rows[k] - shape[0] // 2, columns[k] - shape[1] // 2
            return top, left, top + shape[0], left + shape[1]
        # The pixel anywhere in the crop, so that the background far from objects is seen too.
        window = np.array(shape) / np.exp(rng.uniform(*np.log(config.scale)))
        for axis, place in enumerate((rows[k], columns[k])):
            room = image[axis] - window[axis]
            start[axis] = place - rng.uniform(0, 1) * window[axis]
            start[axis] = np.clip(start[axis], min(0, room), max(0, room))
        return start[0], start[1], start[0] + window[0], start[1] + window[1]

    mode = rng.random()
    whole = config.zoom <= mode < config.zoom + config.whole
    if whole:
        # Between the scale at which the first click sees the image and that at which
        # the crop shows all of it, but not less than half the former.
        first = first_view((image[0], image[1]), Box(0, 0, 1, 1)).scale
        scale = rng.uniform(min(max(fit, first / 2), first), first)
        scale *= rng.uniform(*config.whole_scale)
    else:
        fill = rng.uniform(0.45, 0.95) if mode < config.zoom else np.exp(
            rng.uniform(np.log(0.1), np.log(0.45))
        )  # fmt: skip
        # No smaller than the whole image in the crop: borders teach nothing.
        scale = max(fit, fill * float(np.min(np.array(shape) / extent)))
    scale = float(np.clip(scale, *_SCALES))
    window = np.array(shape) / scale * (1, rng.uniform(0.87, 1.15))
    for axis in range(2):
        free = window[axis] - extent[axis]
        # Somewhere with the whole object inside; or, where it does not fit, over its middle.
        start[axis] = box[axis] - (rng.uniform(0, 1) if free > 0 else 0.5) * free
        # Inside the image as far as possible; a smaller image lies somewhere in the window.
        room = image[axis] - window[axis]
        start[axis] = np.clip(start[axis], min(0, room), max(0, room))
    return start[0], start[1], start[0] + window[0], start[1] + window[1]


def _clip(
    window: tuple[float, float, float, float], image: tuple[int, ...], shape: tuple[int, int]
) -> tuple[tuple[float, float, float, float], tuple[int, int, int, int]]:
    """The part of a window inside the image: PIL's (left, top, right, bottom), and the
    (top, left, bottom, right) of the crop that it fills."""
    top, left, bottom, right = window
    scale = shape[0] / (bottom - top), shape[1] / (right - left)
    place = [
        round((max(top, 0) - top) * scale[0]),
        round((max(left, 0) - left) * scale[1]),
        round((min(bottom, image[0]) - top) * scale[0]),
        round((min(right, image[1]) - left) * scale[1]),
    ]
    inside = max(left, 0.0), max(top, 0.0), min(right, image[1]), min(bottom, image[0])
    return inside, (place[0], place[1], place[2], place[3])


def _scaled(
    mask: NDArray[np.bool_], size: tuple[int, int], box: tuple[float, float, float, float]
) -> NDArray[np.bool_]:
    """Bilinear and thresholded, so that boundaries stay smooth when enlarged."""
    picture = Image.fromarray(mask.view(np.uint8) * np.uint8(255))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box)) > 127


def _merged(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Both masks as one if they touch, else the other: what is one object is the user's choice."""
    touching = (binary_dilation(mask, iterations=_TOUCHING) & other).any()
    return mask | other if touching else other


def _visible(
    item: Item,
    target: int,
    inside: tuple[float, float, float, float],
    rng: np.random.Generator,
) -> list[int]:
    """The target, then the other objects at least half inside, in random order."""
    boxes = np.array([box for _, *box in item.objects], float)
    left, top, right, bottom = inside
    rows = np.minimum(boxes[:, 2], bottom) - np.maximum(boxes[:, 0], top)
    columns = np.minimum(boxes[:, 3], right) - np.maximum(boxes[:, 1], left)
    share = np.clip(rows, 0, None) * np.clip(columns, 0, None)
    share /= (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    share[target] = 0
    others = np.flatnonzero(share >= 0.5)
    return [target, *rng.permutation(others).tolist()]
