from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from napari_brs.models import load_model, model_info, save_weights
from napari_brs.networks.brs_vgg import VGG19
from napari_brs.networks.densenet import DenseNet121
from napari_brs.training.config import ModelConfig
from napari_brs.training.network import compile_submodules, make_network


def test_network_starts_from_given_weights(tmp_path: Path) -> None:
    file = save_weights(model_info("brs-live").build(), tmp_path / "a.safetensors", "brs-live")
    network = make_network(ModelConfig(initial=str(file)))
    torch.testing.assert_close(
        network.state_dict()["coarse.weight"], load_model(file).state_dict()["coarse.weight"]
    )
    trained = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert "coarse" in trained
    assert "encoder" not in trained
    network = make_network(ModelConfig(train_encoder=True))
    assert all(p.requires_grad for p in network.parameters())
    with pytest.raises(ValueError, match="holds no brs-densenet"):
        make_network(ModelConfig(name="brs-densenet", initial=str(file)))


@pytest.mark.parametrize("name", ["brs-live", "brs-densenet", "brs-vgg"])
def test_encoders_start_from_imagenet(name: str, tmp_path: Path) -> None:
    if name == "brs-vgg":
        source, own = VGG19(), "features.2.weight"
        state = source.state_dict()
    else:
        source, own = DenseNet121(), "denseblock1.denselayer1.conv1.weight"
        state = {f"features.{key}": value for key, value in source.state_dict().items()}
    torch.save(state, tmp_path / "imagenet.pth")
    network = make_network(ModelConfig(name=name, imagenet=str(tmp_path / "imagenet.pth")))
    torch.testing.assert_close(network.encoder.state_dict()[own], source.state_dict()[own])


def test_an_encoder_is_taken_over_from_another_network(tmp_path: Path) -> None:
    live = model_info("brs-live").build()
    save_weights(live, tmp_path / "live.safetensors", "brs-live")
    save_weights(model_info("brs-vgg").build(), tmp_path / "vgg.safetensors", "brs-vgg")
    config = ModelConfig(name="brs-densenet", encoder=str(tmp_path / "live.safetensors"))
    image = torch.rand(1, 3, 64, 64)
    # Where there are no clicks, its features are those of the other network.
    network = make_network(config).eval()
    half = load_model(tmp_path / "live.safetensors").eval()
    with torch.no_grad():
        expected = half.encoder(image)
        found = network.encoder(torch.cat([image, torch.zeros(1, 2, 64, 64)], 1))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    with pytest.raises(ValueError, match=r"model\.encoder = .*vgg.* has another encoder"):
        make_network(ModelConfig(name="brs-live", encoder=str(tmp_path / "vgg.safetensors")))


def test_decoders_are_taken_over_where_they_fit(tmp_path: Path) -> None:
    source = model_info("brs-densenet").build()
    save_weights(source, tmp_path / "densenet.safetensors", "brs-densenet")
    half = load_model(tmp_path / "densenet.safetensors").state_dict()
    path = str(tmp_path / "densenet.safetensors")
    network = make_network(ModelConfig(name="brs-vgg", decoders=path))
    found = network.state_dict()
    same = [
        name
        for name, tensor in found.items()
        if name in half and tensor.shape == half[name].shape and torch.equal(tensor, half[name])
    ]
    assert {name for name in found if name.startswith("fine.")} <= set(same)
    # The skip connection's convolution has the encoder's channels, that behind it has not.
    assert "coarse.block16.convs.0.conv.weight" in same
    assert "coarse.block16.lateral.conv.weight" not in same
    with pytest.raises(ValueError, match=r"model\.decoders = .*densenet.* another network"):
        make_network(ModelConfig(name="brs-live", decoders=path))


def test_networks_that_do_not_start_from_imagenet_say_so(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "imagenet.pth")
    config = ModelConfig(name="unet-cells", imagenet=str(tmp_path / "imagenet.pth"))
    with pytest.raises(ValueError, match="unet-cells does not start from ImageNet"):
        make_network(config)


def test_parts_of_a_network_are_compiled_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled.append(module))
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 2)))
    compile_submodules(network, ["1", "1.0"])
    assert compiled == [network[1], network[1][0]]
    with pytest.raises(ValueError, match=r"run\.compile = 'fine': allowed are .*\['0', '1'\]"):
        compile_submodules(network, ["fine"])
