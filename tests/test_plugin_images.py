"""The dock with the real segmenter, on images as people have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

pytest.importorskip("napari")


from plugin_hands import made

from napari_brs.cli import main
from napari_brs.clicks import Click
from napari_brs.io.sessions import save_session
from napari_brs.models import model_info
from napari_brs.plugin.controller import Controller
from napari_brs.plugin.sample_data import FOLDER, phase_contrast

FLAT = (None, None)


@pytest.fixture
def controller(bright: Controller) -> Controller:
    return bright


def scene(shape: tuple[int, int] = (120, 160)) -> np.ndarray:
    """A bright rectangle on dark ground, 0 to 1."""
    image = np.full(shape, 0.1)
    image[40:80, 50:90] = 0.9
    return image


KINDS = {
    "uint8": (scene() * 255).astype(np.uint8),
    "uint16": (scene() * 60000).astype(np.uint16),
    "int16": (scene() * 60000 - 30000).astype(np.int16),
    "float32": scene().astype(np.float32),
    "float64 of any range": scene() * 1e9 - 5e8,
    "bool": scene() > 0.5,
    "colour": np.repeat((scene()[..., None] * 255).astype(np.uint8), 3, axis=-1),
    "with NaN": np.where(np.indices((120, 160))[1] == 3, np.nan, scene()),
    "with infinity": np.where(np.indices((120, 160))[1] == 3, np.inf, scene()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_is_found_in_any_kind_of_image(
    kind: str, model: Any, controller: Controller
) -> None:
    layer = model.add_image(KINDS[kind])
    controller.set_image_layer(layer, look=False)
    assert controller.add_click(60, 70)
    controller.wait(60)
    mask = controller.preview_layer.data != 0
    assert mask[45:75, 60:80].all(), controller.state.status
    assert not mask[:, 120:].any()
    assert controller.state.status.endswith("every click obeyed")
    assert controller.commit() == 1


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 1), 7, np.uint16),
        np.zeros((1, 40)),
        np.full((30, 30), np.nan),
        np.full((30, 30), 5.0),
    ],
    ids=["1 x 1", "1 x 40", "all NaN", "constant"],
)
@pytest.mark.filterwarnings("ignore:All-NaN")
def test_images_with_nothing_in_them_do_no_harm(
    image: np.ndarray, model: Any, controller: Controller
) -> None:
    layer = model.add_image(image)
    controller.set_image_layer(layer, look=False)
    assert controller.add_click(0, 0), controller.state.status
    controller.wait(60)
    assert controller.state.status.startswith("object 1 · 1 FG ·")
    assert not controller.add_click(0, image.shape[1])
    assert not controller.add_click(-1, 0)
    controller.commit()


def test_a_16_bit_stack_is_done_slice_by_slice_and_undo_computes_nothing(
    model: Any, controller: Controller
) -> None:
    stack = np.stack([(scene() * 60000).astype(np.uint16)] * 3)
    stack[1] = np.roll(stack[1], 60, axis=1)
    layer = model.add_image(stack, scale=(1, 0.5, 0.25))
    controller.set_image_layer(layer, look=False)
    for index, column in ((0, 70), (1, 130)):
        model.dims.set_point(0, index)
        controller.clicking.click_at((index, 0.5 * 60, 0.25 * column), False)
        controller.wait(60)
    preview = controller.preview_layer.data
    assert preview[0, 45:75, 60:80].all()
    assert preview[1, 45:75, 120:140].all()
    assert not preview[2].any()
    before = preview.copy()
    controller.undo()
    assert not preview[1].any()
    controller.redo()
    assert not controller.jobs.busy
    assert np.array_equal(preview, before)


def test_a_click_that_is_not_obeyed_is_refined_unless_that_is_off(
    model: Any, controller: Controller
) -> None:
    layer = model.add_image(KINDS["uint8"])
    controller.set_image_layer(layer, look=False)
    controller.set(refine=False)
    controller.add_click(60, 70)
    controller.wait(60)
    controller.add_click(60, 120, True)
    controller.wait(60)
    assert made(controller, "brs-live").prediction.refinement is None
    unrefined = controller.state.status
    controller.set(refine=True)
    controller.segment()
    controller.wait(60)
    prediction = made(controller, "brs-live").prediction
    assert "not obeyed" in unrefined
    assert prediction.refinement is not None
    assert prediction.refinement.evaluations > 0


def test_warnings_of_the_worker_reach_the_user(
    model: Any, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_brs.plugin.worker

    told: list[str] = []
    monkeypatch.setattr(napari_brs.plugin.worker, "show_warning", told.append)
    layer = model.add_image(KINDS["with NaN"])
    controller.set_image_layer(layer, look=False)
    controller.add_click(60, 70)
    controller.wait(60)
    controller.add_click(62, 70)
    controller.wait(60)
    assert len(told) == 1
    assert "not finite" in told[0]


CELL = (Click(147, 294), Click(175, 330, False))


@pytest.mark.skipif(not model_info("brs-live").available, reason="no weights for brs-live here")
def test_a_real_cell_gets_the_same_mask_in_the_dock_and_on_the_command_line(
    model: Any, tmp_path: Path
) -> None:
    (sample,) = phase_contrast()
    layer = model.add_image(sample[0], **sample[1])
    controller = Controller(model)
    controller.set(device="cpu")
    controller.set_image_layer(layer, look=False)
    for click in CELL:
        assert controller.add_click(click.row, click.column, click.positive)
        controller.wait(240)
    mask = controller.preview_layer.data != 0
    assert mask[CELL[0].pixel], controller.state.status
    assert not mask[CELL[1].pixel]
    assert controller.state.status.endswith("every click obeyed")
    assert controller.commit() == 1
    session, labels = tmp_path / "clicks.json", tmp_path / "labels.tif"
    save_session(session, controller.session)
    command = ["segment", str(FOLDER / "phase_contrast.tif"), "--device", "cpu"]
    clicks = [f"--{'fg' if c.positive else 'bg'}={c.row},{c.column}" for c in CELL]
    for how in (clicks, ["--replay", str(session)]):
        assert main([*command, *how, "-o", str(labels)]) == 0
        assert np.array_equal(tifffile.imread(labels) == 1, mask)
    controller.close()
