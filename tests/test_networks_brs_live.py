from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_brs.networks.brs_live import BRSLive, LiveFeatures, _prototype_similarity


@pytest.fixture(scope="module")
def network() -> BRSLive:
    """Random weights with activations of a sensible size, in evaluation mode."""
    torch.manual_seed(0)
    network = BRSLive()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    nn.init.normal_(network.residual.weight, std=0.05)
    return network.eval()


def _inputs(height: int, width: int, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(height * width)
    image = 255 * torch.rand(batch, 3, height, width, generator=generator)
    return image, torch.rand(batch, 2, height, width, generator=generator)


@pytest.mark.parametrize("size", [(1, 1), (5, 70), (64, 64), (97, 33)])
def test_logits_have_the_size_of_the_maps(network: BRSLive, size: tuple[int, int]) -> None:
    image, maps = _inputs(*size)
    with torch.no_grad():
        coarse, fine = network.decode_both(network.encode(image), maps)
    assert coarse.shape == fine.shape == (1, 1, *size)
    assert coarse.isfinite().all()
    assert fine.isfinite().all()


def test_no_previous_mask_is_a_mask_of_zeros(network: BRSLive) -> None:
    image, maps = _inputs(64, 64)
    with torch.no_grad():
        features = network.encode(image)
        without = network.decode(features, maps)
        zeros = network.decode(features, maps, torch.zeros(1, 1, 64, 64))
        ones = network.decode(features, maps, torch.ones(1, 1, 64, 64))
    torch.testing.assert_close(without, zeros)
    assert not torch.allclose(without, ones)


def test_features_depend_on_the_image_alone_and_logits_on_the_maps(network: BRSLive) -> None:
    image, maps = _inputs(64, 64)
    with torch.no_grad():
        features = network.encode(image)
        first = network.decode(features, maps)
        assert not torch.allclose(first, network.decode(features, 1 - maps))
        torch.testing.assert_close(first, network.decode(features, maps))


def test_samples_of_a_batch_do_not_see_each_other(network: BRSLive) -> None:
    image, maps = _inputs(64, 96, batch=2)
    with torch.no_grad():
        both = network.decode(network.encode(image), maps)
        alone = network.decode(network.encode(image[1:]), maps[1:])
    torch.testing.assert_close(both[1:], alone, rtol=1e-4, atol=1e-4)


def test_gradient_reaches_the_maps_far_from_any_click(network: BRSLive) -> None:
    image, _ = _inputs(128, 128)
    maps = torch.zeros(1, 2, 128, 128)
    maps[0, 0, 64, 64] = 1
    maps.requires_grad_()
    logits = network.decode(network.encode(image), maps)
    logits[0, 0, 100, 100].backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
    assert maps.grad[0, :, :10, :10].abs().max() > 0


def test_refined_maps_above_one_do_not_explode(network: BRSLive) -> None:
    image, maps = _inputs(64, 64)
    with torch.no_grad():
        features = network.encode(image)
        at_one = network.decode(features, torch.ones_like(maps))
        above = network.decode(features, torch.full_like(maps, 1.1))
    assert (above - at_one).abs().max() < 0.5 * at_one.abs().max() + 1


def test_encoder_keeps_its_statistics_and_weights_in_training() -> None:
    network = BRSLive().train()
    before = {k: v.clone() for k, v in network.encoder.state_dict().items()}
    image, maps = _inputs(32, 32, batch=2)
    network.decode(network.encode(image), maps).sum().backward()
    assert all(torch.equal(before[k], v) for k, v in network.encoder.state_dict().items())
    assert all(p.grad is None for p in network.encoder.parameters())


def test_every_parameter_beside_the_encoder_is_trained() -> None:
    network = BRSLive().train()
    # Zero at the start, so that the fine logits begin as the coarse ones.
    nn.init.normal_(network.residual.weight)
    image, maps = _inputs(64, 64, batch=2)
    coarse, fine = network.decode_both(network.encode(image), maps)
    (coarse.square().mean() + fine.square().mean()).backward()
    idle = [
        name
        for name, p in network.named_parameters()
        if not name.startswith("encoder") and p.grad is None
    ]
    assert idle == []


def test_light_branch_has_at_most_two_million_parameters() -> None:
    network = BRSLive()
    light = sum(
        p.numel() for name, p in network.named_parameters() if not name.startswith("encoder")
    )
    assert light < 2_000_000


def test_features_survive_half_precision(network: BRSLive) -> None:
    image, maps = _inputs(64, 64)
    with torch.no_grad():
        features = network.encode(image)
        halved = LiveFeatures(*(f.half().float() for f in features))
        exact, rounded = network.decode(features, maps), network.decode(halved, maps)
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0.02 * float(exact.abs().max()))


def test_features_of_another_network_are_refused(network: BRSLive) -> None:
    _, maps = _inputs(32, 32)
    with pytest.raises(TypeError, match=r"BRSLive\.encode"):
        network.decode((maps,), maps)  # type: ignore[arg-type]


def test_similarity_is_the_cosine_to_the_mean_embedding() -> None:
    angles = torch.tensor([[0.0, 0.5], [1.0, 2.0]])
    embedding = torch.stack([angles.cos(), angles.sin()])[None]
    weights = torch.zeros(1, 2, 2, 2)
    weights[0, 0, 0] = 5.0
    similarity = _prototype_similarity(embedding, weights)
    torch.testing.assert_close(similarity[0, 0], (angles - 0.25).cos(), rtol=0, atol=2e-3)
    assert (similarity[0, 1] == 0).all()
