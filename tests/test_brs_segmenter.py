import tracemalloc
import warnings

import numpy as np
import pytest
import torch
from brightness import Brightness, Features

from napari_brs import Click
from napari_brs.brs.segmenter import CACHED_VIEWS, MAX_EVALUATIONS, BRSSegmenter, _half_precision
from napari_brs.masks import Box, Mask


@pytest.fixture
def scene():
    """A bright rectangle with a dim end, and a bright neighbour."""
    image = np.full((120, 160), 20, np.uint8)
    image[40:80, 50:90] = 230
    image[40:80, 90:96] = 90
    image[40:80, 100:120] = 230
    return image


@pytest.fixture
def segmenter(scene):
    segmenter = BRSSegmenter(Brightness(), device="cpu")
    segmenter.set_image(scene)
    return segmenter


def replay(segmenter, clicks, **options):
    previous = None
    for number in range(1, len(clicks) + 1):
        previous = segmenter.predict(clicks[:number], previous=previous, **options)
    return previous


def test_a_click_gives_the_mask_of_what_was_clicked(segmenter, scene):
    result = segmenter.predict([Click(60, 70)])
    assert result.mask.shape == result.probability.shape == scene.shape
    assert result.mask.dtype == bool
    assert result.probability.dtype == np.float32
    assert result.mask[50:70, 60:80].all()
    assert not result.mask[:, :30].any()
    assert result.clicks_obeyed == (True,)
    assert result.refinement is None
    assert (result.mask == (result.probability > 0.5)).all()


def test_the_box_holds_exactly_what_changed(segmenter):
    first = segmenter.predict([Click(60, 70)])
    assert first.bbox == Box.around(first.mask)
    second = segmenter.predict([Click(60, 70), Click(60, 105, False)], previous=first)
    assert second.bbox == Box.around(first.mask ^ second.mask)
    third = segmenter.predict([*second.clicks], previous=second)
    assert third.bbox.height == 0


@pytest.mark.parametrize("size", [1, 3])
def test_refinement_makes_every_click_obeyed_on_the_full_resolution_mask(size):
    scene = np.full((120 * size, 160 * size), 20, np.uint8)
    scene[40 * size : 80 * size, 50 * size : 90 * size] = 230
    scene[40 * size : 80 * size, 90 * size : 96 * size] = 90
    segmenter = BRSSegmenter(Brightness(), device="cpu")
    segmenter.set_image(scene)
    clicks = [Click(60 * size, 70 * size), Click(60 * size, 93 * size)]
    without = replay(segmenter, clicks, refine=False)
    assert not all(without.clicks_obeyed)
    with_it = replay(segmenter, clicks)
    assert all(with_it.clicks_obeyed)
    assert with_it.refinement.stopped == "obeyed"
    assert 1 <= with_it.refinement.evaluations <= MAX_EVALUATIONS
    for click in clicks:
        assert with_it.mask[click.pixel] == click.positive


def test_the_refined_maps_are_the_warm_start_of_the_next_click(segmenter):
    clicks = [Click(60, 70), Click(60, 93)]
    refined = replay(segmenter, clicks)
    assert refined.refinement is not None
    assert refined.map_change.abs().max() > 0
    again = segmenter.predict(clicks, previous=refined)
    assert again.refinement is None
    assert all(again.clicks_obeyed)


def test_features_are_computed_once_a_view_and_beforehand_if_wanted(segmenter):
    segmenter.encode()
    assert segmenter.network.encoded == 1
    first = segmenter.predict([Click(60, 70)])
    known = segmenter.network.encoded
    segmenter.predict([Click(60, 70), Click(62, 72)], previous=first)
    assert segmenter.network.encoded == known
    for row in range(0, 120, 10):
        segmenter.predict([Click(row, 150)], previous=first)
    assert len(segmenter._seen) <= CACHED_VIEWS


@pytest.mark.parametrize("refine", [True, False])
def test_a_look_is_one_decoding_and_none_is_repeated_before_refinement(scene, refine):
    class Recorded(Brightness):
        def __init__(self):
            super().__init__()
            self.seen = []

        def decode_both(self, features, maps, previous=None):
            parts = [features.grey, maps] + ([] if previous is None else [previous])
            self.seen.append(b"".join(part.detach().numpy().tobytes() for part in parts))
            return super().decode_both(features, maps, previous)

    segmenter = BRSSegmenter(Recorded(), device="cpu")
    segmenter.set_image(scene)
    looks = []
    clicks = [Click(60, 70), Click(60, 93)]
    first = segmenter.predict(clicks[:1])
    segmenter.network.seen.clear()
    found = segmenter.predict(
        clicks, first, refine, on_progress=lambda news: looks.append(news.prediction)
    )
    assert (found.refinement is not None) == refine
    further = found.refinement.evaluations - 1 if refine else 0
    assert len(segmenter.network.seen) == len([look for look in looks if look]) + further
    assert len(set(segmenter.network.seen)) == len(segmenter.network.seen)
    assert found.map_change is None or not found.map_change.requires_grad


def test_a_new_image_forgets_the_features_of_the_old_one(segmenter, scene):
    segmenter.predict([Click(60, 70)])
    segmenter.set_image(255 - scene)
    assert not segmenter.predict([Click(60, 20)]).mask[60, 70]


@pytest.mark.parametrize(("device", "expected"), [("cpu", True), ("cuda", False)])
def test_half_precision_is_for_cpus_that_have_it(monkeypatch, device, expected):
    monkeypatch.setattr("napari_brs.brs.segmenter.has_bfloat16", lambda kind: True)
    with _half_precision(torch.device(device)):
        assert torch.is_autocast_enabled("cpu") == expected


def test_features_computed_in_half_precision_are_kept_in_single(scene, monkeypatch):
    class Convolved(Brightness):
        def encode(self, image):
            grey = torch.nn.functional.conv2d(image, torch.full((1, 3, 1, 1), 1 / 765))
            self.computed, self.encoded = grey.dtype, self.encoded + 1
            return Features(grey)

        def decode_both(self, features, maps, previous=None):
            self.kept = features.grey.dtype
            return super().decode_both(features, maps, previous)

    masks = []
    for half in (True, False):
        abilities = {"amx_bf16": half}
        monkeypatch.setattr(torch.cpu, "get_capabilities", abilities.copy, raising=False)
        segmenter = BRSSegmenter(Convolved(), device="cpu")
        segmenter.set_image(scene)
        masks.append(segmenter.predict([Click(60, 70)]).mask)
        assert segmenter.network.computed == (torch.bfloat16 if half else torch.float32)
        assert segmenter.network.kept == torch.float32
    assert (masks[0] ^ masks[1]).mean() < 0.01


def test_the_view_closes_in_on_a_small_object_and_shows_the_network_its_mask():
    image = np.full((500, 500), 20, np.uint8)
    image[200:215, 300:312] = 240
    segmenter = BRSSegmenter(Brightness(), device="cpu")
    segmenter.set_image(image)
    result = segmenter.predict([Click(207, 306)])
    for _ in range(3):
        result = segmenter.predict([Click(207, 306)], previous=result)
    assert result.view.scale > 1
    assert result.view.box.height < 200
    assert segmenter.network.previous.shape[-2:] == result.view.grid
    assert segmenter.network.previous.max() > 0.5


def test_the_first_click_looks_as_closely_as_the_objects_size_wants():
    image = np.full((500, 500), 20, np.uint8)
    image[200:215, 300:312] = 240
    segmenter = BRSSegmenter(Brightness(), device="cpu")
    segmenter.set_image(image)
    segmenter.encode((205, 305), size_hint=15)
    found = segmenter.predict([Click(207, 306)], size_hint=15)
    # What was looked at beforehand still fits once there is a mask.
    assert segmenter.network.encoded == 1
    assert found.view.box.height < 80
    assert found.view.scale > 2
    # The next click looks where the mask is, whatever was said of its size.
    again = segmenter.predict([Click(207, 306)], previous=found, size_hint=400)
    assert again.view == found.view


def test_an_existing_mask_can_be_corrected(segmenter, scene):
    existing = np.zeros(scene.shape, bool)
    existing[30:90, 40:80] = True
    result = segmenter.predict([Click(60, 70)], previous=existing)
    grown = Box(30, 40, 90, 80)
    assert result.view.box.intersection(grown) == grown
    assert segmenter.network.previous is not None
    assert result.bbox == Box.around(existing ^ result.mask)


def test_an_existing_mask_given_in_a_window_is_corrected_alike(segmenter, scene):
    existing = np.zeros(scene.shape, bool)
    existing[30:90, 40:80] = True
    box = Box(25, 40, 100, 90)
    window = Mask.of(existing[box.slices], box, scene.shape)
    assert (np.asarray(window) == existing).all()
    results = [segmenter.predict([Click(60, 70)], previous=mask) for mask in (existing, window)]
    assert results[0].view == results[1].view
    assert results[0].bbox == results[1].bbox
    assert (results[0].mask == results[1].mask).all()


def test_an_existing_mask_in_a_large_image_is_corrected_in_little_memory():
    class Huge:
        shape, dtype, ndim = (20_000, 20_000), np.dtype(np.uint8), 2

        def __getitem__(self, index):
            rows, columns = np.arange(20_000)[index[0]], np.arange(20_000)[index[1]]
            inside = (abs(rows - 9000) < 30)[:, None] & (abs(columns - 9000) < 30)
            return np.where(inside, 230, 20).astype(np.uint8)

    segmenter = BRSSegmenter(Brightness(), device="cpu")
    segmenter.set_image(Huge())
    existing = Mask.of(np.ones((40, 40), bool), Box(8980, 8980, 9020, 9020), Huge.shape)
    segmenter.predict([Click(9000, 9000)], previous=existing)
    tracemalloc.start()
    result = segmenter.predict([Click(9000, 9000), Click(9025, 9025)], previous=existing)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.window_mask.sum() > 1000
    assert result.view.box.height < 200
    assert peak < 20e6  # one bool for every pixel would be 400 MB


def test_what_lay_outside_the_view_is_gone_and_counts_as_changed(segmenter):
    image = np.full((3000, 3000), 20, np.uint8)
    image[100:120, 100:120] = 240
    segmenter.set_image(image)
    result = segmenter.predict([Click(110, 110)])
    assert max(result.view.grid) <= 512
    assert result.view.box.height < 600
    assert result.mask.shape == (3000, 3000)


def test_progress_tells_of_the_forward_pass_and_every_evaluation(segmenter):
    told = []
    result = segmenter.predict([Click(60, 70), Click(60, 93)], on_progress=told.append)
    assert told[0].prediction is not None
    assert told[0].evaluation == 0
    counted = [news.evaluation for news in told if news.evaluation]
    assert counted == list(range(1, result.refinement.evaluations + 1))
    assert all(news.limit == MAX_EVALUATIONS for news in told)


def test_a_run_can_be_cancelled_after_the_forward_pass_and_while_refining(segmenter):
    clicks = [Click(60, 70), Click(60, 93)]
    early = segmenter.predict(clicks, on_progress=lambda news: False)
    assert early.refinement is None
    late = segmenter.predict(clicks, on_progress=lambda news: news.evaluation == 0)
    assert late.refinement.stopped == "cancelled"
    assert late.refinement.evaluations == 1


def test_the_threshold_decides_and_refinement_heeds_it(segmenter):
    low = segmenter.predict([Click(60, 70)], threshold=0.1)
    high = segmenter.predict([Click(60, 70)], threshold=0.9)
    assert low.mask.sum() > high.mask.sum()
    strict = segmenter.predict([Click(60, 70), Click(60, 93)], threshold=0.8)
    assert all(strict.clicks_obeyed)
    assert strict.probability[60, 93] > 0.8


def test_a_prediction_of_a_large_object_is_small_enough_to_keep_a_hundred_of_them():
    image = np.full((3600, 3600), 20, np.uint8)
    image[200:3400, 200:3400] = 240
    segmenter = BRSSegmenter(Brightness(), device="cpu")
    segmenter.set_image(image)
    result = segmenter.predict([Click(300, 300), Click(3300, 3300)], previous=image > 100)
    assert result.window_mask.size > 10e6
    assert result.grid_probability.nbytes + len(result.packed.packed) < 4e6
    assert (result.window_mask == (result.window_probability > 0.5)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (33, 2), (5, 7)])
def test_tiny_images_are_segmented_too(shape):
    segmenter = BRSSegmenter(Brightness(), device="cpu")
    segmenter.set_image(np.full(shape, 200, np.uint8))
    result = segmenter.predict([Click(0, 0)])
    assert result.mask.shape == shape
    assert all(result.clicks_obeyed)


def test_a_very_large_image_costs_a_window_only():
    class Huge:
        shape, dtype, ndim = (20_000, 20_000), np.dtype(np.uint16), 2
        largest = 0

        def __getitem__(self, index):
            rows = range(20_000)[index[0]]
            columns = range(20_000)[index[1]]
            Huge.largest = max(Huge.largest, len(rows) * len(columns))
            values = np.add.outer(np.asarray(rows), np.asarray(columns)) % 4096
            return values.astype(np.uint16)

    segmenter = BRSSegmenter(Brightness(), device="cpu")
    segmenter.set_image(Huge())
    result = segmenter.predict([Click(19_990, 15_000)])
    assert result.window_mask.size <= 4 * 512 * 512
    assert Huge.largest <= 4_000_000


def test_uint16_nan_and_colour_images_are_accepted(scene):
    segmenter = BRSSegmenter(Brightness(), device="cpu")
    for image in (
        scene.astype(np.uint16) * 17,
        np.stack([scene] * 3, axis=-1),
        scene / 255 - 3,
    ):
        segmenter.set_image(image)
        assert segmenter.predict([Click(60, 70)]).mask[60, 70]
    broken = scene.astype(np.float32)
    broken[0, 0] = np.nan
    with pytest.warns(UserWarning, match="not finite"):
        segmenter.set_image(broken)
    assert segmenter.predict([Click(60, 70)]).mask[60, 70]


def test_contrast_limits_are_honoured(segmenter, scene):
    segmenter.set_image(scene, contrast_limits=(0, 10_000))
    dark = segmenter.predict([Click(60, 70)], refine=False)
    segmenter.set_image(scene, contrast_limits=(0, 255))
    assert segmenter.predict([Click(60, 70)], refine=False).mask.sum() > dark.mask.sum()


@pytest.mark.parametrize(
    ("clicks", "options", "message"),
    [
        ([], {}, "there is no click"),
        ([Click(120, 0)], {}, "outside the image"),
        ([Click(3, 3), Click(3, 3, False)], {}, "as foreground and as background"),
        ([Click(3, 3)], {"threshold": 1.0}, "threshold is 1.0; it must lie between 0 and 1"),
        ([Click(3, 3)], {"previous": np.zeros((5, 5), bool)}, r"shape \(5, 5\), the image \(120"),
        ([Click(3, 3)], {"size_hint": 0.0}, "size_hint is 0.0; a positive number of pixels"),
        ([Click(3, 3)], {"size_hint": float("nan")}, "size_hint is nan; a positive number"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(segmenter, clicks, options, message):
    with pytest.raises(ValueError, match=message):
        segmenter.predict(clicks, **options)


def test_without_an_image_it_says_so():
    with pytest.raises(RuntimeError, match="no image was set"):
        BRSSegmenter(Brightness(), device="cpu").predict([Click(0, 0)])


class Hungry(Brightness):
    """Runs out of memory everywhere but on the CPU."""

    def encode(self, image):
        if image.device.type != "cpu":
            raise torch.OutOfMemoryError("device out of memory")
        return super().encode(image)


def test_a_gpu_without_enough_memory_is_left_for_the_cpu_with_a_warning(scene, monkeypatch):
    # "meta" is a device without memory that every machine has.
    monkeypatch.setattr("napari_brs.brs.segmenter.choose_device", lambda name: torch.device("meta"))
    segmenter = BRSSegmenter(Hungry())
    segmenter.set_image(scene)
    with pytest.warns(RuntimeWarning, match="meta ran out of memory; going on on the CPU"):
        result = segmenter.predict([Click(60, 70)])
    assert result.mask[60, 70]
    assert segmenter.device.type == "cpu"


def test_other_errors_are_not_mistaken_for_lack_of_memory(scene):
    class Broken(Brightness):
        def encode(self, image):
            raise RuntimeError("out of memory on the CPU is final")

    segmenter = BRSSegmenter(Broken(), device="cpu")
    segmenter.set_image(scene)
    with warnings.catch_warnings(), pytest.raises(RuntimeError, match="final"):
        segmenter.predict([Click(60, 70)])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_the_gpu_gives_the_mask_of_the_cpu(scene):
    masks = []
    for device in ("cpu", "cuda"):
        segmenter = BRSSegmenter(Brightness(), device=device)
        segmenter.set_image(scene)
        masks.append(segmenter.predict([Click(60, 70)]).mask)
    assert (masks[0] == masks[1]).all()
