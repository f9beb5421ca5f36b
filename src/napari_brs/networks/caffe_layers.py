"""BRS-DenseNet layer by layer under its Caffe names.

One table serves the import of a caffemodel and the network definition (deploy
text) that Caffe, or OpenCV, needs beside it. Names are the released network's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from napari_brs.networks.brs_densenet import BRSDenseNet

_INPUT = "concat_input"


class CaffeLayer(NamedTuple):
    """A layer; its output has its own name."""

    name: str
    type: str
    inputs: tuple[str, ...]
    module: str = ""
    """Dotted path of the torch module that holds its parameters; "" has none."""
    settings: str = ""
    """Deploy text of the settings that the torch module does not tell."""


def caffe_layers() -> Iterator[CaffeLayer]:
    """All layers, each after its inputs."""
    yield from _encoder()
    yield from _coarse_decoder()
    yield from _fine_decoder()


def _norm_relu(name: str, relu: str, source: str, module: str) -> Iterator[CaffeLayer]:
    yield CaffeLayer(f"{name}/bn", "BatchNorm", (source,), module)
    yield CaffeLayer(f"{name}/scale", "Scale", (f"{name}/bn",), module)
    yield CaffeLayer(relu, "ReLU", (f"{name}/scale",))


def _encoder() -> Iterator[CaffeLayer]:
    yield CaffeLayer("conv1", "Convolution", (_INPUT,), "encoder.conv0")
    yield from _norm_relu("conv1", "relu1", "conv1", "encoder.norm0")
    # Caffe would round the size up; see DenseNet121.
    settings = "pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 ceil_mode: false }"
    yield CaffeLayer("pool1", "Pooling", ("relu1",), settings=settings)
    x = "pool1"
    for block, layers in enumerate((6, 12, 24, 16), 2):
        for i in range(1, layers + 1):
            module = f"encoder.denseblock{block - 1}.denselayer{i}"
            source = x
            for k in (1, 2):
                name, relu = f"conv{block}_{i}/x{k}", f"relu{block}_{i}/x{k}"
                yield from _norm_relu(name, relu, source, f"{module}.norm{k}")
                yield CaffeLayer(name, "Convolution", (relu,), f"{module}.conv{k}")
                source = name
            yield CaffeLayer(f"concat_{block}_{i}", "Concat", (x, source))
            x = f"concat_{block}_{i}"
        if block < 5:
            name, relu, module = f"conv{block}_blk", f"relu{block}_blk", f"transition{block - 1}"
            yield from _norm_relu(name, relu, x, f"encoder.{module}.norm")
            yield CaffeLayer(name, "Convolution", (relu,), f"encoder.{module}.conv")
            settings = "pooling_param { pool: AVE kernel_size: 2 stride: 2 }"
            yield CaffeLayer(f"pool{block}", "Pooling", (name,), settings=settings)
            x = f"pool{block}"


def _unit(
    conv: str, suffix: str, source: str, module: str, type: str = "Convolution"
) -> Iterator[CaffeLayer]:
    """Convolution, PReLU, batch norm; the output is ``bn_<suffix>``."""
    yield CaffeLayer(conv, type, (source,), f"{module}.conv")
    yield CaffeLayer(f"prelu_{suffix}", "PReLU", (conv,), f"{module}.prelu")
    yield CaffeLayer(f"bn_{suffix}", "BatchNorm", (f"prelu_{suffix}",), f"{module}.norm")


class _GateNames(NamedTuple):
    pool: str
    reduce: str
    relu: str
    expand: str
    sigmoid: str
    reshape: str
    scale: str


def _gate(names: _GateNames, source: str, module: str) -> Iterator[CaffeLayer]:
    settings = "pooling_param { pool: AVE global_pooling: true }"
    yield CaffeLayer(names.pool, "Pooling", (source,), settings=settings)
    yield CaffeLayer(names.reduce, "Convolution", (names.pool,), f"{module}.reduce")
    yield CaffeLayer(names.relu, "ReLU", (names.reduce,))
    yield CaffeLayer(names.expand, "Convolution", (names.relu,), f"{module}.expand")
    yield CaffeLayer(names.sigmoid, "Sigmoid", (names.expand,))
    settings = "reshape_param { shape { dim: 0 dim: 0 } }"
    yield CaffeLayer(names.reshape, "Reshape", (names.sigmoid,), settings=settings)
    settings = "scale_param { axis: 0 bias_term: false }"
    yield CaffeLayer(names.scale, "Scale", (source, names.reshape), settings=settings)


def _skip_gate(stride: int, source: str, module: str) -> Iterator[CaffeLayer]:
    s = f"SE_1/{stride}"
    names = _GateNames(
        f"pool_{s}",
        f"conv_{s}_1",
        f"relu_{s}_1",
        f"conv_{s}_2",
        f"sigm_{s}",
        f"reshape_{s}",
        f"scale_{s}",
    )
    yield from _gate(names, source, module)


def _decoding_convolutions(stride: int, source: str, module: str) -> Iterator[CaffeLayer]:
    for i in (1, 2, 3):
        suffix = f"1/{stride}_{i}d"
        yield from _unit(f"conv_{suffix}", suffix, source, f"{module}.{i - 1}")
        source = f"bn_{suffix}"


def _coarse_decoder() -> Iterator[CaffeLayer]:
    yield from _skip_gate(32, "concat_5_16", "coarse.gate")
    yield from _decoding_convolutions(32, "scale_SE_1/32", "coarse.convs")
    below = "bn_1/32_3d"
    for stride, skip in ((16, "concat_4_24"), (8, "concat_3_12"), (4, "concat_2_6")):
        module, up, lateral = f"coarse.block{stride}", f"1/{stride}d", f"SE_1/{stride}"
        yield from _unit(f"deconv_{up}", up, below, f"{module}.up", "Deconvolution")
        yield from _skip_gate(stride, skip, f"{module}.gate")
        yield from _unit(f"conv_{lateral}", lateral, f"scale_{lateral}", f"{module}.lateral")
        concat = f"concat_1/{stride}d"
        yield CaffeLayer(concat, "Concat", (f"bn_{up}", f"bn_{lateral}"))
        yield from _decoding_convolutions(stride, concat, f"{module}.convs")
        below = f"bn_1/{stride}_3d"
    yield CaffeLayer("pred_1/4", "Convolution", (below,), "coarse.predict")
    yield CaffeLayer("pred_step_1", "Deconvolution", ("pred_1/4",), "coarse.upsample")
    yield CaffeLayer("sigp_step_1", "Sigmoid", ("pred_step_1",))


def _fine_decoder() -> Iterator[CaffeLayer]:
    yield CaffeLayer("concat_step_1", "Concat", (_INPUT, "sigp_step_1"))
    for k in (1, 2, 3):
        source = "concat_step_1"
        for i in (1, 2, 3):
            suffix = f"atrous{k}_{i}"
            yield from _unit(f"conv_{suffix}", suffix, source, f"fine.branches.{k - 1}.{i - 1}")
            source = f"bn_{suffix}"
    branches = tuple(f"bn_atrous{k}_3" for k in (1, 2, 3))
    yield CaffeLayer("concat_step_2", "Concat", branches)
    names = _GateNames(
        "gpool_s2",
        "conv_s2_down",
        "relu_s2_down",
        "conv_s2_up",
        "sig_s2_up",
        "resh_s2",
        "scale_s2",
    )
    yield from _gate(names, "concat_step_2", "fine.gate")
    yield from _unit("conv_p1_1", "p1_1", "scale_s2", "fine.conv")
    yield CaffeLayer("pred_step_2", "Convolution", ("bn_p1_1",), "fine.predict")
    yield CaffeLayer("sig_pred", "Sigmoid", ("pred_step_2",))


def deploy_text(network: BRSDenseNet, height: int, width: int) -> str:
    """The network as a Caffe definition with one five-channel input, ``concat_input``.

    Parameters
    ----------
    network : BRSDenseNet
        Tells kernels and channels; its weights do not matter.
    height, width : int
        Of the input, multiples of 32.
    """
    dims = " ".join(f"dim: {n}" for n in (1, 5, height, width))
    lines = [
        'name: "BRS-DenseNet"',
        f'layer {{ name: "{_INPUT}" type: "Input" top: "{_INPUT}" '
        f"input_param {{ shape {{ {dims} }} }} }}",
    ]
    for layer in caffe_layers():
        bottoms = " ".join(f'bottom: "{name}"' for name in layer.inputs)
        settings = layer.settings
        if layer.module:
            settings = _module_settings(layer.type, network.get_submodule(layer.module))
        lines.append(
            f'layer {{ name: "{layer.name}" type: "{layer.type}" {bottoms} '
            f'top: "{layer.name}" {settings} }}'
        )
    return "\n".join(lines) + "\n"


def _module_settings(type: str, module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return (
            f"convolution_param {{ num_output: {module.out_channels} "
            f"kernel_size: {module.kernel_size[0]} stride: {module.stride[0]} "
            f"pad: {module.padding[0]} dilation: {module.dilation[0]} "
            f"bias_term: {'false' if module.bias is None else 'true'} }}"
        )
    if type == "BatchNorm":
        return "batch_norm_param { use_global_stats: true eps: 1e-5 }"
    if type == "Scale":
        return "scale_param { bias_term: true }"
    return ""
