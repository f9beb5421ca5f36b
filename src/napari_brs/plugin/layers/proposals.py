"""The layer that shows proposed objects: likely ones filled, the others as outlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_brs.masks import Box, Mask
from napari_brs.plugin.layers.placement import placement
from napari_brs.plugin.layers.preview import steps
from napari_brs.session import Position

if TYPE_CHECKING:
    from napari_brs.completion.propose import Proposal

FILL, RIM, OUTLINE = 1, 2, 3
"""Values of the layer: inside and border of likely objects, and border of unlikely ones."""
COLOURS = {None: "transparent", 0: "transparent", FILL: "#00d5ff55", RIM: "#00d5ff"} | {
    OUTLINE: "#b0b0b0"
}


def make_proposals(image: Image, position: Position, region: Box) -> Labels:
    """An empty layer on a region of a plane; nobody can paint in it.

    Parameters
    ----------
    image : Image
        Only looked at.
    position : Position
    region : Box
        In pixels of the plane.
    """
    sides, corner = iter((region.height, region.width)), iter((region.top, region.left))
    size = [next(sides) if index is None else 1 for index in position]
    origin = [next(corner) if index is None else index for index in position]
    layer = Labels(
        np.zeros(size, np.uint8),
        name=f"proposals · {image.name}",
        colormap=DirectLabelColormap(color_dict=COLOURS),
        opacity=1,
        **placement(image),
    )
    layer.translate = np.asarray(image.translate) + steps(image) @ np.array(origin)
    layer.editable = False
    return layer


def draw_proposals(
    layer: Labels, region: Box, proposals: Sequence[Proposal], confidence: float
) -> None:
    """Show proposals and nothing else.

    Parameters
    ----------
    layer : Labels
        As `make_proposals` made it.
    region : Box
        What it covers of the plane.
    proposals : sequence of Proposal
    confidence : float
        From here on they are filled.
    """
    pixels = np.zeros((region.height, region.width), np.uint8)
    for proposal in proposals:
        window = proposal.mask.box.intersection(region)
        if not window.height or not window.width:
            continue
        here = proposal.mask.read(window)
        rim = here & ~inside(proposal.mask, window)
        part = pixels[window.within(region).slices]
        if proposal.confidence >= confidence:
            part[here] = FILL
        part[rim] = RIM if proposal.confidence >= confidence else OUTLINE
    layer.data[...] = pixels.reshape(layer.data.shape)
    layer.refresh()


def inside(mask: Mask, window: Box) -> np.ndarray:
    """Pixels of a window whose four neighbours lie in the mask, too; bool."""
    rows, columns = window.height, window.width
    padded = np.pad(mask.read(window), 1)
    return np.asarray(
        padded[:rows, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :columns] & padded[1:-1, 2:]
    )
