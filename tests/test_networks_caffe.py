"""Reading caffemodel files and filling BRS-DenseNet with them."""

from __future__ import annotations

import contextlib
import re

import numpy as np
import pytest
import torch
from caffe_files import blob, blobs_of, caffemodel, field, layer, lively_network, varint
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_brs.networks.brs_densenet import BRSDenseNet
from napari_brs.networks.caffe import load_caffe, read_caffemodel

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(scope="module")
def network():
    return lively_network()


@pytest.fixture
def read(tmp_path):
    """Reads bytes as a caffemodel."""

    def read_bytes(data):
        path = tmp_path / "some.caffemodel"
        path.write_bytes(data)
        return read_caffemodel(path)

    return read_bytes


def small_file():
    return layer("first", "Convolution", [blob(VALUES), blob(VALUES[0])]) + layer(
        "second", "PReLU", [blob(VALUES[1])]
    )


def test_arrays_come_back_by_layer_with_their_shapes(read):
    blobs = read(field(1, b"a net") + small_file())
    assert list(blobs) == ["first", "second"]
    np.testing.assert_array_equal(blobs["first"][0], VALUES)
    np.testing.assert_array_equal(blobs["first"][1], VALUES[0])
    np.testing.assert_array_equal(blobs["second"][0], VALUES[1])


def test_layers_without_weights_and_unknown_fields_are_skipped(read):
    fixed = varint(90 << 3 | 5) + b"1234" + varint(91 << 3 | 1) + b"12345678"
    blobs = read(layer("relu", "ReLU", []) + fixed + field(92, 2**60) + small_file())
    assert list(blobs) == ["first", "second"]


def test_values_and_shapes_that_are_not_packed_are_read(read):
    data = b"".join(varint(5 << 3 | 5) + value.tobytes() for value in VALUES.ravel())
    shape = field(7, field(1, 2) + field(1, 3))
    np.testing.assert_array_equal(read(layer("a", "PReLU", [data + shape]))["a"][0], VALUES)


def test_the_four_axes_of_old_files_are_read(read):
    shape = b"".join(field(i, n) for i, n in enumerate((1, 1, 2, 3), 1))
    old = shape + field(5, VALUES.tobytes())
    assert read(layer("a", "PReLU", [old]))["a"][0].shape == (1, 1, 2, 3)


def test_every_truncation_is_refused_or_ends_between_layers(read):
    data = small_file()
    boundary = len(layer("first", "Convolution", [blob(VALUES), blob(VALUES[0])]))
    for length in range(len(data)):
        if length != boundary:
            with pytest.raises(ValueError, match="caffemodel"):
                read(data[:length])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"PK\x03\x04" + bytes(range(200)),
        b"layer { name: 'conv1' }",
        field(100, 7),
        field(1, b"a net without layers"),
        field(100, field(1, b"\xff\xfe") + field(7, blob(VALUES))),
        varint(100 << 3 | 2) + varint(2**62) + b"abc",
        b"\xff" * 40,
    ],
    ids=["empty", "png", "zip", "text", "number", "no-layers", "not-utf8", "huge", "endless"],
)
def test_other_files_are_refused_by_name(read, data):
    with pytest.raises(ValueError, match=r"some\.caffemodel.*caffemodel"):
        read(data)


@pytest.mark.parametrize(
    "bad",
    [
        field(7, field(1, varint(2**40))) + field(5, VALUES.tobytes()),
        field(7, field(1, varint(2**63) + varint(0))) + field(5, b""),
        field(7, field(1, b"\x01" * 100_000)) + field(5, b"1234"),
        field(7, field(1, varint(5))) + field(5, VALUES.tobytes()),
        field(7, field(1, varint(6))) + field(5, VALUES.tobytes()[:-1]),
        field(5, 3),
    ],
    ids=["huge", "overflowing", "many-axes", "wrong-count", "cut-float", "number"],
)
def test_a_blob_that_contradicts_its_shape_is_refused_with_its_layer(read, bad):
    with pytest.raises(ValueError, match=r"caffemodel: layer 'a':"):
        read(layer("a", "PReLU", [bad]))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_files_never_raise_anything_but_a_value_error(tmp_path_factory, data):
    content = bytearray(small_file())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.caffemodel"
    path.write_bytes(content)
    with contextlib.suppress(ValueError):
        read_caffemodel(path)


def test_weights_survive_the_file_exactly_and_statistics_up_to_rounding(network, read):
    loaded = BRSDenseNet()
    load_caffe(loaded, read(caffemodel(blobs_of(network))))
    expected = network.state_dict()
    for name, found in loaded.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(found, expected[name], rtol=1e-6, atol=1e-6)
        elif "num_batches" not in name:
            assert torch.equal(found, expected[name]), name


def test_a_factor_of_zero_means_statistics_of_zero(network):
    blobs = blobs_of(network)
    blobs["bn_p1_1"][2][:] = 0
    loaded = BRSDenseNet()
    load_caffe(loaded, blobs)
    assert (loaded.fine.conv.norm.running_mean == 0).all()
    assert (loaded.fine.conv.norm.running_var == 0).all()


def test_blobs_of_old_files_with_leading_ones_fit(network):
    blobs = blobs_of(network)
    old = {
        name: [array.reshape((1,) * (4 - array.ndim) + array.shape) for array in arrays]
        for name, arrays in blobs.items()
    }
    loaded = BRSDenseNet()
    load_caffe(loaded, old)
    assert torch.equal(loaded.fine.gate.reduce.bias, network.fine.gate.reduce.bias)


def test_layers_without_a_place_in_the_network_are_ignored(network):
    load_caffe(BRSDenseNet(), blobs_of(network) | {"another": [VALUES]})


@pytest.mark.parametrize("name", ["conv1", "conv4_24/x2/bn", "prelu_SE_1/16", "pred_step_2"])
def test_a_missing_layer_is_named_and_nothing_is_loaded(network, name):
    blobs = blobs_of(network)
    del blobs[name]
    untouched = BRSDenseNet()
    before = {k: v.clone() for k, v in untouched.state_dict().items()}
    with pytest.raises(ValueError, match=f"'{re.escape(name)}'.*missing"):
        load_caffe(untouched, blobs)
    assert all(torch.equal(v, before[k]) for k, v in untouched.state_dict().items())


def test_a_misshapen_layer_is_named_with_both_shapes(network):
    blobs = blobs_of(network)
    blobs["conv1"] = [np.zeros((64, 3, 7, 7), np.float32)]
    with pytest.raises(ValueError, match=r"'conv1'.*\(64, 5, 7, 7\).*got.*\(64, 3, 7, 7\)"):
        load_caffe(BRSDenseNet(), blobs)


@pytest.mark.parametrize(("name", "count"), [("conv1", 2), ("conv_SE_1/8", 1), ("bn_p1_1", 2)])
def test_a_layer_with_another_number_of_arrays_is_named(network, name, count):
    blobs = blobs_of(network)
    arrays = blobs[name]
    blobs[name] = [*arrays, np.zeros(64, np.float32)][:count]
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        load_caffe(BRSDenseNet(), blobs)
