from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor, nn

from napari_brs.networks.base import InteractiveNetwork
from napari_brs.training.config import ClickConfig, LossConfig
from napari_brs.training.crops import Crop
from napari_brs.training.rounds import ClickRounds


class _Features(NamedTuple):
    image: Tensor


class _Recorder(InteractiveNetwork):
    """Says the same logit everywhere and keeps what it was shown."""

    uses_previous = True

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.with_gradient: list[bool] = []

    def encode(self, image: Tensor) -> _Features:
        return _Features(image)

    def decode_both(
        self, features: NamedTuple, maps: Tensor, previous: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        assert previous is not None
        self.seen.append((maps, previous))
        self.with_gradient.append(torch.is_grad_enabled())
        logits = self.logit + 0 * maps[:, :1]
        return logits, logits


def _crop() -> Crop:
    masks = torch.zeros(2, 3, 64, 64, dtype=torch.bool)
    masks[:, 0, 5:45, 5:45] = True
    masks[:, 1, 20:60, 30:62] = True
    masks[:, 2, 2:30, 40:60] = True
    return Crop(torch.zeros(2, 3, 64, 64), masks, torch.ones(2, 64, 64, dtype=torch.bool))


SINGLE = ClickConfig(single=1.0, correction=0.0, centre=1.0, drop_previous=0.0)


def test_first_click_is_in_the_middle_of_the_object_and_no_other_is_there() -> None:
    network = _Recorder(-5.0)
    ClickRounds(network, replace(SINGLE, rounds=(1.0,)), LossConfig())(_crop(), (0, 0, 0))
    ((maps, previous),) = network.seen
    assert (previous == 0).all()
    assert (maps[:, 1] == 0).all()
    for shown, mask in zip(maps[:, 0], _crop().masks.flatten(0, 1), strict=True):
        assert (shown == 1).sum() == 1
        depth = distance_transform_edt(mask.numpy())
        assert depth[(shown == 1).numpy()][0] > 0.8 * depth.max()


@pytest.mark.parametrize(("logit", "channel"), [(-5.0, 0), (5.0, 1)])
def test_later_rounds_see_the_last_prediction_and_a_click_where_it_errs(
    logit: float, channel: int
) -> None:
    network = _Recorder(logit)
    ClickRounds(network, replace(SINGLE, rounds=(0.0, 0.0, 1.0)), LossConfig())(_crop(), (0, 0, 0))
    assert len(network.seen) == 3
    first, second = network.seen[0][0], network.seen[1][0]
    torch.testing.assert_close(network.seen[1][1], torch.full((6, 1, 64, 64), logit).sigmoid())
    # Background everywhere is corrected by foreground clicks, and the reverse.
    assert torch.equal(first[:, 1 - channel], second[:, 1 - channel])
    wrong = (second[:, channel] == 1) & (first[:, channel] < 1)
    target = _crop().masks.flatten(0, 1)
    assert (target[wrong] == (channel == 0)).all()


def test_dropped_previous_masks_are_zeros() -> None:
    network = _Recorder(5.0)
    config = replace(SINGLE, rounds=(0.0, 1.0), drop_previous=1.0)
    ClickRounds(network, config, LossConfig())(_crop(), (0, 0, 0))
    assert (network.seen[1][1] == 0).all()


def test_corrections_start_from_a_spoilt_mask_clicked_where_it_errs() -> None:
    network = _Recorder(0.0)
    config = replace(SINGLE, single=0.0, correction=1.0, rounds=(1.0,))
    ClickRounds(network, config, LossConfig())(_crop(), (0, 0, 0))
    ((maps, previous),) = network.seen
    target = _crop().masks.flatten(0, 1)
    spoilt = previous[:, 0] > 0.5
    assert ((spoilt & target).sum((1, 2)) > 0.3 * target.sum((1, 2))).all()
    clicked = maps.amax(1) == 1
    assert clicked.sum() > 0
    assert (spoilt[clicked] != target[clicked]).all()


def test_boxes_are_shown_as_previous_masks_with_and_without_a_click() -> None:
    network = _Recorder(0.0)
    config = replace(SINGLE, single=0.0, box=1.0, rounds=(1.0,))
    for step in range(4):
        ClickRounds(network, config, LossConfig())(_crop(), (0, step, 0))
    target = _crop().masks.flatten(0, 1)
    clicks = set()
    for maps, previous in network.seen:
        shown = previous[:, 0] > 0.5
        assert ((shown & target).sum((1, 2)) > 0.6 * target.sum((1, 2))).all()
        assert target[maps[:, 0] == 1].all()
        clicks |= set((maps == 1).sum((1, 2, 3)).tolist())
    assert clicks == {0, 1}


def test_moved_masks_are_clicked_inside_the_object_and_themselves() -> None:
    network = _Recorder(0.0)
    config = replace(SINGLE, single=0.0, moved=1.0, rounds=(1.0,))
    ClickRounds(network, config, LossConfig())(_crop(), (0, 0, 0))
    ((maps, previous),) = network.seen
    target = _crop().masks.flatten(0, 1)
    shown = previous[:, 0] > 0.5
    assert (shown != target).any((1, 2)).all()
    clicked = maps[:, 0] == 1
    assert (clicked.sum((1, 2)) == 1).all()
    assert (shown & target)[clicked].all()


def test_several_clicks_at_once_have_the_right_sign() -> None:
    network = _Recorder(0.0)
    config = replace(SINGLE, single=0.0, rounds=(1.0,))
    rounds = ClickRounds(network, config, LossConfig())
    target = _crop().masks.flatten(0, 1)
    counts = set()
    for step in range(6):
        rounds(_crop(), (0, step, 0))
        maps, _ = network.seen[-1]
        assert target[maps[:, 0] == 1].all()
        assert not target[maps[:, 1] == 1].any()
        counts |= set((maps == 1).sum((1, 2, 3)).tolist())
    assert len(counts) > 3


def test_medoid_clicks_follow_the_paper() -> None:
    network = _Recorder(0.0)
    rounds = ClickRounds(network, ClickConfig(strategy="k-medoids"), LossConfig())
    rounds(_crop(), (0, 0, 0))
    ((maps, previous),) = network.seen
    target = _crop().masks.flatten(0, 1)
    assert (previous == 0).all()
    foreground, background = ((maps[:, c] == 1).sum((1, 2)) for c in (0, 1))
    assert ((foreground >= 1) & (foreground <= 10)).all()
    assert (background <= 10).all()
    for shown, mask in zip(maps[:, 1], target, strict=True):
        distance = torch.from_numpy(distance_transform_edt(~mask.numpy()))[shown == 1]
        assert ((distance >= 5) & (distance <= 40)).all()


def test_clicks_are_a_function_of_the_seed() -> None:
    shown = []
    for seed in ((0, 1, 0), (0, 1, 0), (0, 2, 0)):
        network = _Recorder(0.0)
        ClickRounds(network, ClickConfig(), LossConfig())(_crop(), seed)
        shown.append(network.seen[0][0])
    assert torch.equal(shown[0], shown[1])
    assert not torch.equal(shown[0], shown[2])


def test_processes_of_one_step_have_as_many_rounds() -> None:
    for step in range(8):
        lengths = []
        for rank in range(3):
            network = _Recorder(0.0)
            ClickRounds(network, ClickConfig(), LossConfig())(_crop(), (7, step, rank))
            lengths.append(len(network.seen))
        assert len(set(lengths)) == 1


def test_iou_and_loss_are_those_of_the_last_and_of_all_rounds() -> None:
    crop = _crop()
    config = LossConfig(kind="cross-entropy", coarse=0.0, clicks=0.0)
    step = ClickRounds(_Recorder(9.0), replace(SINGLE, rounds=(0.0, 1.0)), config)(crop, (0, 0, 0))
    share = crop.masks.float().mean((2, 3))
    torch.testing.assert_close(step.iou, share.mean())
    expected = (share * nn.functional.softplus(torch.tensor(-9.0))
                + (1 - share) * nn.functional.softplus(torch.tensor(9.0))).mean()  # fmt: skip
    torch.testing.assert_close(step.loss, expected)


@pytest.mark.parametrize("rounds", [1, 2, 6])
def test_the_last_round_is_trained_and_at_most_one_before_it(rounds: int) -> None:
    network = _Recorder(0.0)
    config = replace(SINGLE, rounds=(*(0.0,) * (rounds - 1), 1.0))
    earlier = set()
    for step in range(8):
        network.with_gradient.clear()
        ClickRounds(network, config, LossConfig())(_crop(), (0, step, 0))
        assert len(network.with_gradient) == rounds
        assert network.with_gradient[-1]
        assert sum(network.with_gradient) == min(rounds, 2)
        earlier.add(network.with_gradient.index(True))
    assert (len(earlier) > 1) == (rounds > 2)


def test_without_the_fine_loss_only_the_coarse_output_learns() -> None:
    class TwoOutputs(_Recorder):
        def __init__(self) -> None:
            super().__init__(0.5)
            self.fine = nn.Parameter(torch.tensor(0.5))

        def decode_both(
            self, features: NamedTuple, maps: Tensor, previous: Tensor | None = None
        ) -> tuple[Tensor, Tensor]:
            coarse, _ = super().decode_both(features, maps, previous)
            return coarse, self.fine + 0 * maps[:, :1]

    network = TwoOutputs()
    config = LossConfig(kind="cross-entropy", coarse=1.0, fine=0.0)
    ClickRounds(network, SINGLE, config)(_crop(), (0, 0, 0)).loss.backward()
    assert network.logit.grad is not None
    assert network.fine.grad is None
