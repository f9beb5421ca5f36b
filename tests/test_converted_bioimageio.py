"""BioImage.IO packages: their axes, preprocessing and postprocessing."""

import shutil
import zipfile

import numpy as np
import pytest
import torch

pytest.importorskip("bioimageio.core")

import pydantic
import yaml
from test_converted_segmenter import Bright, scene

from napari_brs.converted.files import load_own_model

WORKS = tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 14)
needs_pydantic = pytest.mark.skipif(
    not WORKS, reason="bioimageio.spec 0.5.12 does not work with pydantic 2.14"
)
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
    # bioimageio.spec and the libraries it stands on
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def space(name, size):
    return {"id": name, "type": "space", "size": size}


def package(folder, *, pre=(), post=(), axes="bcyx", size=None, weights="torchscript"):
    """Write a package of the network that takes what is bright for cells; its rdf.yaml."""
    folder.mkdir(exist_ok=True)
    size = size or {"min": 16, "step": 8}
    kinds = {
        "b": {"type": "batch"},
        "c": {"type": "channel", "channel_names": ["grey"]},
        "y": space("y", size),
        "x": space("x", size),
    }
    model = Bright().eval()
    if axes == "byxc":
        model = ChannelsLast(model)
    shape = [32 if axis in "yx" else 1 for axis in axes]
    example = torch.zeros(shape)
    torch.jit.trace(model, example).save(str(folder / "weights.pt"))
    for name in ("input", "output"):
        np.save(folder / f"{name}.npy", np.zeros(shape, np.float32))
    (folder / "README.md").write_text("# Cells\n", encoding="utf-8")
    given = [dict(kinds[axis]) for axis in axes]
    for axis in given:
        if axis["type"] == "space":
            axis["size"] = {"tensor_id": "image", "axis_id": axis["id"]}
    description = {
        "type": "model",
        "format_version": "0.5.3",
        "name": "bright cells",
        "description": "what is bright",
        "authors": [{"name": "A. Nonymous"}],
        "cite": [{"text": "nobody", "doi": "10.1234/abcd"}],
        "license": "CC0-1.0",
        "documentation": "README.md",
        "inputs": [
            {
                "id": "image",
                "axes": [kinds[axis] for axis in axes],
                "test_tensor": {"source": "input.npy"},
                "data": {"type": "float32"},
                "preprocessing": list(pre),
            }
        ],
        "outputs": [
            {
                "id": "cells",
                "axes": given,
                "test_tensor": {"source": "output.npy"},
                "data": {"type": "float32"},
                "postprocessing": list(post),
            }
        ],
        "weights": {weights: {"source": "weights.pt", **VERSIONS[weights]}},
    }
    path = folder / "rdf.yaml"
    path.write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
    return path


VERSIONS = {"torchscript": {"pytorch_version": "2.13"}, "onnx": {"opset_version": 15}}
SCALE = {"id": "scale_linear", "kwargs": {"gain": 1 / 255, "offset": 0.0}}


class ChannelsLast(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def image():
    return torch.from_numpy(scene()).float().expand(1, 3, -1, -1)


def own_logits():
    with torch.no_grad():
        return Bright()(image()[:, :1] / 255)


@needs_pydantic
@pytest.mark.parametrize("axes", ["bcyx", "byxc"])
def test_axes_and_preprocessing_are_honoured(tmp_path, axes):
    path = package(tmp_path / "p", pre=[SCALE], post=[{"id": "sigmoid"}], axes=axes)
    network = load_own_model(path, trust=True)
    x = network.encode(image())
    assert x.shape == (1, 1, 300, 400)
    torch.testing.assert_close(x, image()[:, :1] / 255)
    output = network.decode(x, torch.zeros_like(x))
    torch.testing.assert_close(output, own_logits(), rtol=1e-4, atol=1e-4)
    assert network.activation == "sigmoid"
    assert (network.form.multiple, network.form.least) == (8, 16)


@needs_pydantic
def test_statistics_of_the_image_are_those_of_the_package(tmp_path):
    step = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}}
    network = load_own_model(package(tmp_path / "p", pre=[step]), trust=True)
    x = network.encode(image())
    assert x.mean().item() == pytest.approx(0, abs=1e-4)
    assert x.std().item() == pytest.approx(1, abs=1e-3)


@needs_pydantic
def test_a_threshold_becomes_the_probability_of_one_half(tmp_path):
    post = [{"id": "sigmoid"}, {"id": "binarize", "kwargs": {"threshold": 0.9}}]
    network = load_own_model(package(tmp_path / "p", pre=[SCALE], post=post), trust=True)
    x = network.encode(image())
    output = network.decode(x, torch.zeros_like(x))
    mask = network.log_odds(output, [0], (300, 400)) > 0
    torch.testing.assert_close(mask, own_logits().sigmoid() > 0.9)


@needs_pydantic
def test_a_zipped_package_is_opened_as_the_folder_is(tmp_path):
    path = package(tmp_path / "p", pre=[SCALE])
    archive = shutil.make_archive(str(tmp_path / "cells"), "zip", path.parent)
    network = load_own_model(archive, trust=True)
    x = network.encode(image())
    output = network.decode(x, torch.zeros_like(x))
    torch.testing.assert_close(output, own_logits(), rtol=1e-4, atol=1e-4)


@needs_pydantic
def test_a_package_of_one_size_says_so(tmp_path):
    network = load_own_model(package(tmp_path / "p", pre=[SCALE], size=64), trust=True)
    assert network.form.size == (64, 64)


@needs_pydantic
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"post": [{"id": "scale_range"}]}, "postprocessing 'scale_range' that clicks cannot"),
        ({"weights": "onnx"}, "has onnx weights; PyTorch or TorchScript ones are needed"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        load_own_model(package(tmp_path / "p", **options), trust=True)


@pytest.mark.skipif(WORKS, reason="only where the two do not work together")
def test_a_pydantic_that_is_too_new_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"does not work with pydantic .* pip install"):
        load_own_model(package(tmp_path / "p"), trust=True)


def test_something_else_is_no_package(tmp_path):
    path = tmp_path / "rdf.yaml"
    path.write_text("type: model\nname: nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"cannot be read as a BioImage.IO package"):
        load_own_model(path, trust=True)


def test_an_archive_without_a_description_is_no_package(tmp_path):
    path = tmp_path / "nothing.zip"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is no zip archive"):
        load_own_model(path, trust=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.md", "nothing")
    with pytest.raises(ValueError, match=r"holds no rdf.yaml"):
        load_own_model(path, trust=True)


def test_it_runs_no_code_before_it_is_trusted(tmp_path):
    with pytest.raises(ValueError, match="runs code of its own"):
        load_own_model(package(tmp_path / "p"))
