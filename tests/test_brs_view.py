import numpy as np
import pytest
import torch

from napari_brs.brs.view import View, sample
from napari_brs.masks import Box

VIEWS = [
    View(Box(0, 0, 40, 60), (40, 60)),
    View(Box(7, 11, 40, 60), (66, 98)),
    View(Box(3, 5, 203, 105), (50, 25)),
    View(Box(2, 2, 3, 3), (4, 4)),
]


@pytest.mark.parametrize("view", VIEWS)
def test_points_come_back_from_the_grid_where_they_were(view):
    points = np.random.default_rng(0).uniform(-50, 300, (20, 2))
    np.testing.assert_allclose(view.to_image(view.to_grid(points)), points, atol=1e-9)


@pytest.mark.parametrize("view", VIEWS)
def test_the_corners_of_the_window_are_the_corners_of_the_grid(view):
    box = view.box
    corners = view.to_grid([[box.top - 0.5, box.left - 0.5], [box.bottom - 0.5, box.right - 0.5]])
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [view.grid[0] - 0.5, view.grid[1] - 0.5]])


@pytest.mark.parametrize("view", VIEWS)
def test_a_pasted_pixel_has_the_value_sampled_at_its_centre(view):
    values = torch.rand(1, 1, *view.grid, generator=torch.Generator().manual_seed(1))
    rows, columns = np.mgrid[view.box.slices]
    points = view.to_grid(np.stack([rows.ravel(), columns.ravel()], axis=1))
    sampled = sample(values, torch.from_numpy(points).float())
    torch.testing.assert_close(view.paste(values).ravel(), sampled, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [1, 2, 0.5])
def test_a_smooth_window_survives_the_round_trip_through_the_grid(scale):
    rows, columns = np.mgrid[0:64, 0:96]
    pixels = (100 + 50 * np.sin(rows / 15) + 40 * np.cos(columns / 20)).astype(np.float32)
    view = View(Box(0, 0, 64, 96), (int(64 * scale), int(96 * scale)))
    back = view.paste(view.crop(pixels[..., None]))
    assert np.abs(back.numpy() - pixels)[2:-2, 2:-2].max() < 1


def test_an_object_keeps_its_place_when_the_window_is_shrunk():
    pixels = np.zeros((80, 80, 1), np.float32)
    pixels[20:40, 48:64] = 1
    grid = View(Box(0, 0, 80, 80), (20, 20)).crop(pixels)[0, 0]
    # Antialiasing spreads a block's border, not its centre of mass.
    rows, columns = np.mgrid[0:20, 0:20]
    weights = grid.numpy() / grid.sum().item()
    centre = View(Box(0, 0, 80, 80), (20, 20)).to_image(
        [[(weights * rows).sum(), (weights * columns).sum()]]
    )
    np.testing.assert_allclose(centre, [[29.5, 55.5]], atol=0.1)


def test_sampling_is_differentiable_and_touches_the_four_neighbours():
    values = torch.zeros(1, 1, 5, 5, requires_grad=True)
    sample(values, torch.tensor([[1.25, 2.5]])).sum().backward()
    expected = torch.zeros(5, 5)
    expected[1, 2:4] = 0.375
    expected[2, 2:4] = 0.125
    torch.testing.assert_close(values.grad[0, 0], expected)
