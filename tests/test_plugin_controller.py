"""Computing in the background: no window, and a segmenter that draws discs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from fakes import RADIUS, FakeSegmenter, untimed
from plugin_hands import SHAPE, click, disc, made, pause, settle

pytest.importorskip("napari")

from napari.layers import Labels
from qtpy.QtWidgets import QApplication

from napari_brs.clicks import Click
from napari_brs.plugin.layers.planes import plane_index, shown_mask

# running


def test_features_are_computed_in_the_background_when_an_image_is_chosen(
    model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    layer = model.add_image(np.zeros(SHAPE))
    controller.set_image_layer(layer)
    controller.wait(20)
    assert fake.encoded == 1
    assert not fake.predicted
    click(controller, 20, 30)
    assert len(fake.images) == 1


def test_everything_is_computed_off_the_main_thread(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    assert fake.threads
    assert threading.get_ident() not in fake.threads


def test_the_mask_is_shown_after_the_forward_pass_already(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    seen = []
    controller.changed.connect(
        lambda: seen.append((controller.jobs.busy, bool(controller.preview_layer.data.any())))
    )
    click(controller, 20, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    assert (True, True) in seen
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    fake.held.clear()
    controller.wait(20)


def test_a_new_click_stops_the_running_one_and_wins(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    while not fake.predicted:
        QApplication.processEvents()
    click(controller, 24, 30, wait=False)
    click(controller, 28, 30, wait=False)
    fake.held.clear()
    controller.wait(20)
    # The second click never ran alone; the third has all of them, and starts from the first.
    assert [len(made) for made in fake.predicted] == [1, 3]
    assert fake.starts[-1].clicks == (Click(20, 30),)
    expected = disc(20, 30) | disc(24, 30) | disc(28, 30)
    assert np.array_equal(controller.preview_layer.data != 0, expected)
    assert untimed(controller.state.status) == "object 1 · 3 FG · TIME · every click obeyed"


def test_a_mask_goes_to_the_slice_that_was_clicked_wherever_one_has_gone(
    model: Any, controller: Any, stack: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    model.dims.set_point(0, 1)
    fake.held.clear()
    controller.wait(20)
    assert np.array_equal(controller.preview_layer.data[3] != 0, disc(20, 30))
    assert controller.preview_layer.data.sum() == disc(20, 30).sum()
    assert controller.state.status.startswith("object 1 · no clicks")


def test_a_result_that_comes_after_its_click_was_undone_is_not_shown(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 20, 30)
    fake.held.set()
    click(controller, 24, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    controller.undo()
    controller.wait(20)
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    # It is not lost either.
    controller.redo()
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30) | disc(24, 30))
    assert len(fake.predicted) == 2


def test_the_next_object_does_not_get_the_mask_of_the_one_before(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    assert controller.commit() == 1
    fake.held.clear()
    click(controller, 20, 30)
    assert fake.starts[-1] is None
    assert np.array_equal(controller.objects_layer.data == 1, disc(20, 30))


def test_cancel_stops_soon_and_keeps_the_best_mask(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    controller.cancel()
    controller.wait(1.0)
    assert controller.state.status.endswith("cancelled; this is the best mask so far")
    assert np.array_equal(controller.preview_layer.data != 0, disc(20, 30))
    prediction = made(controller, "brs-live").prediction
    assert prediction.refinement is not None


@pytest.mark.parametrize(
    "victim",
    ["image", "foreground_layer", "background_layer", "preview_layer", "objects_layer", "all"],
)
def test_a_layer_deleted_during_a_run_does_no_harm(
    victim: str, model: Any, controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    click(controller, 10, 10)
    controller.commit()
    objects = controller.objects_layer
    fake.held.set()
    click(controller, 35, 50, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    if victim == "all":
        model.layers.clear()
    else:
        model.layers.remove(getattr(controller, victim))
    fake.held.clear()
    controller.wait(20)
    settle()
    assert np.array_equal(objects.data == 1, disc(10, 10))
    if victim == "image":
        assert list(model.layers) == [objects]
        assert controller.state.status == "open an image and choose it above"
        return
    if victim == "all":
        assert not model.layers
        return
    # What is missing comes back when it is needed; nothing that was clicked is lost.
    click(controller, 35, 46)
    assert len(model.layers) == 5
    assert len(controller.foreground_layer.data) == 2
    assert np.array_equal(controller.preview_layer.data != 0, disc(35, 50) | disc(35, 46))
    controller.commit()
    assert (controller.objects_layer.data == 2).sum() == (disc(35, 50) | disc(35, 46)).sum()


def test_closing_during_a_run_does_no_harm(
    model: Any, controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 35, 50, wait=False)
    while "refining" not in controller.state.status:
        QApplication.processEvents()
    controller.close()
    controller.wait(5)
    assert len(model.layers) == 5


def test_a_failure_is_said_and_the_next_click_works(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.error = ValueError("the weights are damaged")
    click(controller, 20, 30)
    assert controller.state.status == "the weights are damaged"
    fake.error = None
    click(controller, 22, 30)
    assert untimed(controller.state.status) == "object 1 · 2 FG · TIME · every click obeyed"


def test_an_unforeseen_failure_is_shown_by_napari_and_ends_the_run(
    controller: Any, image: Any, fake: type[FakeSegmenter], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.utils.notifications import notification_manager

    told: list[Any] = []
    monkeypatch.setattr(notification_manager, "receive_error", lambda *args: told.append(args))
    fake.error = RuntimeError("CUDA error")
    click(controller, 20, 30)
    assert told[0][0] is RuntimeError
    assert not controller.jobs.busy
    fake.error = None
    click(controller, 22, 30)
    assert untimed(controller.state.status) == "object 1 · 2 FG · TIME · every click obeyed"


def test_a_device_that_is_not_there_is_named_until_another_is_chosen(
    controller: Any, image: Any
) -> None:
    controller.set(device="cuda")
    controller.wait(20)
    assert controller.state.problems == {"device": "no device 'cuda' here; allowed are auto, cpu"}
    assert controller.state.status == "no device 'cuda' here; allowed are auto, cpu"
    controller.set(device="cpu")
    click(controller, 20, 30)
    assert not controller.state.problems


def test_a_model_without_weights_says_so_and_runs_nothing(
    controller: Any, image: Any, fake: type[FakeSegmenter], monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_brs.models

    monkeypatch.setattr(napari_brs.models.ModelInfo, "available", False)
    click(controller, 20, 30)
    controller.segment()
    controller.wait(20)
    assert controller.state.problems == {"model": "no weights for brs-live are installed"}
    assert not fake.made


def test_the_fake_is_not_the_judge(fake: type[FakeSegmenter]) -> None:
    """Its discs are what these tests say they are."""
    assert disc(20, 30).sum() == sum(
        (r - 20) ** 2 + (c - 30) ** 2 <= RADIUS**2 for r in range(48) for c in range(64)
    )


def test_labels_are_a_plain_napari_layer(controller: Any, image: Any) -> None:
    assert type(controller.objects_layer) is Labels


@pytest.mark.parametrize("seed", range(6))
def test_whatever_people_do_layers_show_the_session_and_undo_redo_are_exact(
    seed: int, model: Any, controller: Any, fake: type[FakeSegmenter]
) -> None:
    random = np.random.default_rng(seed)
    images = [
        model.add_image(np.zeros((3, 20, 24), np.uint8)),
        model.add_image(np.zeros((20, 24), np.uint16)),
    ]
    controller.set_image_layer(images[0], look=False)

    def add(positive: bool) -> None:
        shape = (20, 24)
        if "image" not in controller.state.problems:
            shape = controller.session.plane_shape(controller.state.position)
        controller.add_click(*(random.uniform(-1, size) for size in shape), positive)

    def paint() -> None:
        rows, columns = random.integers(0, 20, (2, 5))
        if "image" in controller.state.problems:
            return
        index = list(controller.state.position)
        free = [axis for axis, at in enumerate(index) if at is None]
        full = [np.full(5, 0 if at is None else at) for at in index]
        full[free[0]] = rows % controller.session.shape[free[0]]
        full[free[1]] = columns % controller.session.shape[free[1]]
        controller.preview_layer.data_setitem(tuple(full), int(random.integers(0, 2)))

    def move_point() -> None:
        layer = controller.foreground_layer
        if len(layer.data):
            data = np.array(layer.data)
            data[0, -2:] = random.uniform(0, 19, 2)
            layer.data = data

    def open_any() -> None:
        controller.open_object(int(random.choice([o.key for o in controller.session.objects])))

    def reopen() -> None:
        model.cursor.position = (*model.dims.point[:-2], *random.uniform(0, 20, 2))
        controller.reopen_under_cursor()

    def delete() -> None:
        model.cursor.position = (*model.dims.point[:-2], *random.uniform(0, 20, 2))
        controller.delete()

    def remove_layer() -> None:
        layer = random.choice([controller.foreground_layer, controller.preview_layer])
        if layer is not None and random.random() < 0.3:
            model.layers.remove(layer)
            controller.context.make_layers()
            controller.context.refresh()

    actions = [
        *[lambda: add(True)] * 6,
        *[lambda: add(False)] * 3,
        *[controller.undo] * 3,
        *[controller.redo] * 2,
        *[controller.commit] * 3,
        controller.new_object,
        controller.clear,
        controller.segment,
        paint,
        move_point,
        open_any,
        reopen,
        delete,
        remove_layer,
        lambda: controller.set(overwrite=bool(random.integers(2))),
        lambda: controller.set(model=str(random.choice(["brs-live", "brs-densenet"]))),
        lambda: controller.set_image_layer(images[random.integers(2)]),
        lambda: model.dims.set_point(0, int(random.integers(3))),
        lambda: setattr(model.dims, "order", [(0, 1, 2), (1, 0, 2), (0, 2, 1)][random.integers(3)]),
    ]

    def check() -> None:
        session = controller.session
        expected = np.zeros(session.shape, bool)
        for position, shown in controller.context.work.shown(session.current).items():
            mask = shown_mask(shown, session.plane_shape(position))
            expected[plane_index(position)] |= mask.full()
        assert np.array_equal(controller.preview_layer.data != 0, expected)
        if "image" not in controller.state.problems:
            along = [index is None for index in controller.state.position]
            clicks = [
                click
                for position, plane in session.current.planes.items()
                if [index is None for index in position] == along
                for click in plane.clicks
            ]
            shown = len(controller.foreground_layer.data) + len(controller.background_layer.data)
            assert shown == len(clicks)
        labels = [found.label for found in session.objects if found.label is not None]
        assert len(labels) == len(set(labels))

    for _ in range(60):
        actions[random.integers(len(actions))]()
        if random.random() < 0.8:
            controller.wait(20)
        settle()
        check()
    controller.wait(20)
    settle()
    runs = len(fake.predicted)
    objects, preview = controller.objects_layer.data.copy(), controller.preview_layer.data.copy()
    steps = 0
    while controller.session.can_undo:
        controller.undo()
        check()
        steps += 1
    assert controller.session.current.empty
    for _ in range(steps):
        controller.redo()
    assert np.array_equal(controller.objects_layer.data, objects)
    assert np.array_equal(controller.preview_layer.data, preview)
    assert len(fake.predicted) == runs


# the time that is told


def test_the_time_told_is_what_the_user_waited_for(
    controller: Any, image: Any, fake: type[FakeSegmenter]
) -> None:
    fake.held.set()
    click(controller, 20, 30, wait=False)
    pause(0.4)
    fake.held.clear()
    controller.wait(20)
    waited = made(controller, "brs-live").waited
    assert 0.4 < waited < 20
    assert (
        f"{waited * 1000:.0f} ms" in controller.state.status
        or f"{waited:.1f} s" in controller.state.status
    )
