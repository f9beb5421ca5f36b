"""The DenseNet-121 encoder and its ImageNet weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_brs.networks.densenet import (
    DenseNet121,
    imagenet_affine,
    load_imagenet,
    normalize,
    pad_to_multiple,
    widen,
)

PRETRAINED = Path(__file__).parents[1].parent / "shared" / "pretrained"
BLOCKS = (6, 12, 24, 16)


def torchvision_features(state: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """torchvision's network as functions of its state, up to each block's end.

    ``image`` is (B, 3, H, W) RGB in [0, 255]; the first convolution is padded with the
    constants that zeros in our normalisation stand for.
    """

    def norm(x: Tensor, name: str) -> Tensor:
        names = ("running_mean", "running_var", "weight", "bias")
        x = F.batch_norm(x, *(state[f"features.{name}.{n}"] for n in names), eps=1e-5)
        return F.relu(x)

    def conv(x: Tensor, name: str, **kwargs: int) -> Tensor:
        return F.conv2d(x, state[f"features.{name}.weight"], **kwargs)

    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    mean_255 = torch.tensor([123.68, 116.779, 103.939]).view(3, 1, 1)
    border = (mean_255 / 255 - mean) / std
    # the constant is what remains of padding "image - constant" with zeros
    x = F.pad((image / 255 - mean) / std - border, (3, 3, 3, 3)) + border
    x = F.max_pool2d(norm(conv(x, "conv0", stride=2), "norm0"), 3, 2, 1)
    levels = []
    for block, layers in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            prefix = f"denseblock{block}.denselayer{layer}"
            y = conv(norm(x, f"{prefix}.norm1"), f"{prefix}.conv1")
            y = conv(norm(y, f"{prefix}.norm2"), f"{prefix}.conv2", padding=1)
            x = torch.cat([x, y], 1)
        levels.append(x)
        if block < len(BLOCKS):
            x = F.avg_pool2d(conv(norm(x, f"transition{block}.norm"), f"transition{block}.conv"), 2)
    return levels


def random_state(seed: int = 0) -> dict[str, Tensor]:
    """A state dictionary with torchvision's keys and shapes, every statistic off its default."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(n: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    state: dict[str, Tensor] = {}

    def conv(name: str, out: int, inp: int, k: int) -> None:
        std = (2 / (inp * k * k)) ** 0.5
        state[f"features.{name}.weight"] = torch.randn(out, inp, k, k, generator=generator) * std

    def norm(name: str, n: int) -> None:
        state[f"features.{name}.weight"] = uniform(n, 0.5, 1.5)
        state[f"features.{name}.bias"] = uniform(n, -0.5, 0.5)
        state[f"features.{name}.running_mean"] = uniform(n, -0.5, 0.5)
        state[f"features.{name}.running_var"] = uniform(n, 0.5, 2)
        state[f"features.{name}.num_batches_tracked"] = torch.tensor(7)

    conv("conv0", 64, 3, 7)
    norm("norm0", 64)
    channels = 64
    for block, layers in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            prefix = f"denseblock{block}.denselayer{layer}"
            norm(f"{prefix}.norm1", channels)
            conv(f"{prefix}.conv1", 128, channels, 1)
            norm(f"{prefix}.norm2", 128)
            conv(f"{prefix}.conv2", 32, 128, 3)
            channels += 32
        if block < len(BLOCKS):
            norm(f"transition{block}.norm", channels)
            conv(f"transition{block}.conv", channels // 2, channels, 1)
            channels //= 2
    norm("norm5", channels)
    state["classifier.weight"] = torch.randn(1000, channels, generator=generator)
    state["classifier.bias"] = torch.zeros(1000)
    return state


def random_image(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(1, 3, height, width, generator=generator) * 255


def assert_same_features(state: dict[str, Tensor], image: Tensor) -> None:
    encoder = DenseNet121().eval()
    load_imagenet(encoder, state)
    with torch.no_grad():
        ours = encoder(normalize(image))
        theirs = torchvision_features({k: v.float() for k, v in state.items()}, image)
    for level, (found, expected) in enumerate(zip(ours, theirs, strict=True)):
        error = (found - expected).norm() / expected.norm()
        assert error < 1e-5, f"level {level}: relative error {error:.1e}"


def test_levels_have_the_channels_and_strides_of_the_released_network():
    levels = DenseNet121(5).eval()(torch.zeros(2, 5, 64, 96))
    assert [tuple(level.shape) for level in levels] == [
        (2, 256, 16, 24),
        (2, 512, 8, 12),
        (2, 1024, 4, 6),
        (2, 1024, 2, 3),
    ]


def test_five_channel_encoder_has_6958080_parameters():
    assert sum(p.numel() for p in DenseNet121(5).parameters()) == 6_958_080


def test_random_torchvision_weights_give_torchvisions_features_to_the_border():
    assert_same_features(random_state(), random_image(64, 96))


@pytest.mark.skipif(not PRETRAINED.is_dir(), reason="no pretrained weights beside the checkout")
def test_imagenet_weights_give_torchvisions_features_to_the_border():
    path = PRETRAINED / "densenet121_imagenet_torchvision.pth"
    assert_same_features(torch.load(path, weights_only=True), random_image(64, 96))


def test_our_zero_is_less_than_a_hundredth_of_a_standard_deviation_off_torchvisions():
    _, offset = imagenet_affine()
    assert 0 < offset.abs().max() < 0.01


def test_interaction_maps_are_felt_from_the_start_and_images_without_clicks_are_their_own():
    state = random_state()
    alone, with_maps = DenseNet121(3).eval(), DenseNet121(5).eval()
    load_imagenet(alone, state)
    load_imagenet(with_maps, state)
    image, maps = normalize(random_image(32, 32)), torch.rand(1, 2, 32, 32)
    expected = alone(image).s4
    without = with_maps(torch.cat([image, 0 * maps], 1)).s4
    torch.testing.assert_close(without, expected, rtol=1e-4, atol=1e-4)
    assert (with_maps(torch.cat([image, maps], 1)).s4 - expected).norm() > 0.05 * expected.norm()


def test_a_widened_convolution_keeps_its_weights_and_adds_random_ones_of_their_size():
    weight = 0.3 * torch.randn(64, 3, 7, 7)
    wide = widen(weight, 5)
    assert torch.equal(wide[:, :3], weight)
    torch.testing.assert_close(wide[:, 3:].std(), torch.tensor(0.3), rtol=0.1, atol=0)
    assert torch.equal(widen(weight, 3), weight)
    with pytest.raises(ValueError, match="5 input channels, the target 3"):
        widen(wide, 3)


@pytest.mark.parametrize("name", ["features.conv0.weight", "features.transition2.conv.weight"])
def test_a_missing_tensor_is_named(name):
    state = random_state()
    del state[name]
    with pytest.raises(ValueError, match=name.removeprefix("features.").replace(".", r"\.")):
        load_imagenet(DenseNet121(), state)


@pytest.mark.parametrize(
    "name", ["features.conv0.weight", "features.denseblock1.denselayer1.conv1.weight"]
)
def test_a_misshapen_tensor_is_named(name):
    state = random_state()
    state[name] = state[name][:-1]
    with pytest.raises(ValueError, match=name.removeprefix("features.").replace(".", r"\.")):
        load_imagenet(DenseNet121(), state)


def test_sizes_that_are_not_multiples_of_32_are_refused():
    with pytest.raises(ValueError, match=r"multiples of 32.*\(32, 40\)"):
        DenseNet121()(torch.zeros(1, 3, 32, 40))


def test_normalize_reverses_the_channels_and_centres_them():
    image = torch.tensor([123.68, 116.779, 103.939 + 100]).view(1, 3, 1, 1)
    assert normalize(image).flatten().tolist() == pytest.approx([1.7, 0, 0], abs=1e-5)


def test_padding_is_zero_and_only_at_the_bottom_and_right():
    x = pad_to_multiple(torch.ones(1, 1, 33, 64), 32)
    assert x.shape == (1, 1, 64, 64)
    assert x[..., :33, :].min() == 1
    assert x[..., 33:, :].max() == 0
