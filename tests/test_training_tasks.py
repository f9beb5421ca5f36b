from __future__ import annotations

import pytest

from napari_brs.models import model_info
from napari_brs.training.config import parse_config
from napari_brs.training.rounds import ClickRounds
from napari_brs.training.segmentation import WholeImage
from napari_brs.training.tasks import make_task


@pytest.mark.parametrize(
    ("name", "targets", "module"),
    [("brs-vgg", "objects", ClickRounds), ("unet-cells", "foreground", WholeImage)],
)
def test_a_network_is_trained_for_what_it_does(name, targets, module):
    config = parse_config({"model": {"name": name}, "data": {"targets": targets}})
    network = model_info(name).build()
    assert isinstance(make_task(network, config).module(network), module)


def test_figures_are_named_after_the_clicks_they_took():
    clicking = make_task(model_info("brs-vgg").build(), parse_config({}))
    assert clicking.summary([0.1, 0.2, 0.3]) == {"iou_after_1": 0.1, "iou_after_3": 0.3}
    config = parse_config({"model": {"name": "unet-cells"}, "data": {"targets": "foreground"}})
    assert make_task(model_info("unet-cells").build(), config).summary([0.5]) == {"iou": 0.5}


@pytest.mark.parametrize(
    ("name", "targets", "allowed"),
    [("brs-vgg", "foreground", "objects"), ("unet-cells", "objects", "foreground")],
)
def test_targets_that_do_not_suit_the_network_are_refused(name, targets, allowed):
    config = parse_config({"model": {"name": name}, "data": {"targets": targets}})
    message = f"data.targets = '{targets}': allowed with {name} is '{allowed}'"
    with pytest.raises(ValueError, match=message):
        make_task(model_info(name).build(), config)
