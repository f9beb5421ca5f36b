"""One image as a converted network sees it: its input, and the segmentation it gives by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brs.converted.network import ConvertedNetwork
from napari_brs.converted.tiles import covering
from napari_brs.converted.whole_image import WholeImage
from napari_brs.image import ImageSource
from napari_brs.labels import split_objects
from napari_brs.masks import Box

MOST_VALUES = 2**27
"""Probabilities of an image, classes times pixels, that are kept in memory: 512 MB."""


class Frame:
    """A network and an image; everything is computed when it is asked for, and kept.

    Parameters
    ----------
    network : ConvertedNetwork
    source : ImageSource
    cores : callable, optional
        See `ConvertedSegmenter`.

    Raises
    ------
    ValueError
        If the image is too large for its segmentation to be kept.
    """

    def __init__(
        self,
        network: ConvertedNetwork,
        source: ImageSource,
        cores: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.shape = source.shape
        self._network = network
        self._source = source
        self._cores = cores
        self._input: Tensor | None = None
        self._segmentation: WholeImage | None = None
        self._instances: NDArray[np.int32] | None = None
        rows, columns = self.shape
        most = MOST_VALUES // len(network.classes)
        if rows * columns > most:
            raise ValueError(
                f"the image has {rows} × {columns} pixels; a segmentation into "
                f"{len(network.classes)} classes of at most {most:,} pixels is kept: "
                "crop the image"
            )

    def cropped(self, tile: Box, device: torch.device) -> Tensor:
        """The network's input in a tile, (1, C, height, width).

        It is normalised by what the whole image holds, whichever tile is looked at.
        """
        if self._input is None:
            pixels = self._source.read(0, 0, *self.shape)
            image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
            self._input = self._network.encode(image)
        x = self._input[(..., *tile.slices)].to(device)
        return x.contiguous(memory_format=torch.channels_last)

    def segmentation(self, device: torch.device) -> WholeImage:
        """What the network gives by itself."""
        if self._segmentation is None:
            network = self._network

            def run(x: Tensor) -> Tensor:
                output = network.decode(x, torch.zeros_like(x))
                return network.probabilities(output, (x.shape[-2], x.shape[-1]))

            self._segmentation = WholeImage(self._stitched(run, device), network.exclusive)
        return self._segmentation

    def instances(self, device: torch.device) -> NDArray[np.int32]:
        """Its objects; see `ConvertedSegmenter.instances`."""
        if self._instances is None:
            from scipy import ndimage

            whole = self.segmentation(device)
            core = None if self._cores is None else self._stitched(self._cores, device)[0]
            objects = np.zeros(self.shape, np.int32)
            for target in self._network.objects:
                mask = whole.mask(target)
                found = (
                    ndimage.label(mask)[0]
                    if core is None
                    else split_objects(mask.astype(np.float32), core)
                )
                objects = np.where(found > 0, found + objects.max(), objects).astype(np.int32)
            self._instances = objects
        return self._instances

    def _stitched(
        self, run: Callable[[Tensor], Tensor], device: torch.device
    ) -> NDArray[np.float32]:
        """(K, H, W) of what is computed tile by tile, each pixel from where it lies deepest."""
        whole: NDArray[np.float32] | None = None
        for tile, inner in covering(self.shape, self._network.form.size):
            with torch.no_grad():
                values = run(self.cropped(tile, device))[0].float().cpu().numpy()
            if whole is None:
                whole = np.empty((len(values), *self.shape), np.float32)
            whole[(slice(None), *inner.slices)] = values[(slice(None), *inner.within(tile).slices)]
        assert whole is not None
        return whole
