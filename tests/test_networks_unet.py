from __future__ import annotations

import pytest
import torch

from napari_brs.models import load_model, save_weights
from napari_brs.networks.densenet import normalize
from napari_brs.networks.unet import DenseUNet, SegmentationNetwork, UNet


@pytest.fixture(scope="module", params=[UNet, DenseUNet])
def network(request) -> SegmentationNetwork:
    torch.manual_seed(0)
    return request.param().eval()


@pytest.mark.parametrize(("height", "width"), [(32, 64), (33, 47), (5, 100)])
def test_logits_have_the_size_of_the_image(network, height, width):
    x = torch.randn(2, 3, height, width)
    with torch.no_grad():
        assert network.heads(x).shape == (2, network.outputs, height, width)
        assert torch.equal(network(x), network.heads(x)[:, :1])


def test_what_is_added_to_the_bottom_and_the_right_is_background_to_the_network(network):
    """The padding is what a normalised mean colour is."""
    x = torch.randn(1, 3, 40, 50)
    padded = torch.zeros(1, 3, 64, 64)
    padded[..., :40, :50] = x
    with torch.no_grad():
        torch.testing.assert_close(network(x), network(padded)[..., :40, :50])


def test_pixels_keep_their_place_through_blocks_and_shuffle():
    """With a head that passes one channel on, logits are where the pixels were."""
    network = UNet().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        # The identity on the first 12 channels: red, green and blue of two by two pixels.
        for stage in (network.enter, network.up[-1].convs):
            for block in stage:
                for channel in range(12):
                    block[0].weight[channel, channel, 1, 1] = 1
                block[1].weight.fill_(1)
        for k in range(4):
            network.head.weight[k, k, 1, 1] = 1
    x = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        y = network(x)
    torch.testing.assert_close(y, x[:, :1], rtol=1e-3, atol=1e-4)


def test_cores_are_the_probability_of_the_second_output():
    network = UNet().eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.cores(x), network.heads(x)[:, 1:2].sigmoid())


def test_normalisation_is_the_same_for_every_pixel(network):
    image = torch.rand(1, 3, 8, 8) * 255
    changed = image.clone()
    changed[..., 0, 0] = 0
    same = network.normalise(image) == network.normalise(changed)
    assert same[..., 1:, :].all()
    assert torch.equal(network.normalise(image), normalize(image))


def test_every_parameter_that_is_trained_gets_a_gradient(network):
    network.heads(torch.randn(2, 3, 64, 64)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    network.zero_grad()


def test_the_imagenet_encoder_stays_in_evaluation_mode_and_frozen():
    network = DenseUNet().train()
    assert network.training
    assert not network.encoder.training
    assert not any(p.requires_grad for p in network.encoder.parameters())


def test_weights_survive_a_file(tmp_path):
    torch.manual_seed(1)
    network = UNet().eval()
    loaded = load_model(save_weights(network, tmp_path / "cells.safetensors", "unet-cells"))
    assert isinstance(loaded, UNet)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), network(x), rtol=1e-2, atol=1e-2)
    assert (tmp_path / "cells.safetensors").stat().st_size < 16e6
