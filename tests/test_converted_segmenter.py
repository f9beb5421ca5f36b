"""A converted network on images: its own segmentation, and clicks that repair it."""

import numpy as np
import pytest
import torch
from torch import nn

from napari_brs import Click, make_interactive
from napari_brs.converted import frame
from napari_brs.converted.correction import FAR
from napari_brs.converted.segmenter import ConvertedSegmenter


class Bright(nn.Module):
    """Foreground is what is bright, within a few pixels; classes are levels of brightness."""

    def __init__(self, *levels):
        super().__init__()
        self.levels = levels or (0.5,)
        self.blur = nn.Conv2d(1, 1, 5, padding=2, padding_mode="replicate", bias=False)
        with torch.no_grad():
            self.blur.weight.fill_(1 / 25)

    def forward(self, x):
        near = self.blur(x)
        if len(self.levels) == 1:
            return 30 * (near - self.levels[0])
        return torch.cat([-60 * (near - level).square() for level in self.levels], 1)


def scene(rows=300, columns=400):
    """Three bright cells, one of them with a dim half, and a dim cell."""
    image = np.full((rows, columns), 20, np.uint8)
    image[20:50, 20:60] = 230
    image[20:50, 60:80] = 90  # dim half of the first
    image[100:130, 40:70] = 230
    image[100:130, 71:100] = 230  # touches its neighbour after blurring
    image[250:280, 350:380] = 230  # far away
    image[200:220, 100:130] = 90  # dim
    return image


@pytest.fixture
def segmenter():
    segmenter = ConvertedSegmenter(make_interactive(Bright()), "cpu")
    segmenter.set_image(scene())
    return segmenter


def test_the_whole_segmentation_is_the_models_own(segmenter):
    x = torch.from_numpy(scene()).float()[None, None] / 255
    own = Bright()(x).sigmoid()[0].detach().numpy()
    # The layout in memory is another one, and so is the order of sums.
    np.testing.assert_allclose(segmenter.segment().probabilities, own, atol=2e-6)


def test_objects_are_the_connected_parts(segmenter):
    objects = segmenter.instances()
    assert objects.shape == scene().shape
    assert objects.max() == 3
    assert objects[110, 50] == objects[110, 90] != objects[30, 30] != objects[260, 360] != 0
    assert objects[210, 115] == 0


def test_a_second_head_tells_touching_objects_apart():
    def cores(x):
        inside = (x > 0.5).float()
        inside[..., 64:77] = 0  # as a network would that knows where cells touch
        return inside

    segmenter = ConvertedSegmenter(make_interactive(Bright()), "cpu", cores)
    segmenter.set_image(scene())
    objects = segmenter.instances()
    assert objects[110, 50] != objects[110, 90]
    prediction = segmenter.predict([Click(115, 50)])
    assert prediction.mask[115, 45]
    assert not prediction.mask[115, 95]


def test_a_click_that_the_network_obeys_gives_the_object_that_it_hits(segmenter):
    prediction = segmenter.predict([Click(30, 30)])
    assert prediction.refinement is None
    assert prediction.clicks_obeyed == (True,)
    np.testing.assert_array_equal(
        prediction.mask, segmenter.instances() == segmenter.instances()[30, 30]
    )
    assert prediction.bbox.height > 25


def test_a_click_finds_an_object_that_the_network_missed(segmenter):
    prediction = segmenter.predict([Click(210, 115)])
    assert prediction.refinement is not None
    assert prediction.clicks_obeyed == (True,)
    assert prediction.stable
    rows, columns = np.nonzero(prediction.mask)
    assert prediction.mask.sum() > 4
    assert (abs(rows - 210) < FAR).all()
    assert (abs(columns - 115) < FAR).all()


def test_clicks_repair_the_object_that_they_hit_and_leave_the_rest(segmenter):
    first = segmenter.predict([Click(30, 30)])
    second = segmenter.predict([Click(30, 30), Click(35, 70)], previous=first)
    assert second.clicks_obeyed == (True, True)
    assert second.mask[30, 30]
    assert second.mask[35, 70]
    assert not second.mask[90:].any()
    # What the object had, it keeps.
    assert (second.mask >= first.mask).all()


def test_a_background_click_cuts_off_what_is_not_the_object(segmenter):
    first = segmenter.predict([Click(115, 50)])
    assert first.mask[115, 90]
    clicks = [Click(115, 50), Click(115, 90, positive=False)]
    second = segmenter.predict(clicks, previous=first)
    assert second.clicks_obeyed == (True, True)
    assert second.mask[115, 50]
    assert not second.mask[115, 90]


def test_an_existing_mask_is_corrected_by_a_background_click_alone(segmenter):
    mask = segmenter.instances() == segmenter.instances()[115, 50]
    prediction = segmenter.predict([Click(115, 90, positive=False)], previous=mask)
    assert prediction.clicks_obeyed == (True,)
    assert prediction.mask[115, 50]
    assert not prediction.mask[115, 90]


def test_a_part_painted_by_hand_is_taken_away_whole(segmenter):
    mask = segmenter.instances() == segmenter.instances()[30, 30]
    mask[54:64, 20:40] = True
    prediction = segmenter.predict([Click(58, 30, positive=False)], previous=mask)
    assert prediction.refinement is None
    assert not prediction.mask[56:].any()
    assert prediction.mask[30, 30]


def test_without_refinement_the_network_has_the_last_word(segmenter):
    prediction = segmenter.predict([Click(210, 115)], refine=False)
    assert prediction.clicks_obeyed == (False,)
    assert not prediction.mask.any()


def test_far_pixels_stay_as_they_are(segmenter):
    before = segmenter.segment().mask(0)
    after = segmenter.segment([Click(210, 115)])
    assert after.clicks_obeyed == (True,)
    assert after.stable
    rows, columns = np.indices(before.shape)
    far = np.hypot(rows - 210, columns - 115) > FAR
    assert far.sum() > 1000
    assert np.mean((before != after.mask(0))[far]) < 0.01


class MeanOfAll(nn.Module):
    """Every pixel is foreground, or none: what one pixel is told is felt by all."""

    def forward(self, x):
        return 1000 * (x.mean((2, 3), keepdim=True) - 0.095) + 0 * x


def test_a_network_in_which_everything_depends_on_everything_is_reported_unstable():
    segmenter = ConvertedSegmenter(make_interactive(MeanOfAll(), channels=1), "cpu")
    segmenter.set_image(np.full((300, 400), 24, np.uint8))
    prediction = segmenter.predict([Click(150, 380)])
    assert not prediction.stable
    assert prediction.far_change > 0.99
    # Nothing is destroyed: the click is not obeyed instead.
    assert prediction.clicks_obeyed == (False,)
    assert not prediction.mask.any()
    assert not segmenter.segment([Click(150, 380)]).stable


def test_progress_is_told_and_cancels(segmenter):
    told = []

    def on_progress(progress):
        told.append(progress)
        return len(told) < 2

    prediction = segmenter.predict([Click(210, 115)], on_progress=on_progress)
    assert told[0].prediction is not None
    assert told[1].evaluation == 1
    assert prediction.refinement.stopped in ("cancelled", "obeyed")


def test_an_object_of_the_class_that_is_named_is_repaired():
    model = Bright(0.08, 0.35, 0.9)
    segmenter = ConvertedSegmenter(make_interactive(model), "cpu")
    image = scene()
    segmenter.set_image(image)
    assert segmenter.network.exclusive
    whole = segmenter.segment()
    assert whole.classes[30, 30] == 2
    assert whole.classes[210, 115] == 1
    assert segmenter.predict([Click(210, 115)]).target == 1
    named = segmenter.predict([Click(210, 115)], target=2)
    assert named.clicks_obeyed == (True,)
    corrected = segmenter.segment([Click(210, 115), Click(260, 365)], [2, 1])
    assert corrected.clicks_obeyed[1]
    again = segmenter.segment([Click(210, 115), Click(260, 365)], [2, 1], corrected)
    assert again.clicks_obeyed == (True, True)
    assert again.classes[30, 30] == 2


def test_large_images_are_seen_in_tiles_and_come_out_the_same(monkeypatch):
    image = np.tile(scene(), (2, 2))
    whole = ConvertedSegmenter(make_interactive(Bright()), "cpu")
    whole.set_image(image)
    expected = whole.segment().probabilities
    monkeypatch.setattr("napari_brs.converted.tiles.SIDE", 256)
    monkeypatch.setattr("napari_brs.converted.tiles.OVERLAP", 32)
    tiled = ConvertedSegmenter(make_interactive(Bright()), "cpu")
    tiled.set_image(image)
    np.testing.assert_allclose(tiled.segment().probabilities, expected, atol=1e-5)
    prediction = tiled.predict([Click(510, 515)])
    assert prediction.clicks_obeyed == (True,)
    assert not prediction.mask[:400].any()
    clicks = [Click(510, 515), Click(30, 70)]
    both = tiled.predict(clicks, previous=prediction)
    assert both.mask[510, 515]


def test_an_image_that_cannot_be_kept_is_refused_not_scaled(monkeypatch, segmenter):
    monkeypatch.setattr(frame, "MOST_VALUES", 1000)
    with pytest.raises(ValueError, match=r"300 × 400 pixels; .* at most 1,000 pixels"):
        segmenter.set_image(scene())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clicks": []}, "there is no click"),
        ({"clicks": [Click(1, 900)]}, "lies outside the image"),
        ({"clicks": [Click(1, 1)], "threshold": 1.0}, "threshold is 1.0"),
        ({"clicks": [Click(1, 1)], "target": 1}, "class 1 is not one of 0 to 0"),
        ({"clicks": [Click(1, 1)], "previous": np.zeros((2, 2), bool)}, "has shape"),
    ],
)
def test_what_cannot_be_used_is_named(segmenter, arguments, message):
    with pytest.raises(ValueError, match=message):
        segmenter.predict(**arguments)
    with pytest.raises(ValueError, match="2 classes were given for 1 clicks"):
        segmenter.segment([Click(1, 1)], [0, 0])


@pytest.mark.parametrize("click", [Click(35, 70), Click(30, 30, positive=False)])
def test_a_click_that_is_repaired_asks_the_model_once_for_each_input(click):
    model, seen = Bright(), []
    segmenter = ConvertedSegmenter(make_interactive(model), "cpu")
    segmenter.set_image(scene())
    segmenter.encode()
    model.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].detach()))
    before = segmenter.predict([Click(30, 40)])
    assert not seen
    found = segmenter.predict([Click(30, 40), click], before)
    assert found.refinement is not None
    assert len(seen) == len({x.numpy().tobytes() for x in seen}) == found.refinement.evaluations
    assert not found.map_change.requires_grad
