import copy

import pytest
import torch
from torch import nn

from napari_brs.networks.brs_live import BRSLive
from napari_brs.networks.folding import fold_batch_norms


@pytest.fixture(scope="module")
def network():
    """BRS-Live whose batch norms are not those of a fresh network, which do nothing."""
    torch.manual_seed(0)
    network = BRSLive().eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.1)
    return network


def norms(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_a_folded_network_gives_the_same_logits_and_gradients(network):
    folded = fold_batch_norms(copy.deepcopy(network))
    image, maps = torch.rand(1, 3, 64, 96) * 255, torch.rand(1, 2, 64, 96)
    outcomes = []
    for one in (network, folded):
        variable = maps.clone().requires_grad_()
        logits = one.decode(one.encode(image), variable, maps[:, :1])
        outcomes.append((logits.detach(), *torch.autograd.grad(logits.square().sum(), variable)))
    for plain, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(other, plain, rtol=1e-3, atol=1e-4 * float(plain.abs().max()))


def test_every_batch_norm_behind_a_convolution_is_folded(network):
    folded = fold_batch_norms(copy.deepcopy(network))
    # Left are those in front of a ReLU: one for each of the 58 dense layers, three
    # transitions and four laterals.
    assert norms(folded) == 58 + 3 + 4 < norms(network)


def test_a_network_in_training_is_refused():
    with pytest.raises(ValueError, match="training mode; evaluation mode is allowed"):
        fold_batch_norms(nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)))
