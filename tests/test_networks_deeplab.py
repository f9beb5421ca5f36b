from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from napari_brs.networks.deeplab import (
    VOC_CLASSES,
    DeepLabV3,
    InvertedResidual,
    SameConv2d,
    load_deeplab,
)

RELEASED = Path(__file__).parents[2] / "shared/pretrained/deeplabv3_mobilenetv2_voc_nhwc.pth"


def summing(kernel: int, stride: int, dilation: int = 1) -> SameConv2d:
    """A convolution that adds up the pixels in its kernel's middle row, by powers of ten."""
    conv = SameConv2d(1, 1, kernel, stride, dilation=dilation, bias=False)
    weight = torch.zeros(kernel, kernel)
    weight[kernel // 2] = 10.0 ** torch.arange(kernel - 1, -1, -1)
    conv.weight.data = weight[None, None]
    return conv.requires_grad_(False)


@pytest.mark.parametrize(
    ("side", "stride", "dilation", "expected"),
    [
        # Pixels are 1, 2, 3, …; a digit for each of the three positions of the kernel.
        (5, 1, 1, [12, 123, 234, 345, 450]),
        (4, 2, 1, [123, 340]),  # one pixel of padding, after the image
        (5, 2, 1, [12, 234, 450]),  # one before and one after
        (5, 1, 2, [13, 24, 135, 240, 350]),
        (6, 2, 2, [24, 246, 460]),  # three: one before, two after
    ],
)
def test_same_padding_looks_at_the_pixels_that_tensorflow_looks_at(
    side, stride, dilation, expected
):
    x = torch.arange(1.0, side + 1).view(1, 1, 1, -1)
    y = summing(3, stride, dilation)(x)
    assert y.flatten().tolist() == expected


def test_same_padding_gives_the_quotient_rounded_up():
    for side, stride in itertools.product(range(3, 20), (1, 2)):
        y = summing(3, stride)(torch.zeros(1, 1, side, side + 1))
        assert y.shape[-2:] == (-(-side // stride), -(-(side + 1) // stride))


def test_blocks_are_added_only_where_shapes_agree():
    x = torch.randn(1, 8, 6, 6)
    for in_out_stride, adds in [((8, 8, 1), True), ((8, 12, 1), False), ((8, 8, 2), False)]:
        block = InvertedResidual(*in_out_stride, dilation=1, expands=True)
        torch.nn.init.zeros_(block.project.weight)
        torch.nn.init.zeros_(block.project.bias)
        y = block(x)
        assert block.adds is adds
        assert torch.equal(y, x) if adds else not y.any()


@pytest.mark.parametrize(("height", "width"), [(33, 49), (40, 64), (17, 18)])
def test_logits_cover_images_of_any_size(height, width):
    network = DeepLabV3().eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, height, width)).shape == (2, 21, height, width)


def test_features_are_a_sixteenth_of_the_image_and_corners_meet():
    network = DeepLabV3().eval()
    seen = []
    network.logits.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        y = network(torch.randn(1, 3, 33, 65))
    (small,) = seen
    assert small.shape[-2:] == (3, 5)
    # Every sixteenth pixel has the value of one feature.
    torch.testing.assert_close(y[..., ::16, ::16], small, rtol=1e-4, atol=1e-5)


def written(network: DeepLabV3) -> dict[str, torch.Tensor]:
    """Tensors of a network under TensorFlow's names and in its layout."""
    names = {"first": "MobilenetV2_Conv_Conv2D", "pooling": "image_pooling_Conv2D",
             "aspp": "aspp0_Conv2D", "projection": "concat_projection_Conv2D",
             "logits": "logits_semantic_Conv2D"}  # fmt: skip
    tensors = {}
    for key, value in network.state_dict().items():
        *path, kind = key.split(".")
        if path[0] == "blocks":
            index = f"_{path[1]}" if path[1] != "0" else ""
            part = {"expand": "expand_Conv2D", "depthwise": "depthwise_depthwise",
                    "project": "project_Conv2D"}[path[2]]  # fmt: skip
            name = f"MobilenetV2_expanded_conv{index}_{part}"
        else:
            name = names[path[0]]
        if kind == "bias":
            name = "logits_semantic_biases" if path[0] == "logits" else f"{name}_bn_offset"
            if name == "MobilenetV2_expanded_conv_9_depthwise_depthwise_bn_offset":
                name = "MobilenetV2_expanded_conv_9_depthwise_BatchNorm_FusedBatchNorm"
        elif "depthwise" in name:
            value = value.permute(1, 2, 3, 0)
        else:
            value = value.permute(0, 2, 3, 1)
        tensors[name] = value.contiguous()
    return tensors


def test_weights_under_tensorflows_names_and_layout_are_loaded(tmp_path):
    network = DeepLabV3().eval()
    file = tmp_path / "voc.pth"
    torch.save(written(network), file)
    loaded = load_deeplab(file)
    x = torch.randn(1, 3, 33, 33)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), network(x))
    assert not any(p.requires_grad for p in loaded.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("aspp0_Conv2D"), r"Missing key.*aspp\.weight"),
        (lambda t: t.update(more=torch.zeros(1)), r"Unexpected key.*more"),
        (lambda t: t.update(logits_semantic_biases=torch.zeros(3)), r"size mismatch for logits"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_what_is_wrong(tmp_path, change, message):
    tensors = written(DeepLabV3())
    change(tensors)
    file = tmp_path / "voc.pth"
    torch.save(tensors, file)
    with pytest.raises(ValueError, match=message):
        load_deeplab(file)


@pytest.mark.skipif(not RELEASED.is_file(), reason="the weights are not shipped")
def test_released_weights_tell_a_smooth_grey_image_to_be_background():
    network = load_deeplab(RELEASED)
    image = torch.full((1, 3, 129, 129), 127.5)
    with torch.no_grad():
        classes = network(network.normalise(image)).argmax(1)
    assert VOC_CLASSES[int(classes.mode().values.mode().values)] == "background"


def test_normalised_grey_levels_lie_between_minus_one_and_one():
    image = torch.tensor([0.0, 127.5, 255.0]).view(1, 1, 1, 3)
    assert DeepLabV3.normalise(image).flatten().tolist() == [-1, 0, 1]
