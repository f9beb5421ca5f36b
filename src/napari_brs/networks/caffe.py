"""Weights of the released network: reading caffemodel files without Caffe.

A caffemodel is a serialised protobuf message, that is a sequence of fields,
each a tag (number and wire type) and a value. Only the fields that hold names
and numbers are looked at.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_brs.networks.brs_densenet import BRSDenseNet
from napari_brs.networks.caffe_layers import CaffeLayer, caffe_layers

FloatArray = npt.NDArray[np.float32]

# Wire types of protobuf fields.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Field numbers: NetParameter, LayerParameter, BlobProto, BlobShape.
_NET_LAYER = 100
_LAYER_NAME, _LAYER_BLOB = 1, 7
_BLOB_LEGACY_SHAPE = (1, 2, 3, 4)  # num, channels, height, width
_BLOB_DATA, _BLOB_SHAPE = 5, 7
_SHAPE_DIM = 1

_MAX_AXES = 32


def import_caffemodel(path: str | os.PathLike[str]) -> BRSDenseNet:
    """The released network with the weights of a caffemodel, in evaluation mode.

    Raises
    ------
    ValueError
        When the file is not a caffemodel, or not of BRS-DenseNet.
    OSError
        When it cannot be read.
    """
    network = BRSDenseNet()
    load_caffe(network, read_caffemodel(path))
    return network.eval()


def load_caffe(network: BRSDenseNet, blobs: Mapping[str, list[FloatArray]]) -> None:
    """Fill a network with a caffemodel's blobs, in place; all or nothing.

    Running means and variances are divided by Caffe's accumulated factor (by
    Caffe's rule a factor of 0 makes them 0).

    Parameters
    ----------
    network : BRSDenseNet
    blobs : mapping of layer name to arrays
        As from `read_caffemodel`; layers without a place in the network are ignored.

    Raises
    ------
    ValueError
        When a layer is missing, or its arrays have other shapes; it names the layer.
    """
    state: dict[str, Tensor] = {}
    for layer in caffe_layers():
        if layer.module:
            state.update(_layer_state(layer, network.get_submodule(layer.module), blobs))
    network.load_state_dict(state)


def _layer_state(
    layer: CaffeLayer, module: nn.Module, blobs: Mapping[str, list[FloatArray]]
) -> Iterator[tuple[str, Tensor]]:
    """(name, value) of the tensors that one Caffe layer holds."""
    names = ["running_mean", "running_var"] if layer.type == "BatchNorm" else ["weight", "bias"]
    optional = [(name, getattr(module, name, None)) for name in names]
    targets = [(name, tensor) for name, tensor in optional if tensor is not None]
    expected = [tuple(tensor.shape) for _, tensor in targets]
    if layer.type == "BatchNorm":
        expected.append((1,))
    if layer.name not in blobs:
        raise ValueError(
            f"layer {layer.name!r} ({layer.type}) is missing; BRS-DenseNet needs it with "
            f"shapes {expected}"
        )
    arrays = blobs[layer.name]
    found = [array.shape for array in arrays]
    if [_significant(shape) for shape in found] != [_significant(shape) for shape in expected]:
        raise ValueError(
            f"layer {layer.name!r} ({layer.type}) must have shapes {expected}, got {found}"
        )
    factor = 1.0
    if layer.type == "BatchNorm":
        accumulated = float(arrays[2].item())
        factor = 1 / accumulated if accumulated else 0.0
    for (name, tensor), array in zip(targets, arrays, strict=False):
        values = np.asarray(array, np.float32).reshape(tuple(tensor.shape)) * np.float32(factor)
        yield f"{layer.module}.{name}", torch.from_numpy(values)


def _significant(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without leading ones: old files give every blob four axes."""
    leading = next((i for i, n in enumerate(shape) if n != 1), len(shape))
    return shape[leading:]


def read_caffemodel(path: str | os.PathLike[str]) -> dict[str, list[FloatArray]]:
    """Arrays of each layer that has any, by layer name.

    Raises
    ------
    ValueError
        When the file is truncated or not a caffemodel.
    OSError
        When it cannot be read.
    """
    if not Path(path).is_file():  # a device may have no end
        raise FileNotFoundError(f"no such file: {os.fspath(path)}")
    message = memoryview(Path(path).read_bytes())
    blobs: dict[str, list[FloatArray]] = {}
    try:
        for number, value in _fields(message):
            if number == _NET_LAYER:
                name, arrays = _read_layer(_expect_bytes(value))
                if arrays:
                    blobs[name] = arrays
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)!r} is not a complete caffemodel: {error}") from error
    if not blobs:
        raise ValueError(
            f"{os.fspath(path)!r} is not a caffemodel: it holds no layers with weights"
        )
    return blobs


def _read_layer(message: memoryview) -> tuple[str, list[FloatArray]]:
    name = ""
    arrays = []
    for number, value in _fields(message):
        if number == _LAYER_NAME:
            name = bytes(_expect_bytes(value)).decode()
        elif number == _LAYER_BLOB:
            arrays.append(_expect_bytes(value))
    try:
        return name, [_read_blob(array) for array in arrays]
    except ValueError as error:
        raise ValueError(f"layer {name!r}: {error}") from error


def _read_blob(message: memoryview) -> FloatArray:
    legacy = dict.fromkeys(_BLOB_LEGACY_SHAPE, 1)
    shape: tuple[int, ...] | None = None
    pieces = []
    for number, value in _fields(message):
        if number == _BLOB_DATA:
            pieces.append(_expect_bytes(value))
        elif number == _BLOB_SHAPE:
            shape = _read_shape(_expect_bytes(value))
        elif number in legacy:
            legacy[number] = _expect_int(value)
    if shape is None:
        shape = tuple(legacy.values())
    data = b"".join(pieces)
    if len(shape) > _MAX_AXES:
        raise ValueError(f"a blob has {len(shape)} axes, more than Caffe's {_MAX_AXES}")
    if not data or 4 * math.prod(shape) != len(data):
        raise ValueError(f"a blob of shape {shape} holds {len(data)} bytes of float32")
    return np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)


def _read_shape(message: memoryview) -> tuple[int, ...]:
    dims: list[int] = []
    for number, value in _fields(message):
        if number != _SHAPE_DIM:
            continue
        if isinstance(value, int):
            dims.append(value)
            continue
        position = 0
        while position < len(value):
            dim, position = _read_varint(value, position)
            dims.append(dim)
    return tuple(dims)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field: an int for a varint, else the bytes it spans."""
    position = 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, position = _read_varint(message, position)
            yield number, value
            continue
        if wire_type == _BYTES:
            length, position = _read_varint(message, position)
        elif wire_type in (_FIXED32, _FIXED64):
            length = 4 if wire_type == _FIXED32 else 8
        else:
            raise ValueError(f"unknown wire type {wire_type} of field {number}")
        if length > len(message) - position:
            raise ValueError(
                f"field {number} needs {length} bytes, {len(message) - position} are left"
            )
        yield number, message[position : position + length]
        position += length


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """(value, position behind it) of an integer of at most 64 bits, 7 to a byte."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("the file ends inside a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number has more than 64 bits")


def _expect_bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError(f"a field holds the number {value} where a message belongs")
    return value


def _expect_int(value: int | memoryview) -> int:
    if isinstance(value, int):
        return value
    raise ValueError(f"a field holds {len(value)} bytes where a number belongs")
