import numpy as np
import pytest

from napari_brs.converted import tiles


@pytest.mark.parametrize("shape", [(100, 80), (1024, 1025), (3000, 1500), (2500, 90)])
@pytest.mark.parametrize("size", [None, (256, 192)])
def test_inner_parts_cover_every_pixel_once_within_their_tiles(shape, size):
    seen = np.zeros(shape, int)
    for tile, inner in tiles.covering(shape, size):
        assert tile.intersection(inner) == inner
        assert tile.height == min(shape[0], (size or (tiles.SIDE,) * 2)[0])
        assert tile.width == min(shape[1], (size or (tiles.SIDE,) * 2)[1])
        seen[inner.slices] += 1
    assert (seen == 1).all()


def test_every_pixel_counts_where_it_lies_deep_in_a_tile():
    for tile, inner in tiles.covering((3000, 3000)):
        for near, far, edge in (
            (tile.top, inner.top, 0),
            (inner.bottom, tile.bottom, 3000),
            (tile.left, inner.left, 0),
            (inner.right, tile.right, 3000),
        ):
            at_the_border = edge in (near, far)
            assert at_the_border or far - near >= tiles.OVERLAP // 2


def test_a_tile_has_the_pixels_at_its_centre_or_ends_at_the_border():
    assert tiles.tile_around([(500, 2000)], (4000, 4000)) == tiles.Box(0, 1488, 1024, 2512)
    assert tiles.tile_around([(3990, 3990)], (4000, 4000)) == tiles.Box(2976, 2976, 4000, 4000)
    assert tiles.tile_around([(5, 5)], (40, 30)) == tiles.Box(0, 0, 40, 30)
