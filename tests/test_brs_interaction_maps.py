import numpy as np
import pytest

from napari_brs.brs.interaction_maps import RADIUS, add_click, interaction_maps


def brute_force(points, positive, shape):
    maps = np.zeros((2, *shape))
    for channel, sign in enumerate((True, False)):
        chosen = [p for p, s in zip(points, positive, strict=True) if s == sign]
        for row, column in np.ndindex(*shape):
            distances = [np.hypot(row - r, column - c) for r, c in chosen]
            maps[channel, row, column] = 1 - min([*distances, 255]) / 255
    return maps


@pytest.mark.parametrize("seed", range(3))
def test_maps_are_one_minus_the_capped_distance_to_the_nearest_click(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-3, 40, (7, 2))
    positive = rng.random(7) > 0.5
    expected = brute_force(points, positive, (23, 37))
    np.testing.assert_allclose(interaction_maps(points, positive, (23, 37)), expected, atol=1e-6)


def test_the_distance_is_capped_at_255_pixels():
    row = interaction_maps([[0, 10]], [True], (1, 600))[0, 0]
    assert row[10] == 1
    assert row[10 + RADIUS - 1] == pytest.approx(1 / 255)
    assert (row[10 + RADIUS :] == 0).all()


def test_without_clicks_of_a_sign_its_map_is_zero():
    assert not interaction_maps(np.zeros((0, 2)), [], (4, 5)).any()
    assert not interaction_maps([[1, 1]], [False], (4, 5))[0].any()


def test_adding_a_click_equals_computing_all_afresh_and_leaves_the_old_maps_alone():
    rng = np.random.default_rng(4)
    points = rng.uniform(0, 300, (5, 2))
    positive = [True, False, True, False, True]
    maps = interaction_maps(points[:1], positive[:1], (300, 280))
    for point, sign in zip(points[1:], positive[1:], strict=True):
        kept = maps.copy()
        longer = add_click(maps, point, sign)
        assert (maps == kept).all()
        maps = longer
    assert (maps == interaction_maps(points, positive, (300, 280))).all()


def test_a_click_far_outside_the_maps_leaves_them_empty():
    assert not interaction_maps([[-400, 2], [2, 900]], [True, True], (5, 6)).any()
