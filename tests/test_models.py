import hashlib
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_brs import Click, models
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.models import ModelInfo, digest, list_models, load_model, model_info, save_weights
from napari_brs.networks.brs_live import BRSLive


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return BRSLive().eval()


@pytest.fixture
def weights(network, tmp_path):
    return save_weights(network, tmp_path / "mine.safetensors", "brs-live")


def test_the_default_model_comes_first_and_names_are_unique():
    names = [info.name for info in list_models()]
    assert names[0] == "brs-live"
    assert len(set(names)) == len(names)


NETWORKS = [info for info in list_models() if info.kind != "classical"]


@pytest.mark.parametrize("info", NETWORKS, ids=lambda info: info.name)
def test_every_builder_builds(info):
    assert sum(p.numel() for p in info.build().parameters()) > 1_000_000


@pytest.mark.parametrize("info", NETWORKS, ids=lambda info: info.name)
def test_shipped_weights_load_match_their_sha256_and_have_a_card(info):
    if info.sha256 is None:
        assert not info.available
        with pytest.raises(FileNotFoundError, match="no weights are shipped"):
            load_model(info.name)
        return
    assert hashlib.sha256(info.path.read_bytes()).hexdigest() == info.sha256
    assert info.card.read_text().startswith("#")
    network = load_model(info.name)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


def test_weights_that_are_not_installed_are_asked_for_by_their_place(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_brs.models.WEIGHTS", tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"brs-densenet are not installed.*{tmp_path}"):
        load_model("brs-densenet")


def test_saved_weights_come_back_to_half_precision_and_predict_the_same(network, weights):
    loaded = load_model(weights)
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            found = loaded.state_dict()[key]
            assert found.dtype == torch.float32
            torch.testing.assert_close(found, value, rtol=1e-3, atol=1e-6)
    image = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    probabilities = []
    for model in (network, weights):
        segmenter = BRSSegmenter(model, device="cpu")
        segmenter.set_image(image)
        probabilities.append(segmenter.predict([Click(20, 20)], refine=False).probability)
    np.testing.assert_allclose(*probabilities, atol=0.02)


def test_vectors_stay_in_single_precision(weights):
    for tensor in load_file(weights).values():
        assert tensor.dtype == (torch.float16 if tensor.ndim > 1 else torch.float32)


def test_an_unknown_name_is_refused_with_those_allowed():
    with pytest.raises(ValueError, match=r"unknown model 'sam'; allowed are brs-live, brs-dense"):
        load_model("sam")
    with pytest.raises(ValueError, match="unknown model"):
        model_info("")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such weights file: .*gone\.safetensors"):
        load_model(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("where", [0.3, 0.9])
def test_a_changed_byte_is_noticed(weights, where):
    content = bytearray(weights.read_bytes())
    content[int(where * len(content))] ^= 0x40
    weights.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load_model(weights)


def test_a_half_copied_file_is_noticed(weights):
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        load_model(weights)


def test_a_pinned_file_that_was_exchanged_is_noticed(weights, monkeypatch):
    info = ModelInfo("brs-live", "", model_info("brs-live").builder, "0" * 64)
    monkeypatch.setattr("napari_brs.models._MODELS", (info,))
    monkeypatch.setattr("napari_brs.models.WEIGHTS", weights.parent)
    weights.rename(weights.parent / "brs-live.safetensors")
    with pytest.raises(ValueError, match=r"is damaged: its SHA-256 is \w+, expected 0000"):
        load_model("brs-live")


def test_a_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="was not written by napari-brs"):
        load_model(path)


def test_weights_of_another_network_are_refused_with_what_differs(tmp_path):
    path = tmp_path / "other.safetensors"
    tensors = {"weight": torch.zeros(3)}
    save_file(tensors, path, {"architecture": "brs-live", "sha256": digest(tensors)})
    with pytest.raises(ValueError, match=r"does not fit brs-live: \d+ tensors missing .* 1 unexp"):
        load_model(path)


def test_weights_of_another_size_are_refused(network, tmp_path):
    wider = BRSLive()
    wider.coarse = torch.nn.Conv2d(wider.coarse.in_channels, 2, 1)
    path = save_weights(wider, tmp_path / "wider.safetensors", "brs-live")
    with pytest.raises(ValueError, match=r"(?s)does not fit brs-live: .*size mismatch for coarse"):
        load_model(path)


def test_a_failed_save_leaves_nothing_behind(network, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        save_weights(network, tmp_path / "mine.safetensors", "brs-live")
    assert not list(tmp_path.iterdir())


def test_weights_are_saved_as_safetensors_of_known_architectures_only(network, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        save_weights(network, tmp_path / "mine.pth", "brs-live")
    with pytest.raises(ValueError, match="unknown model 'mine'"):
        save_weights(network, tmp_path / "mine.safetensors", "mine")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission bits")
def test_weights_get_the_permissions_of_any_new_file(weights):
    other = weights.with_name("other")
    other.touch()
    assert weights.stat().st_mode == other.stat().st_mode


def test_a_file_that_claims_to_hold_a_method_without_weights_is_refused(tmp_path):
    path, tensors = tmp_path / "a.safetensors", {"a": torch.zeros(1)}
    save_file(tensors, path, {"architecture": "graph-cut", "sha256": digest(tensors)})
    with pytest.raises(ValueError, match="claims to hold graph-cut, which has no weights"):
        load_model(path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e5m2, torch.int64, torch.bool])
def test_tensors_of_other_types_than_are_written_are_refused(weights, dtype):
    tensors = {key: value.to(dtype) for key, value in load_file(weights).items()}
    save_file(tensors, weights, {"architecture": "brs-live", "sha256": "0" * 64})
    with pytest.raises(ValueError, match=r"holds tensors of type \w+; F16 and F32 are allowed"):
        load_model(weights)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: 1 / 0, "division by zero"),
        (lambda: ["halo"], "halo of .* is no ModelInfo"),
        (lambda: [model_info("brs-live")], "brs-live of .* is the name of another model"),
    ],
)
def test_models_of_a_package_that_fails_are_left_out_with_a_warning(given, message, monkeypatch):
    entry = SimpleNamespace(value="bad:models", load=lambda: given)
    monkeypatch.setattr("napari_brs.models.entry_points", lambda group: [entry])
    with pytest.warns(UserWarning, match=message):
        assert list(models._found_elsewhere()) == []
