"""The classical rivals: on shapes that are known, and behind the interface of a segmenter."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from napari_brs.classical.colour import foreground_likelihood
from napari_brs.classical.graph_cut import graph_cut
from napari_brs.classical.grid import edges, shortest_paths
from napari_brs.classical.grow_cut import grow_cut
from napari_brs.classical.min_cut import min_cut
from napari_brs.classical.random_walk import random_walk
from napari_brs.classical.seeds import RADIUS, seeds
from napari_brs.classical.segmenter import ClassicalSegmenter
from napari_brs.classical.star_convexity import euclidean_star
from napari_brs.cli import main
from napari_brs.clicks import Click
from napari_brs.io.labels import read_labels
from napari_brs.masks import Box, Mask
from napari_brs.metrics import iou
from napari_brs.models import list_models, load_model
from napari_brs.segmenters import open_segmenter

NAMES = [info.name for info in list_models() if info.kind == "classical"]
RED, BLUE = (200, 80, 60), (60, 90, 140)
SHAPE = (90, 120)

Pixels = NDArray[np.bool_]


def disk(centre: tuple[float, float] = (45, 60), radius: float = 25, shape=SHAPE) -> Pixels:
    rows, columns = np.indices(shape)
    return np.hypot(rows - centre[0], columns - centre[1]) <= radius


def paint(mask: Pixels, noise: float = 0) -> NDArray[np.uint8]:
    """Red where the mask is, blue elsewhere."""
    pixels = np.where(mask[..., None], RED, BLUE).astype(float)
    pixels += np.random.default_rng(0).normal(0, noise, pixels.shape)
    return pixels.clip(0, 255).astype(np.uint8)


def single(row: int, column: int, shape: tuple[int, int] = SHAPE) -> Pixels:
    mask = np.zeros(shape, bool)
    mask[row, column] = True
    return mask


@pytest.fixture(params=NAMES)
def segmenter(request: pytest.FixtureRequest) -> ClassicalSegmenter:
    return ClassicalSegmenter(request.param)


# the methods


@pytest.mark.parametrize("name", NAMES)
def test_each_function_finds_a_two_tone_disk_from_two_seeds(name: str) -> None:
    method = next(info for info in list_models() if info.name == name).locate()
    found = method(paint(disk()) / 255, single(45, 60), single(5, 5))
    assert found.dtype == np.float32
    assert found.shape == SHAPE
    assert 0 <= found.min() <= found.max() <= 1
    assert iou(found > 0.5, disk()) > 0.98
    assert found[45, 60] > 0.5 > found[5, 5]


def test_six_rivals_are_listed_and_need_no_weights() -> None:
    assert set(NAMES) == {
        "random-walk",
        "graph-cut",
        "geodesic",
        "euclidean-star",
        "geodesic-star",
        "grow-cut",
    }
    assert all(info.available for info in list_models() if info.kind == "classical")
    with pytest.raises(ValueError, match="grow-cut is no network"):
        load_model("grow-cut")


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_min_cut_is_the_cheapest_of_all_cuts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = 6
    pairs = np.array(list(itertools.permutations(range(nodes), 2)))
    pairs = pairs[rng.random(len(pairs)) < 0.5]
    capacity = rng.integers(0, 5, len(pairs)).astype(float)
    source, sink = rng.integers(0, 6, (2, nodes)).astype(float)

    def price(side: NDArray[np.bool_]) -> float:
        crossing = side[pairs[:, 0]] & ~side[pairs[:, 1]]
        return float(source[~side].sum() + sink[side].sum() + capacity[crossing].sum())

    cheapest = min(price(np.array(side)) for side in itertools.product((False, True), repeat=nodes))
    assert price(min_cut(source, sink, *pairs.T, capacity)) == cheapest


def test_a_pixel_has_eight_neighbours_and_each_pair_stands_once() -> None:
    found = edges((3, 4))
    pairs = {frozenset(pair) for pair in zip(found.first, found.second, strict=True)}
    assert len(pairs) == len(found.first) == 3 * 3 + 2 * 4 + 2 * (2 * 3)
    assert sum(5 in pair for pair in pairs) == 8
    assert found.length.sum() == pytest.approx(17 + 12 * np.sqrt(2))


def test_shortest_paths_go_round_what_is_dear() -> None:
    wall = np.zeros((9, 9))
    wall[:8, 4] = 100
    found = shortest_paths(
        single(0, 0, (9, 9)), edges((9, 9)).difference(wall) + edges((9, 9)).length
    )
    # To the other side leads the gap in the last row.
    assert found.distance[0, 8] == pytest.approx(8 * np.sqrt(2) + 2 * 4 + 1e-9, abs=1.5)
    at, steps = 8, []
    while at >= 0:
        steps.append(divmod(at, 9))
        at = int(found.parent[at])
    assert steps[0] == (0, 8)
    assert steps[-1] == (0, 0)
    assert (8, 4) in steps


def test_colours_of_the_foreground_alone_are_likely() -> None:
    image = paint(disk()) / 255
    for background in (single(5, 5), np.zeros(SHAPE, bool)):
        likelihood = foreground_likelihood(image, single(45, 60), background)
        assert likelihood[disk()].min() > 0.7
        assert likelihood[~disk()].max() < 0.1


def test_a_graph_cut_drops_the_twin_that_was_not_clicked() -> None:
    twins = disk((45, 30), 18) | disk((45, 90), 18)
    image = paint(twins) / 255
    found = graph_cut(image, single(45, 30), single(5, 60)) > 0.5
    assert iou(found, disk((45, 30), 18)) > 0.98


def test_a_star_holds_every_line_to_its_seed() -> None:
    # A C: without the constraint its arms are found whole.
    ring = disk(radius=30) & ~disk(radius=18)
    ring[:, 60:] &= ~disk(radius=40)[:, 60:]
    ring[10:20, 60:80] = ring[70:80, 60:80] = True
    image = paint(ring) / 255
    seed, ground = single(45, 36), single(45, 60)
    assert graph_cut(image, seed, ground)[ring].mean() > 0.98
    found = euclidean_star(image, seed, ground) > 0.5
    rows, columns = np.nonzero(found)
    for row, column in zip(rows, columns, strict=True):
        steps = int(max(abs(row - 45), abs(column - 36)))
        line = np.rint(np.linspace((row, column), (45, 36), 2 * steps + 1)).astype(int)
        # Lines on the grid deviate by up to a pixel.
        near = [found[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2].any() for r, c in line]
        assert all(near)
    assert 0.1 < found[ring].mean() < 0.9


def automaton(image: NDArray[np.floating], foreground: Pixels, background: Pixels) -> Pixels:
    """GrowCut as it is published: steps until nothing changes."""
    shape = foreground.shape
    label = foreground.astype(int) - background
    strength = (foreground | background).astype(float)
    largest = np.sqrt(np.square(image).sum(axis=-1)).max()
    changed = True
    while changed:
        changed = False
        before_label, before = label.copy(), strength.copy()
        for row, column in np.ndindex(shape):
            for down, right in itertools.product((-1, 0, 1), repeat=2):
                r, c = row + down, column + right
                if not (0 <= r < shape[0] and 0 <= c < shape[1]):
                    continue
                far = np.linalg.norm(image[row, column] - image[r, c])
                attack = (1 - far / largest) * before[r, c]
                if attack > strength[row, column] + 1e-12:
                    label[row, column], strength[row, column] = before_label[r, c], attack
                    changed = True
    return label > 0


def test_grow_cut_ends_as_its_automaton_does() -> None:
    rng = np.random.default_rng(1)
    image = rng.random((9, 11, 3))
    one, other = single(2, 2, (9, 11)), single(6, 8, (9, 11))
    found = grow_cut(image, one, other) > 0.5
    np.testing.assert_array_equal(found, automaton(image, one, other))


def test_a_random_walk_in_a_flat_image_is_even() -> None:
    flat = np.full((21, 21, 3), 0.5)
    found = random_walk(flat, single(10, 4, (21, 21)), single(10, 16, (21, 21)))
    np.testing.assert_allclose(found + found[:, ::-1], 1, atol=1e-4)
    assert found[10, 10] == pytest.approx(0.5, abs=1e-4)


# seeds


def test_each_click_marks_a_disk_and_the_nearer_click_decides() -> None:
    points = np.array([[20.0, 20.0], [20.0, 23.0]])
    foreground, background = seeds(points, np.array([True, False]), (40, 50))
    assert foreground[20, 20]
    assert background[20, 23]
    assert foreground[20, 21]
    assert background[20, 22]
    assert not (foreground & background).any()
    area = np.count_nonzero((foreground | background)[5:35, 5:45])
    assert np.pi * RADIUS**2 < area < 2 * np.pi * RADIUS**2


def test_the_border_is_background_unless_it_is_clicked() -> None:
    foreground, background = seeds(np.array([[0.0, 25.0]]), np.array([True]), (40, 50))
    assert foreground[0, 25]
    assert not background[0, 25]
    assert background[-1].all()
    assert not background[10:-1, 1:-1].any()


def test_a_given_mask_is_believed_but_near_its_edge_and_what_contradicts_it() -> None:
    given_mask = disk((45, 30), 20) | disk((45, 90), 20) | disk((45, 60), 3)
    given_mask[43:48, 40:80] = True  # two cells and a bridge
    points, labels = np.array([[45.0, 90.0]]), np.array([False])
    foreground, background = seeds(points, labels, SHAPE, given_mask)
    assert foreground[45, 20]
    assert not foreground[:, 75:].any()
    assert background[45, 90]
    assert not background[45, 75]
    assert background[5, 60]
    assert not (foreground & ~given_mask).any()


# behind the interface of a segmenter


def test_each_rival_segments_a_two_tone_disk_from_two_clicks(
    segmenter: ClassicalSegmenter,
) -> None:
    segmenter.set_image(paint(disk(), noise=4))
    first = segmenter.predict([Click(45, 60)])
    prediction = segmenter.predict([Click(45, 60), Click(8, 8, positive=False)], previous=first)
    assert iou(prediction.mask, disk()) > 0.95
    assert prediction.clicks_obeyed == (True, True)
    assert prediction.probability.dtype == np.float32
    assert prediction.probability.shape == SHAPE


def test_every_click_is_obeyed_even_next_to_its_opposite(segmenter: ClassicalSegmenter) -> None:
    # Larger than the grid that is segmented, so that both clicks fall into one of its pixels.
    image = np.random.default_rng(0).integers(0, 255, (500, 600, 3), np.uint8)
    segmenter.set_image(image)
    clicks, previous = [], None
    for column in (300, 301, 302, 40):
        clicks.append(Click(250, column, positive=column % 2 == 0))
        previous = segmenter.predict(clicks, previous)
        assert [previous.mask[click.pixel] for click in clicks] == [c.positive for c in clicks]
        assert all(previous.clicks_obeyed)


def test_refining_and_asking_again_change_nothing(segmenter: ClassicalSegmenter) -> None:
    segmenter.set_image(paint(disk(), noise=20))
    clicks = [Click(45, 60), Click(8, 8, positive=False)]
    told: list[int] = []
    one = segmenter.predict(clicks, refine=False, on_progress=lambda news: told.append(1))
    two = segmenter.predict(clicks)
    np.testing.assert_array_equal(one.probability, two.probability)
    assert one.refinement is None
    assert told == [1]


def test_background_clicks_alone_give_an_empty_mask(segmenter: ClassicalSegmenter) -> None:
    segmenter.set_image(paint(disk()))
    assert not segmenter.predict([Click(45, 60, positive=False)]).mask.any()


def test_one_pixel_is_an_image(segmenter: ClassicalSegmenter) -> None:
    segmenter.set_image(np.zeros((1, 1), np.uint8))
    assert segmenter.predict([Click(0, 0)]).mask.all()


@pytest.mark.parametrize("shape", [(1, 40), (40, 2), (3, 3)])
def test_narrow_and_flat_images_are_no_trouble(
    segmenter: ClassicalSegmenter, shape: tuple[int, int]
) -> None:
    segmenter.set_image(np.full(shape, 7, np.uint8))
    row, column = shape[0] // 2, shape[1] // 2
    clicks = [Click(row, column), Click(0, 0, positive=False)]
    prediction = segmenter.predict(clicks)
    assert prediction.mask[row, column]
    assert not prediction.mask[0, 0]


@pytest.mark.parametrize("kind", ["array", "window"])
def test_an_existing_label_is_corrected_where_it_is_clicked(
    segmenter: ClassicalSegmenter, kind: str
) -> None:
    left, right = disk((45, 30), 20), disk((45, 85), 20)
    both = left | right
    both[43:48, 40:75] = True
    image = paint(left | right, noise=4)
    segmenter.set_image(image)
    label = both if kind == "array" else Mask.of(both[20:70, 5:110], Box(20, 5, 70, 110), SHAPE)
    prediction = segmenter.predict([Click(45, 85, positive=False)], previous=label)
    assert iou(prediction.mask, left) > 0.9
    # The next click still knows the label.
    clicks = [Click(45, 85, positive=False), Click(45, 57, positive=False)]
    again = segmenter.predict(clicks, previous=prediction)
    assert iou(again.mask, left) > 0.9
    assert not again.mask[45, 57]


def test_a_small_object_in_a_large_image_is_seen_in_a_window(
    segmenter: ClassicalSegmenter,
) -> None:
    truth = disk((1500, 2000), 20, (3000, 3000))
    image = np.where(truth, np.uint8(200), np.uint8(60))
    segmenter.set_image(image)
    prediction = segmenter.predict([Click(1500, 2000)])
    assert prediction.view.box.height <= 512
    again = segmenter.predict([Click(1500, 2000), Click(1460, 2000, False)], prediction)
    assert iou(again.mask, truth) > 0.9


def test_a_click_on_512_by_512_takes_well_under_a_second(segmenter: ClassicalSegmenter) -> None:
    truth = disk((250, 260), 90, (512, 512))
    segmenter.set_image(paint(truth, noise=20))
    clicks = [Click(250, 260), Click(40, 40, positive=False)]
    segmenter.predict(clicks)
    began = time.process_time()
    segmenter.predict(clicks)
    assert time.process_time() - began < 2  # 0.1 to 0.5 on a laptop's core


def test_a_moved_window_tells_what_changed(segmenter: ClassicalSegmenter) -> None:
    segmenter.set_image(paint(disk()))
    first = segmenter.predict([Click(45, 60)])
    changed = Box.around(first.mask)
    assert first.bbox == changed
    second = segmenter.predict([Click(45, 60), Click(45, 80, positive=False)], first)
    assert second.bbox == (Box.around(first.mask ^ second.mask) or second.bbox)


def test_bad_input_is_named(segmenter: ClassicalSegmenter) -> None:
    with pytest.raises(RuntimeError, match="no image was set"):
        segmenter.predict([Click(0, 0)])
    segmenter.set_image(np.zeros((10, 10), np.uint8))
    with pytest.raises(ValueError, match="there is no click"):
        segmenter.predict([])
    with pytest.raises(ValueError, match="threshold is 1"):
        segmenter.predict([Click(0, 0)], threshold=1)
    with pytest.raises(ValueError, match="previous mask has shape"):
        segmenter.predict([Click(0, 0)], np.zeros((3, 3), bool))
    with pytest.raises(ValueError, match="'brs-live' is of kind 'network'"):
        ClassicalSegmenter("brs-live")


def test_a_rival_opens_by_name_on_the_cpu() -> None:
    segmenter = open_segmenter("random-walk")
    assert isinstance(segmenter, ClassicalSegmenter)
    assert str(segmenter.device) == "cpu"
    segmenter.set_image(np.zeros((4, 5), np.uint8))
    segmenter.encode()
    assert segmenter.shape == (4, 5)
    with pytest.raises(ValueError, match="no device 'tpu' here"):
        open_segmenter("random-walk", "tpu")


def test_the_segment_command_takes_a_rival_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(paint(disk(), noise=4)).save(tmp_path / "disk.png")
    words = f"segment {tmp_path}/disk.png --fg 45,60 --bg 8,8 -o {tmp_path}/l.tif --model graph-cut"
    assert main(words.split()) == 0
    assert "every click obeyed" in capsys.readouterr().out
    assert iou(read_labels(tmp_path / "l.tif") == 1, disk()) > 0.95
