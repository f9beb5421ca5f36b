"""Networks and energies on torch's ``meta`` device, which refuses a tensor left on the CPU.

It is the nearest thing to a GPU that every machine has: shapes and devices without values.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import torch

from napari_brs import make_interactive
from napari_brs.brs.refinement import corrective_energy, inertial_energy
from napari_brs.brs.view import View, sample
from napari_brs.masks import Box
from napari_brs.models import list_models
from napari_brs.networks.deeplab import DeepLabV3
from napari_brs.networks.folding import fold_batch_norms

NETWORKS = {info.name: info for info in list_models()}
META = torch.device("meta")
SIZE = (75, 100)


@cache
def built(name: str) -> torch.nn.Module:
    """A network on the CPU, which is to be copied: drawing its first weights takes a second."""
    model = DeepLabV3() if name == "deeplab" else NETWORKS[name].build()
    return model.eval().requires_grad_(False)


def descends(logits: torch.Tensor, maps: torch.Tensor, channels: Any = 0) -> None:
    """E and its gradient are computed where the logits are."""
    points = torch.tensor([[3.0, 4.5], [60.0, 70.0]], device=META)
    labels = torch.tensor([1.0, 0.0], device=META)
    energy = corrective_energy(logits, points, labels, channels)
    energy = energy + 1e-3 * inertial_energy(maps, maps.detach())
    (gradient,) = torch.autograd.grad(energy, maps)
    assert gradient.device == META
    assert gradient.shape == maps.shape


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("previous", [True, False])
@pytest.mark.parametrize("name", [n for n, info in NETWORKS.items() if info.kind == "network"])
def test_an_interactive_network_leaves_nothing_on_the_cpu(
    name: str, previous: bool, folded: bool
) -> None:
    network = deepcopy(built(name))
    network = (fold_batch_norms(network) if folded else network).to(META)
    features = network.encode(torch.zeros(1, 3, *SIZE, device=META))
    assert {part.device for part in features} == {META}
    maps = torch.zeros(1, 2, *SIZE, device=META, requires_grad=True)
    before = torch.zeros(1, 1, *SIZE, device=META) if previous else None
    for logits in network.decode_both(features, maps, before):
        assert (logits.device, logits.shape) == (META, (1, 1, *SIZE))
    descends(network.decode(features, maps, before), maps)


@pytest.mark.parametrize("normalise", ["unit", "standard", "imagenet", "none", "own"])
@pytest.mark.parametrize("name", ["unet-cells", "saliency", "deeplab"])
def test_a_converted_network_leaves_nothing_on_the_cpu(name: str, normalise: str) -> None:
    model: Any = deepcopy(built(name))
    if normalise == "own":
        normalise = getattr(model, "normalise", normalise)
        if normalise == "own":
            pytest.skip("it brings no normalisation of its own")
    network = make_interactive(model, normalise=normalise).to(META)
    x = network.encode(torch.zeros(1, 3, *SIZE, device=META))
    z = torch.zeros_like(x).requires_grad_()
    output = network.decode(x, z)
    assert output.device == META
    targets = list(range(min(2, len(network.classes))))
    assert network.probabilities(output, SIZE).shape == (1, len(network.classes), *SIZE)
    if len(network.classes) > 2:
        assert network.lead(output, targets, SIZE).shape == (1, len(targets), *SIZE)
    odds = network.log_odds(output, targets, SIZE)
    descends(odds, z, torch.tensor([0, targets[-1]], device=META))


def test_a_view_stays_where_its_values_are() -> None:
    view = View(Box(5, 5, 65, 45), (30, 20))
    values = torch.zeros(1, 1, 30, 20, device=META)
    assert view.paste(values).device == META
    assert sample(values, torch.zeros(4, 2, device=META)).device == META


def test_a_tensor_left_on_the_cpu_is_refused() -> None:
    with pytest.raises(RuntimeError, match="meta"):
        inertial_energy(torch.zeros(1, 2, 4, 4, device=META), torch.zeros(1, 2, 4, 4))
