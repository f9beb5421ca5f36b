from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from napari_brs.brs.interaction_maps import interaction_maps
from napari_brs.training.click_sampling import (
    MAX_DISTANCE,
    add_clicks,
    background_candidates,
    depth,
    draw_points,
    error_clicks,
    filled_boxes,
    k_medoids,
    maps_of,
    medoid_clicks,
    moved,
    spoil,
)


def _disk(shape: tuple[int, int], row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def _cost(points: np.ndarray, medoids: np.ndarray) -> float:
    return float(np.linalg.norm(points[:, None] - points[medoids][None], axis=2).min(1).sum())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 2, 3])
def test_k_medoids_from_a_few_starts_equal_brute_force(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 100, (12, 2))
    best = min(_cost(points, np.array(c)) for c in combinations(range(12), k))
    found = min(_cost(points, k_medoids(points, k, rng)) for _ in range(4))
    assert found == pytest.approx(best)


def test_k_medoids_finds_separate_clusters_at_once() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0], [0, 100], [100, 0], [100, 100]])
    points = np.concatenate([c + rng.normal(0, 3, (9, 2)) for c in centres])
    best = np.array([
        9 * j + _medoid(points[9 * j : 9 * j + 9]) for j in range(4)
    ])  # fmt: skip
    assert _cost(points, k_medoids(points, 4, rng)) == pytest.approx(_cost(points, best))


def _medoid(points: np.ndarray) -> int:
    return int(np.linalg.norm(points[:, None] - points[None], axis=2).sum(0).argmin())


def test_k_medoids_of_equal_points_are_different_indices() -> None:
    found = k_medoids(np.zeros((5, 2)), 3, np.random.default_rng(0))
    assert len(set(found.tolist())) == 3


def test_more_medoids_than_points_are_refused() -> None:
    with pytest.raises(ValueError, match="k = 4: allowed is 1 to the number of points, 3"):
        k_medoids(np.zeros((3, 2)), 4, np.random.default_rng(0))


def test_background_candidates_lie_5_to_40_pixels_outside() -> None:
    mask = _disk((160, 160), 80, 80, 20)
    ring = background_candidates(mask)
    distance = distance_transform_edt(~mask)
    assert ring[(distance >= 5) & (distance <= 40)].all()
    assert not ring[(distance < 5) | (distance > 40)].any()
    assert not background_candidates(np.zeros((9, 9), bool)).any()


@pytest.mark.parametrize("k", [0, 1, 7])
def test_medoid_clicks_lie_in_their_candidates(k: int) -> None:
    rng = np.random.default_rng(3)
    candidates = background_candidates(_disk((120, 150), 60, 60, 15))
    clicks = medoid_clicks(candidates, k, rng)
    assert clicks.shape == (k, 2)
    assert candidates[tuple(clicks.T)].all()


def test_medoid_clicks_are_fewer_where_candidates_are() -> None:
    candidates = np.zeros((8, 8), bool)
    candidates[2, 3] = candidates[4, 4] = True
    clicks = medoid_clicks(candidates, 5, np.random.default_rng(0))
    assert sorted(clicks.tolist()) == [[2, 3], [4, 4]]


def test_depth_is_close_to_the_euclidean_distance() -> None:
    mask = _disk((200, 200), 100, 90, 60) & ~_disk((200, 200), 90, 80, 15)
    found = depth(torch.from_numpy(mask)[None, None])[0, 0].numpy()
    exact = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1][::2, ::2]
    assert (found[~mask[::2, ::2]] == 0).all()
    assert np.abs(found - exact).max() < 0.1 * exact.max() + 2


def test_depth_counts_the_image_edge_as_outside() -> None:
    found = depth(torch.ones(1, 1, 40, 40, dtype=torch.bool))[0, 0]
    assert found.argmax() // 20 in (9, 10)
    assert found[0].max() <= 2


def _masks(*arrays: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays))[:, None]


def test_error_clicks_take_the_deeper_error_and_its_sign() -> None:
    shape = (96, 96)
    truth, wrong = _disk(shape, 30, 30, 20), _disk(shape, 66, 70, 20)
    nothing, all_valid = np.zeros(shape, bool), np.ones(shape, bool)
    generator = torch.Generator().manual_seed(0)
    points, positive, found = error_clicks(
        _masks(nothing, truth | wrong, truth), _masks(truth, truth, truth),
        _masks(all_valid, all_valid, all_valid), generator, centre=1.0,
    )  # fmt: skip
    assert positive.tolist()[:2] == [True, False]
    assert found.tolist() == [True, True, False]
    assert np.abs(points[0].numpy() - (30, 30)).max() <= 3
    assert np.abs(points[1].numpy() - (66, 70)).max() <= 3


@pytest.mark.parametrize("centre", [0.0, 1.0])
def test_error_clicks_never_fall_on_right_or_invalid_pixels(centre: float) -> None:
    rng = np.random.default_rng(1)
    shape = (64, 80)
    truth = np.stack([_disk(shape, *rng.uniform(10, 60, 2), rng.uniform(5, 20)) for _ in range(24)])
    guess = np.stack([_disk(shape, *rng.uniform(10, 60, 2), rng.uniform(5, 20)) for _ in range(24)])
    valid = rng.random((24, *shape)) > 0.1
    points, positive, found = error_clicks(
        _masks(*guess), _masks(*truth), _masks(*valid), torch.Generator().manual_seed(0), centre
    )
    assert found.sum() > 12
    for n in np.flatnonzero(found.numpy()):
        row, column = points[n].tolist()
        assert valid[n, row, column]
        assert truth[n, row, column] == positive[n]
        assert guess[n, row, column] != positive[n]


def test_random_points_stay_in_the_deep_part() -> None:
    mask = torch.from_numpy(_disk((100, 100), 50, 50, 40))[None, None]
    depths = depth(mask).repeat(50, 1, 1, 1)
    deepest = torch.zeros(50, dtype=torch.bool)
    points, found = draw_points(depths, deepest, torch.Generator().manual_seed(0), least=0.5)
    assert found.all()
    assert (np.linalg.norm(points.numpy() - 50.0, axis=1) < 24).all()
    assert len({tuple(p) for p in points.tolist()}) > 20


def test_distances_of_clicks_give_the_interaction_maps_of_the_product() -> None:
    clicks = [((10, 20), True), ((40, 8), False), ((3, 50), True)]
    distances = torch.full((1, 2, 48, 64), MAX_DISTANCE)
    for point, sign in clicks:
        distances = add_clicks(
            distances, torch.tensor([point]), torch.tensor([sign]), torch.tensor([True])
        )
    expected = interaction_maps([p for p, _ in clicks], [s for _, s in clicks], (48, 64))
    np.testing.assert_allclose(maps_of(distances)[0].numpy(), expected, atol=1e-6)


def test_samples_without_a_click_keep_their_distances() -> None:
    distances = torch.full((2, 2, 8, 8), 100.0)
    after = add_clicks(
        distances, torch.zeros(2, 2), torch.tensor([True, False]), torch.tensor([False, True])
    )
    assert torch.equal(after[0], distances[0])
    assert torch.equal(after[1, 0], distances[1, 0])
    assert after[1, 1, 0, 0] == 0


def test_spoilt_masks_resemble_the_truth_and_differ_from_it() -> None:
    truth = _masks(*(_disk((128, 128), 60, 60, 35) for _ in range(30)))
    spoilt = spoil(truth, torch.Generator().manual_seed(0))
    ious = (spoilt & truth).sum((1, 2, 3)) / (spoilt | truth).sum((1, 2, 3))
    assert (ious < 1).all()
    assert ious.min() > 0.3
    assert ious.max() - ious.min() > 0.2
    assert spoil(truth[:0], torch.Generator()).shape == (0, 1, 128, 128)


def test_moved_masks_keep_their_size_and_lose_their_place() -> None:
    truth = _masks(*(_disk((128, 128), 60, 60, 25) for _ in range(40)))
    found = moved(truth, torch.Generator().manual_seed(0))
    sizes = (found.sum((1, 2, 3)) / truth.sum((1, 2, 3))).sqrt()
    assert 0.95 < sizes.median() < 1.05
    assert sizes.std() > 0.05
    ious = (found & truth).sum((1, 2, 3)) / (found | truth).sum((1, 2, 3))
    assert 0.5 < ious.median() < 0.9
    rows = torch.arange(128.0).view(1, 1, -1, 1)
    middles = (found * rows).sum((1, 2, 3)) / found.sum((1, 2, 3))
    # 12 % of the root of the area, 44 pixels.
    assert 4 < (middles - 60).std() < 7


def test_nothing_moved_or_boxed_stays_nothing() -> None:
    nothing = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    assert not moved(nothing, torch.Generator()).any()
    assert not filled_boxes(nothing, torch.Generator()).any()


def test_filled_boxes_are_rectangles_near_the_bounding_box() -> None:
    truth = _masks(*(_disk((128, 128), 60, 50, 20) for _ in range(20)))
    boxes = filled_boxes(truth, torch.Generator().manual_seed(0))
    areas = set()
    for box in boxes[:, 0]:
        rows, columns = box.any(1), box.any(0)
        assert (box == rows[:, None] & columns[None]).all()
        for span, first, last in ((rows, 40, 80), (columns, 30, 70)):
            found = torch.nonzero(span).flatten()
            # 15 % of 41 pixels.
            assert abs(int(found[0]) - first) <= 7
            assert abs(int(found[-1]) - last) <= 7
        areas.add(int(box.sum()))
    assert len(areas) > 10
