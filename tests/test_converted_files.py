"""Networks that people bring as files."""

import numpy as np
import pytest
import torch
from test_converted_network import picture, small

from napari_brs import Click
from napari_brs.converted.files import is_own_model, load_own_model
from napari_brs.segmenters import open_segmenter

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture
def scripted(tmp_path):
    path = tmp_path / "cells.pt"
    torch.jit.script(small()).save(path)
    return path


@pytest.mark.parametrize("name", ["a.pt", "b.PT2", "c.zip", "rdf.yaml"])
def test_files_of_models_are_known_by_their_suffix(name):
    assert is_own_model(name)
    assert not is_own_model("brs-live")
    assert not is_own_model("weights.safetensors")


def test_a_torchscript_file_gives_what_the_model_gave(scripted):
    network = load_own_model(scripted, trust=True)
    x = picture()
    own = small().eval()(x)
    torch.testing.assert_close(network.decode(x, torch.zeros_like(x)), own, rtol=1e-5, atol=1e-6)


def test_an_exported_program_gives_what_the_model_gave(tmp_path):
    path = tmp_path / "cells.pt2"
    torch.export.save(torch.export.export(small().eval(), (torch.zeros(1, 1, 40, 56),)), path)
    network = load_own_model(path, trust=True)
    x = picture()
    own = small().eval()(x)
    torch.testing.assert_close(network.decode(x, torch.zeros_like(x)), own, rtol=1e-5, atol=1e-6)


def test_a_file_runs_no_code_before_it_is_trusted(scripted, monkeypatch):
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(ValueError, match=r"runs code of its own when it is opened.*add --trust"):
        load_own_model(scripted)


def test_a_toml_file_beside_it_says_what_the_file_cannot(scripted):
    beside = scripted.with_suffix(".toml")
    beside.write_text('normalise = "standard"\nclasses = ["cell"]\n', encoding="utf-8")
    network = load_own_model(scripted, trust=True)
    assert (network.normalise, network.classes) == ("standard", ("cell",))
    beside.write_text('normalize = "standard"\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"cells.toml has 'normalize'; allowed are activation"):
        load_own_model(scripted, trust=True)
    beside.write_text("normalise = ", encoding="utf-8")
    with pytest.raises(ValueError, match=r"cells.toml is not TOML"):
        load_own_model(scripted, trust=True)


def test_files_that_are_no_models_are_said_to_be_what_they_are(tmp_path):
    weights = tmp_path / "weights.pt"
    torch.save(small().state_dict(), weights)
    with pytest.raises(ValueError, match=r"weights.pt: it was written by torch.save"):
        load_own_model(weights, trust=True)
    rubbish = tmp_path / "rubbish.pt"
    rubbish.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        load_own_model(rubbish, trust=True)
    rubbish = tmp_path / "rubbish.pt2"
    rubbish.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        load_own_model(rubbish, trust=True)
    with pytest.raises(FileNotFoundError, match="no such model file"):
        load_own_model(tmp_path / "nowhere.pt", trust=True)


def test_such_a_file_is_opened_as_any_model_is(scripted):
    segmenter = open_segmenter(scripted, "cpu", trust=True)
    segmenter.set_image(np.zeros((64, 80), np.uint8))
    prediction = segmenter.predict([Click(20, 30)])
    assert prediction.shape == (64, 80)
    with pytest.raises(ValueError, match="--trust"):
        open_segmenter(scripted, "cpu")
