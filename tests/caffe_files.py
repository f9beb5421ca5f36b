"""Writing caffemodel files, for the tests that read them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from napari_brs.networks.brs_densenet import BRSDenseNet
from napari_brs.networks.caffe_layers import caffe_layers

Blobs = dict[str, list[NDArray[np.float32]]]


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int | bytes) -> bytes:
    """A field with a number or with bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def blob(array: NDArray[np.float32]) -> bytes:
    """Packed shape and packed values, as Caffe writes them."""
    dims = b"".join(varint(n) for n in array.shape)
    return field(7, field(1, dims)) + field(5, array.astype("<f4").tobytes())


def layer(name: str, type: str, blobs: list[bytes]) -> bytes:
    """A layer of a network, field 100."""
    body = field(1, name.encode()) + field(2, type.encode())
    return field(100, body + b"".join(field(7, b) for b in blobs))


def caffemodel(blobs: Mapping[str, list[NDArray[np.float32]]]) -> bytes:
    """A file with the layers of BRS-DenseNet that ``blobs`` has."""
    types = {row.name: row.type for row in caffe_layers()}
    layers = (layer(name, types[name], [blob(a) for a in arrays]) for name, arrays in blobs.items())
    return field(1, b"BRS") + b"".join(layers)


def blobs_of(network: BRSDenseNet, seed: int = 0) -> Blobs:
    """A network's weights as Caffe keeps them, each batch norm with a factor of its own."""
    rng = np.random.default_rng(seed)
    blobs: Blobs = {}
    for row in caffe_layers():
        if not row.module:
            continue
        module = network.get_submodule(row.module)
        if row.type == "BatchNorm":
            factor = np.array([rng.uniform(0.5, 1000)], np.float32)
            tensors = (module.running_mean, module.running_var)
            blobs[row.name] = [t.detach().numpy() * factor for t in tensors] + [factor]
        else:
            tensors = (module.weight, getattr(module, "bias", None))
            blobs[row.name] = [t.detach().numpy() for t in tensors if t is not None]
    return blobs


def lively_network(seed: int = 0) -> BRSDenseNet:
    """BRS-DenseNet with every parameter random, and statistics that keep activations of order 1.

    Nothing stays at a default that could hide a wrong layer: slopes, scales, shifts and
    biases differ by channel, and the logits spread over several units without saturating.
    """
    generator = torch.Generator().manual_seed(seed)
    network = BRSDenseNet()

    def uniform(shape: torch.Size, low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                taps = module.weight[0, 0].numel() if isinstance(module, torch.nn.Conv2d) else 1
                fan_in = module.in_channels * taps
                weight = torch.randn(module.weight.shape, generator=generator)
                module.weight.copy_(weight * (2 / fan_in) ** 0.5)
                if module.bias is not None:
                    module.bias.copy_(uniform(module.bias.shape, -0.5, 0.5))
            elif isinstance(module, torch.nn.PReLU):
                module.weight.copy_(uniform(module.weight.shape, 0.05, 0.6))
            elif isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
                if module.affine:
                    module.weight.copy_(uniform(module.weight.shape, 0.5, 1.5))
                    module.bias.copy_(uniform(module.bias.shape, -0.5, 0.5))
        image = torch.rand(2, 3, 96, 96, generator=generator) * 255
        maps = torch.rand(2, 2, 96, 96, generator=generator)
        network.train().decode(network.encode(image), maps)
    return network.eval()
