"""BRS-VGG and the weights its encoder starts from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_brs.networks.brs_vgg import VGG19, BRSVgg

PRETRAINED = Path(__file__).parents[1].parent / "shared" / "pretrained"
MEAN_BGR = torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
# torchvision's index and channels of each convolution
CONVOLUTIONS = dict(
    zip(
        (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
        (64,) * 2 + (128,) * 2 + (256,) * 4 + (512,) * 8,
        strict=True,
    )
)


def random_state(last: int = 34) -> dict[str, Tensor]:
    """VGG-19's weights up to a convolution, random, with biases that matter at its scale."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    inputs = 3
    for index, outputs in CONVOLUTIONS.items():
        if index > last:
            break
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator)
        state[f"features.{index}.weight"] = weight * (2 / (9 * inputs)) ** 0.5
        state[f"features.{index}.bias"] = 30 * torch.randn(outputs, generator=generator)
        inputs = outputs
    return state


def reference(state: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """VGG-19 up to the last convolution in ``state``: its output before each pooling, and after."""
    outputs = []
    previous = -2
    for index in CONVOLUTIONS:
        if f"features.{index}.weight" not in state:
            break
        if index - previous == 3:  # a pooling lies between
            outputs.append(x)
            x = F.max_pool2d(x, 2)
        weight, bias = (state[f"features.{index}.{n}"].float() for n in ("weight", "bias"))
        x = F.relu(F.conv2d(x, weight, bias, padding=1))
        previous = index
    return [*outputs, x, F.max_pool2d(x, 2)]


def random_bgr(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(1, 3, height, width, generator=generator) * 255


def test_levels_are_0017_times_the_originals_from_border_to_border():
    state, bgr = random_state(), random_bgr(64, 96)
    encoder = VGG19()
    encoder.load_imagenet(state)
    with torch.no_grad():
        levels = encoder((bgr - MEAN_BGR) * 0.017)
        expected = reference(state, bgr - MEAN_BGR)[2:]
    assert [tuple(level.shape[1:]) for level in levels] == [
        (256, 16, 24),
        (512, 8, 12),
        (512, 4, 6),
        (512, 2, 3),
    ]
    for found, original in zip(levels, expected, strict=True):
        assert (found - 0.017 * original).norm() < 1e-5 * found.norm()


@pytest.mark.skipif(not PRETRAINED.is_dir(), reason="no pretrained weights beside the checkout")
def test_the_published_conv1_to_conv3_give_the_originals_features():
    path = PRETRAINED / "vgg19_conv1_to_conv3_imagenet.pth"
    state, bgr = torch.load(path, weights_only=True), random_bgr(64, 96)
    encoder = VGG19()
    encoder.load_imagenet(state)
    with torch.no_grad():
        found = encoder((bgr - MEAN_BGR) * 0.017).s4
        original = reference(state, bgr - MEAN_BGR)[2]
    assert (found - 0.017 * original).norm() < 1e-5 * found.norm()


def test_conv4_and_conv5_stay_as_they_were_when_not_given():
    encoder = VGG19()
    before = encoder.features[19].weight.clone()
    encoder.load_imagenet(random_state(last=16))
    assert torch.equal(encoder.features[19].weight, before)


def test_interaction_maps_are_felt_from_the_start_and_images_without_clicks_are_their_own():
    state = random_state(last=16)
    alone, with_maps = VGG19(3), VGG19(5)
    alone.load_imagenet(state)
    with_maps.load_imagenet(state)
    image, maps = torch.randn(1, 3, 32, 32), torch.rand(1, 2, 32, 32)
    expected = alone(image).s4
    torch.testing.assert_close(with_maps(torch.cat([image, 0 * maps], 1)).s4, expected)
    assert (with_maps(torch.cat([image, maps], 1)).s4 - expected).norm() > 0.05 * expected.norm()


@pytest.mark.parametrize("name", ["features.0.weight", "features.16.bias"])
def test_a_missing_tensor_is_named_and_nothing_is_changed(name):
    state = random_state()
    del state[name]
    encoder = VGG19()
    before = encoder.features[0].weight.clone()
    with pytest.raises(ValueError, match=rf"{name} is missing"):
        encoder.load_imagenet(state)
    assert torch.equal(encoder.features[0].weight, before)


def test_a_misshapen_tensor_is_named_with_both_shapes():
    state = random_state()
    state["features.5.weight"] = state["features.5.weight"][:-1]
    with pytest.raises(ValueError, match=r"features\.5\.weight.*\(128, 64.*got \(127, 64"):
        VGG19().load_imagenet(state)


def test_decoders_are_brs_densenets_and_logits_have_the_images_size():
    from napari_brs.networks.brs_densenet import BRSDenseNet

    network = BRSVgg().eval()
    assert {k: v.shape for k, v in network.fine.state_dict().items()} == {
        k: v.shape for k, v in BRSDenseNet().fine.state_dict().items()
    }
    with torch.no_grad():
        features = network.encode(random_bgr(50, 70))
        coarse, fine = network.decode_both(features, torch.rand(1, 2, 50, 70))
    assert coarse.shape == fine.shape == (1, 1, 50, 70)
    assert fine.std() > 0
