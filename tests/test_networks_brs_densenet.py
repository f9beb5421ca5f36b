"""BRS-DenseNet: the released network's size, and its values by an independent forward."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from caffe_files import blobs_of, caffemodel, lively_network
from torch import nn

from napari_brs.networks.brs_densenet import BRSDenseNet
from napari_brs.networks.caffe import import_caffemodel
from napari_brs.networks.caffe_layers import caffe_layers, deploy_text

HEIGHT, WIDTH = 96, 128
# Deep inside: the last encoder level, a decoding block, the fine decoder's gate.
INNER = {
    "concat_5_16": lambda network: network.encoder.denseblock4,
    "bn_1/8_3d": lambda network: network.coarse.block8,
    "scale_s2": lambda network: network.fine.gate,
}


@pytest.fixture(scope="module")
def network():
    return lively_network()


def random_input(height, width, batch=1, seed=3):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator) * 255
    return image, torch.rand(batch, 2, height, width, generator=generator)


@pytest.fixture(scope="module")
def compared(network, tmp_path_factory):
    """Outputs by layer name, of OpenCV's forward and of ours after import, of one caffemodel."""
    path = tmp_path_factory.mktemp("caffe") / "seeded.caffemodel"
    path.write_bytes(caffemodel(blobs_of(network)))
    image, maps = random_input(HEIGHT, WIDTH)

    deploy = np.frombuffer(deploy_text(network, HEIGHT, WIDTH).encode(), np.uint8)
    independent = cv2.dnn.readNetFromCaffe(deploy, np.frombuffer(path.read_bytes(), np.uint8))
    independent.enableWinograd(False)  # its rounding alone comes near the tolerance
    mean = np.array([103.939, 116.779, 123.68], np.float32)[:, None, None]
    five = np.concatenate([(image.numpy()[:, ::-1] - mean) * 0.017, maps.numpy()], 1)
    independent.setInput(five.astype(np.float32), "concat_input")
    names = ["pred_step_1", "pred_step_2", "sigp_step_1", "sig_pred", *INNER]
    theirs = dict(zip(names, independent.forward(names), strict=True))

    ours = {}
    imported = import_caffemodel(path)
    for name, find in INNER.items():
        find(imported).register_forward_hook(
            lambda module, inputs, output, name=name: ours.__setitem__(name, output)
        )
    with torch.no_grad():
        coarse, fine = imported.decode_both(imported.encode(image), maps)
    ours |= {"pred_step_1": coarse, "pred_step_2": fine}
    ours |= {"sigp_step_1": torch.sigmoid(coarse), "sig_pred": torch.sigmoid(fine)}
    return theirs, {name: value.numpy() for name, value in ours.items()}


@pytest.mark.parametrize("name", ["pred_step_1", "pred_step_2", "sigp_step_1", "sig_pred", *INNER])
def test_imported_network_equals_opencvs_forward_of_the_same_caffemodel(compared, name):
    theirs, ours = compared[0][name], compared[1][name]
    assert ours.shape == theirs.shape
    assert np.linalg.norm(ours - theirs) < 1e-4 * np.linalg.norm(theirs)


def test_the_compared_outputs_are_neither_flat_nor_saturated(compared):
    for name in ("sigp_step_1", "sig_pred"):
        probability = compared[1][name]
        assert probability.std() > 0.1
        assert np.mean((probability > 0.01) & (probability < 0.99)) > 0.9


def test_size_is_the_released_networks():
    network = BRSDenseNet()
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    running = [b for name, b in network.named_buffers() if "running" in name]
    assert sum(p.numel() for p in network.parameters()) == 17_572_389
    assert sum(p.numel() for p in network.encoder.parameters()) == 6_958_080
    assert sum(p.numel() for p in network.fine.parameters()) == 41_892
    assert sum(b.numel() for b in running) == 88_704
    assert len(norms) == 148
    assert {norm.eps for norm in norms} == {1e-5}


def test_the_fine_decoder_dilates_each_branchs_first_convolution_and_sees_11_pixels(network):
    # The deploy text takes dilations from the network, so OpenCV's forward cannot tell.
    fine = network.fine
    dilations = [[unit.conv.dilation[0] for unit in branch] for branch in fine.branches]
    assert dilations == [[1, 1, 1], [2, 1, 1], [3, 1, 1]]
    x = torch.randn(1, 6, 31, 31, requires_grad=True)
    ungated = fine.predict(fine.conv(torch.cat([branch(x) for branch in fine.branches], 1)))
    (gradient,) = torch.autograd.grad(ungated[0, 0, 15, 15], x)
    for axis in (2, 3):
        reached = gradient.abs().sum([a for a in range(4) if a != axis]).nonzero().flatten()
        assert reached.tolist() == list(range(10, 21))


def test_the_layer_table_reaches_every_parameter_once_and_only_existing_inputs():
    network = BRSDenseNet()
    reached = []
    known = {"concat_input"}
    for layer in caffe_layers():
        assert set(layer.inputs) <= known, layer.name
        assert layer.name not in known
        known.add(layer.name)
        if layer.module and layer.type != "BatchNorm":
            module = network.get_submodule(layer.module)
            reached += [f"{layer.module}.{name}" for name, _ in module.named_parameters()]
    assert sorted(reached) == sorted(name for name, _ in network.named_parameters())


@pytest.mark.parametrize("size", [(33, 50), (64, 96)])
def test_any_size_gives_logits_of_that_size(network, size):
    image, maps = random_input(*size, batch=2)
    with torch.no_grad():
        logits = network.decode_both(network.encode(image), maps)
    assert [x.shape for x in logits] == [(2, 1, *size)] * 2


def test_padding_is_zeros_after_normalisation_at_the_bottom_and_right(network):
    image, maps = random_input(50, 70)
    mean_pixel = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
    padded_image = mean_pixel.repeat(1, 1, 64, 96)
    padded_image[..., :50, :70] = image
    padded_maps = torch.zeros(1, 2, 64, 96)
    padded_maps[..., :50, :70] = maps
    with torch.no_grad():
        found = network.decode(network.encode(image), maps)
        expected = network.decode(network.encode(padded_image), padded_maps)[..., :50, :70]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_both_maps_get_a_gradient_and_their_order_matters(network):
    image, maps = random_input(64, 64)
    features = network.encode(image)
    maps.requires_grad_()
    logits = network.decode(features, maps)
    (gradient,) = torch.autograd.grad(logits.sum(), maps)
    assert (gradient.abs().amax((0, 2, 3)) > 0).all()
    assert not torch.allclose(logits, network.decode(features, maps.flip(1)))


def test_maps_of_another_size_are_refused(network):
    image, maps = random_input(64, 64)
    with pytest.raises(ValueError, match=r"\(1, 2, 64, 64\), got \(1, 2, 64, 63\)"):
        network.decode(network.encode(image), maps[..., :63])


def test_an_untrained_network_is_undecided_everywhere_and_repeats_coarse_logits():
    torch.manual_seed(0)
    network = BRSDenseNet()
    image, maps = random_input(32, 32, batch=4)
    with torch.no_grad():
        coarse, fine = network.decode_both(network.encode(image), maps)
    for logits in (coarse, fine):
        assert logits.std() > 0
        assert (torch.sigmoid(logits) - 0.5).abs().max() < 0.2
    blocks = coarse.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4)
    assert (blocks == blocks[..., :1]).all()


def test_one_training_step_lowers_the_loss_on_its_batch():
    torch.manual_seed(0)
    network = BRSDenseNet()
    image, maps = random_input(32, 32, batch=4)
    target = torch.zeros(4, 1, 32, 32)
    target[..., 8:24, 8:24] = 1
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-2)

    def loss():
        logits = network.decode_both(network.encode(image), maps)
        return sum(nn.functional.binary_cross_entropy_with_logits(x, target) for x in logits)

    before = loss()
    before.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    optimizer.step()
    assert loss() < before
