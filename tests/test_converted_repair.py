import numpy as np

from napari_brs import Click
from napari_brs.converted.repair import as_refined, as_segmented, clicked_parts, held, parted
from napari_brs.masks import Box, Mask

SHAPE = (20, 30)


def block(*boxes):
    values = np.zeros(SHAPE, bool)
    for top, left, bottom, right in boxes:
        values[top:bottom, left:right] = True
    return values


def test_a_positive_click_takes_the_instance_that_it_hits_not_its_neighbour():
    instances = np.zeros(SHAPE, int)
    instances[5:10, 5:10], instances[5:10, 10:15] = 1, 2
    region = as_segmented(Mask.empty(SHAPE), [Click(7, 6)], instances > 0, instances)
    np.testing.assert_array_equal(region.full(), instances == 1)
    both = as_segmented(region, [Click(7, 6), Click(7, 12)], instances > 0, instances)
    np.testing.assert_array_equal(both.full(), instances > 0)


def test_a_negative_click_takes_away_the_background_that_it_hits():
    mine = block((5, 5, 10, 15))
    network = block((5, 5, 10, 10))
    click = Click(7, 12, positive=False)
    region = as_segmented(Mask.of(mine), [click], network, network.astype(int))
    np.testing.assert_array_equal(region.full(), network)


def test_clicks_that_the_network_contradicts_change_nothing_yet():
    network = block((5, 5, 10, 10))
    clicks = [Click(15, 20), Click(7, 7, positive=False)]
    region = as_segmented(Mask.of(network), clicks, network, network.astype(int))
    np.testing.assert_array_equal(region.full(), network)


def test_what_refinement_changed_elsewhere_is_not_taken_over():
    before = np.where(block((5, 5, 10, 10), (1, 20, 4, 25)), 0.9, 0.1).astype(np.float32)
    # The click's part, another new one, and the loss of a neighbour.
    after = np.where(block((5, 5, 10, 14), (15, 2, 18, 6)), 0.8, 0.1).astype(np.float32)
    region, shown = as_refined(
        Mask.of(block((5, 5, 10, 10))), [Click(7, 12)], Box(0, 0, *SHAPE), before, after, 0.5
    )
    np.testing.assert_array_equal(region.full(), block((5, 5, 10, 14)))
    gained = block((5, 10, 10, 14))
    np.testing.assert_array_equal(shown, np.where(gained, after, before))


def test_a_new_part_does_not_swallow_the_neighbour_that_it_touches():
    before = np.where(block((5, 16, 10, 25)), 0.9, 0.1).astype(np.float32)
    after = np.where(block((5, 5, 10, 25)), 0.9, 0.1).astype(np.float32)
    region, _ = as_refined(Mask.empty(SHAPE), [Click(7, 8)], Box(0, 0, *SHAPE), before, after, 0.5)
    np.testing.assert_array_equal(region.full(), block((5, 5, 10, 16)))


def test_a_tile_lies_where_it_lies_in_the_image():
    tile = Box(4, 10, 16, 28)
    before = np.full((12, 18), 0.9, np.float32)
    after = before.copy()
    after[2:4, 3:6] = 0.2
    region, _ = as_refined(
        Mask.of(block((0, 0, 20, 30))), [Click(6, 14, positive=False)], tile, before, after, 0.5
    )
    np.testing.assert_array_equal(region.full(), ~block((6, 13, 8, 16)))


def discs(*places):
    rows, columns = np.indices((60, 90))
    return np.any([np.hypot(rows - r, columns - c) <= radius for r, c, radius in places], axis=0)


def test_two_touching_bodies_come_apart_at_their_neck():
    pair = discs((30, 30, 15), (32, 56, 14))
    clicks = [Click(28, 24), Click(36, 60, positive=False)]
    for number in (1, 2):
        region = as_segmented(Mask.of(pair), clicks[:number], pair, pair.astype(int))
    left = region.full()
    assert left[discs((30, 30, 12))].all()
    assert not left[discs((32, 56, 11))].any()
    only = parted(Mask.of(pair), clicks[1:])
    np.testing.assert_array_equal(only.full(), pair)


def test_one_body_is_not_parted():
    body = discs((30, 40, 20))
    clicks = [Click(30, 40), Click(30, 55, positive=False)]
    np.testing.assert_array_equal(parted(Mask.of(body), clicks).full(), body)


def test_the_probability_shown_agrees_with_the_mask_at_the_threshold():
    rng = np.random.default_rng(0)
    probability, mask = rng.random(SHAPE, np.float32), rng.random(SHAPE) < 0.5
    for threshold in (0.5, 0.3):
        np.testing.assert_array_equal(held(probability, mask, threshold) > threshold, mask)


def test_parts_without_a_positive_click_are_dropped_if_there_is_one():
    mask = Mask.of(block((2, 2, 3, 4), (8, 8, 9, 9)))
    kept = clicked_parts(mask, [Click(2, 3), Click(8, 9, positive=False)])
    np.testing.assert_array_equal(kept.full(), block((2, 2, 3, 4)))
    assert clicked_parts(mask, [Click(8, 9, positive=False)]) is mask
    assert clicked_parts(mask, [Click(0, 0)]) is mask
