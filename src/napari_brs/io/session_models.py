"""What a session file holds, as models that check it; `docs/session.schema.json` is theirs."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from napari_brs.masks import Box, Mask

FORMAT: Literal["napari-brs session"] = "napari-brs session"
VERSION = 3
HIGHEST_LABEL = 2**32 - 1
"""The highest id that a label image can hold."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=1)]
Index = Annotated[int, Field(strict=True, ge=0)]
Position = Annotated[tuple[Index | None, ...], Field(min_length=2)]


class Part(BaseModel):
    """A part of a session file; what it does not know is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class MaskPart(Part):
    """A set of pixels of a plane.

    ``packed`` are the pixels of the box row by row, a bit each, the first one in the highest
    bit of the first byte; compressed (zlib) and in Base64.
    """

    box: tuple[Index, Index, Index, Index] = Field(
        description="top, left, bottom, right; the last two are not included"
    )
    packed: str

    @staticmethod
    def of(mask: Mask) -> MaskPart:
        """A mask as a part of a file."""
        box = (mask.box.top, mask.box.left, mask.box.bottom, mask.box.right)
        return MaskPart(box=box, packed=base64.b64encode(zlib.compress(mask.packed)).decode())

    def mask(self, shape: tuple[int, int]) -> Mask:
        """The mask on a plane of some shape; ValueError if it does not fit."""
        box = Box(*self.box)
        size = (box.height, box.width)
        if min(size) < 0 or box.bottom > shape[0] or box.right > shape[1]:
            raise ValueError(f"mask in box {self.box} does not fit a plane of shape {shape}")
        wanted = -(-size[0] * size[1] // 8)
        try:
            # No more than is wanted: a small text can claim to be gigabytes.
            unpacked = zlib.decompressobj().decompress(base64.b64decode(self.packed), wanted + 1)
        except (zlib.error, binascii.Error) as error:
            raise ValueError(f"mask in box {self.box} is damaged: {error}") from None
        if len(unpacked) != wanted:
            raise ValueError(f"mask in box {self.box} is damaged: {wanted} bytes are needed")
        bits = np.unpackbits(np.frombuffer(unpacked, np.uint8), count=size[0] * size[1])
        return Mask.of(bits.reshape(size), box, shape)


class PlanePart(Part):
    """The clicks of one object in one plane, and what its mask is made of."""

    position: Position = Field(
        description="one entry per axis of the image: null along the plane, else the index"
    )
    clicks: tuple[tuple[Number, Number, StrictBool], ...] = Field(
        description="[row, column, foreground?] in the order they were made, pixels of the plane"
    )
    size_hint: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] | None = Field(
        default=None,
        description="about how long the object is, in pixels, as the first click was told",
    )
    box: tuple[Index, Index, Index, Index] | None = Field(
        default=None,
        description="around the object: top, left, bottom, right, the last two not included; "
        "without a start, the first prediction begins with it",
    )
    steps: tuple[Index, ...] | None = Field(
        default=None,
        description="how many clicks there were at each prediction, each of which starts from "
        "the one before; null: at every click, and of a box before the first",
    )
    start: MaskPart | None = Field(
        default=None, description="what the first prediction starts from"
    )
    edited: MaskPart | None = Field(
        default=None, description="made by hand; goes before predictions"
    )
    difference: MaskPart | None = Field(
        default=None,
        description="pixels in which the labels differ from what the clicks, or the edit, give",
    )
    pixels: MaskPart | None = Field(
        default=None, description="the labels themselves, where what the clicks give is not known"
    )


class ObjectPart(Part):
    """One object."""

    label: Annotated[int, Field(strict=True, ge=1, le=HIGHEST_LABEL)] | None = Field(
        default=None, description="its id, once committed"
    )
    name: str = ""
    class_name: str | None = Field(default=None, description="one of the classes")
    confidence: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    planes: tuple[PlanePart, ...]


class ImagePart(Part):
    """The image, and how to know it again."""

    name: str = ""
    shape: Annotated[tuple[Count, ...], Field(min_length=2)] = Field(
        description="without colour channels"
    )
    path: str | None = None
    dtype: str | None = None
    digest: str | None = Field(default=None, description="of sampled content; see docs/sessions.md")
    channel: Whole | str | None = None


class SessionPart(Part):
    """A whole session."""

    format: Literal["napari-brs session"]
    version: Annotated[int, Field(strict=True, ge=1, le=VERSION)]
    digest: str | None = Field(
        default=None, description="SHA-256 of the file without this entry, as canonical JSON"
    )
    versions: dict[str, str] = Field(
        default_factory=dict, description="of what computed it: napari-brs, torch, machine …"
    )
    image: ImagePart
    model: str
    weights_sha256: str | None = None
    device: str | None = None
    threshold: Annotated[float, Field(strict=True, gt=0, lt=1)]
    refine: StrictBool = True
    contrast_limits: tuple[Number, Number] | None = None
    classes: dict[str, str] = Field(default_factory=dict, description="name -> #rrggbb")
    objects: tuple[ObjectPart, ...]
    labels_sha256: str | None = Field(
        default=None, description="of the labels: their shape as text, then uint32, little-endian"
    )


def schema() -> dict[str, Any]:
    """The JSON Schema of a session file."""
    return SessionPart.model_json_schema()
