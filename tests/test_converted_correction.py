"""Corrections near the wrong clicks that leave the rest of the image alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from test_converted_segmenter import Bright, MeanOfAll, scene

from napari_brs import make_interactive
from napari_brs.converted.correction import FAR, FAR_SHARE, REACH, begin, correct
from napari_brs.models import model_info

SAMPLES = Path(__file__).parents[1] / "src" / "napari_brs" / "plugin" / "samples"


def corrected(network, x, points, labels, targets=None, **options):
    return correct(
        network,
        x,
        begin(network, x),
        torch.tensor(points),
        torch.tensor(labels),
        targets or [0] * len(points),
        **options,
    )


def grey():
    return torch.from_numpy(scene()).float()[None, None] / 255


def test_the_maps_change_only_near_the_wrong_click():
    network = make_interactive(Bright())
    found = corrected(network, grey(), [[210, 115], [30, 30]], [True, True])
    assert found.refinement.stopped == "obeyed"
    rows, columns = torch.nonzero(found.maps[0, 0], as_tuple=True)
    distance = torch.hypot(rows - 210.0, columns - 115.0)
    assert 0 < distance.max() < REACH
    assert (found.output[0, 0, 210, 115], found.output[0, 0, 30, 30]) > (0, 0)


@pytest.mark.parametrize("scale", [1.0, 255.0, 0.01])
def test_the_range_of_the_input_makes_no_difference(scale):
    """λ weighs changes in deviations of the input, so a model that takes 0 to 255 is no other."""

    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = Bright()

        def forward(self, x):
            return self.model(x / scale)

    network = make_interactive(Scaled())
    found = corrected(network, scale * grey(), [[210, 115]], [True])
    plain = corrected(make_interactive(Bright()), grey(), [[210, 115]], [True])
    torch.testing.assert_close(found.maps / scale, plain.maps, rtol=1e-2, atol=1e-3)


def test_clicks_that_are_right_already_cost_one_evaluation_and_change_nothing():
    network = make_interactive(Bright())
    found = corrected(network, grey(), [[30, 30]], [True])
    assert (found.refinement.evaluations, found.stable) == (1, True)
    assert not found.maps.any()


def test_where_obeying_would_change_all_the_image_nothing_is_changed_and_it_is_said():
    network = make_interactive(MeanOfAll(), channels=1)
    x = torch.full((1, 1, 300, 400), 24 / 255)
    found = corrected(network, x, [[150, 380]], [True])
    assert not found.stable
    assert found.far_change > 0.99
    assert not (found.output > 0).any()


def test_a_network_that_hardly_reacts_is_corrected_with_less_inertia():
    class Dull(torch.nn.Module):
        def forward(self, x):
            return 0.02 * x - 1

    x = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    found = corrected(make_interactive(Dull(), channels=1), x, [[32, 32]], [True])
    assert found.output[0, 0, 32, 32] > 0


def test_a_class_that_is_denied_is_not_the_likeliest_one_afterwards():
    class Three(torch.nn.Module):
        """Class 1 leads with 0.46 or so, and less than half of the probability."""

        def forward(self, x):
            return torch.cat([0 * x, 0.5 + 0.1 * x, 0 * x], 1)

    network = make_interactive(Three(), channels=1, activation="softmax")
    x = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert network.decode(x, 0 * x).softmax(1)[0, 1].max() < 0.5
    found = corrected(network, x, [[32, 32]], [False], targets=[1])
    assert found.refinement.stopped == "obeyed"
    assert found.output[0, :, 32, 32].argmax() != 1
    assert found.output[0, :, 5, 5].argmax() == 1


def test_it_can_be_cancelled():
    network = make_interactive(Bright())
    found = corrected(network, grey(), [[210, 115]], [True], on_evaluation=lambda *_: False)
    assert found.refinement.evaluations == 1


@pytest.mark.skipif(not model_info("unet-cells").available, reason="needs weights of unet-cells")
@pytest.mark.parametrize("name", ["phase_contrast", "nuclei"])
def test_the_u_net_for_cells_repairs_an_error_and_leaves_what_is_far(name):
    tifffile = pytest.importorskip("tifffile")
    from PIL import Image

    from napari_brs.robot import next_click
    from napari_brs.segmenters import open_segmenter

    path = SAMPLES / f"{name}_labels.png"
    if not path.is_file():
        pytest.skip("needs the labels of the sample images")
    window = slice(0, 400), slice(0, 400)
    truth = np.asarray(Image.open(path))[window] > 0
    segmenter = open_segmenter("unet-cells", "cpu")
    segmenter.set_image(tifffile.imread(SAMPLES / f"{name}.tif")[window])
    whole = segmenter.segment()
    before = whole.mask(0)
    click = next_click(truth, before, np.zeros(truth.shape, bool), [])
    after = segmenter.segment([click], previous=whole)
    mask = after.mask(0)
    assert after.clicks_obeyed == (True,)
    assert after.stable
    rows, columns = np.indices(truth.shape)
    far = np.hypot(rows - click.row, columns - click.column) > FAR
    assert np.mean((mask != before)[far]) < FAR_SHARE
    # The click repairs more than it spoils.
    assert (mask != truth).sum() < (before != truth).sum()
