from __future__ import annotations

import pytest
import torch

from napari_brs.models import model_info, save_weights
from napari_brs.networks.brs import BRSNetwork
from napari_brs.networks.densenet import Levels
from napari_brs.training.config import ClickConfig, LossConfig, parse_config
from napari_brs.training.crops import Crop
from napari_brs.training.hints import Teacher, hint_loss
from napari_brs.training.rounds import ClickRounds
from napari_brs.training.tasks import make_task


def _levels(value: float) -> Levels:
    return Levels(*(torch.full((2, c, s, s), value) for c, s in ((3, 8), (4, 4), (5, 2), (6, 1))))


def _crop() -> Crop:
    masks = torch.zeros(2, 1, 64, 64, dtype=torch.bool)
    masks[..., 10:50, 20:60] = True
    return Crop(torch.rand(2, 3, 64, 64) * 255, masks, torch.ones(2, 64, 64, dtype=torch.bool))


@pytest.fixture(scope="module")
def networks() -> tuple[BRSNetwork, BRSNetwork]:
    """A VGG-19 to be taught, and the DenseNet-121 that teaches it."""
    torch.manual_seed(0)
    student, teacher = model_info("brs-vgg").build(), model_info("brs-densenet").build()
    assert isinstance(student, BRSNetwork)
    assert isinstance(teacher, BRSNetwork)
    return student, teacher


def test_hint_loss_is_the_mean_over_levels_of_the_mean_square():
    levels = Levels(*(level.clone() for level in _levels(1.0)))
    levels.s8[1] += 2  # 4 on one of four levels, in the second sample
    assert hint_loss(levels, _levels(1.0)).tolist() == [0, 1]


def test_readings_have_the_same_channels_whatever_the_encoders_are(networks):
    x = torch.rand(1, 5, 64, 96)
    for network in networks:
        decoder = network.coarse.eval()
        with torch.no_grad():
            levels = network.encoder.eval()(x)
            logits, readings = decoder(levels)
            again = decoder.read(levels)
        assert tuple(level.shape[1] for level in readings) == (64, 128, 256, 256)
        assert [level.shape[2:] for level in readings] == [level.shape[2:] for level in levels]
        for one, other in zip(readings, again, strict=True):
            torch.testing.assert_close(one, other)
        assert logits.shape == (1, 1, 64, 96)


def test_a_student_that_is_its_teacher_has_nothing_to_learn(networks):
    _, teacher = networks
    wrapped = Teacher(teacher)
    features = teacher.encode(_crop().image)
    coarse, fine, loss = wrapped.decode_both(teacher, features, torch.rand(2, 2, 64, 64))
    assert loss.tolist() == [0, 0]
    assert coarse.shape == fine.shape == (2, 1, 64, 64)


def test_the_teacher_stays_as_it_is_while_its_student_learns(networks):
    student, teacher = networks
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    clicks = ClickConfig(rounds=(1.0,), correction=0.0)
    silent = LossConfig(coarse=0.0, fine=0.0, clicks=0.0)
    rounds = ClickRounds(student, clicks, silent, Teacher(teacher)).train()
    optimizer = torch.optim.SGD([p for p in rounds.parameters() if p.requires_grad], 0.01)
    losses = []
    for _ in range(4):
        # The same crop and clicks: the hints alone are what there is to learn.
        loss = rounds(_crop(), (0, 0, 0)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]
    for name, tensor in teacher.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_hints_count_as_much_as_they_are_configured_to(networks):
    student, teacher = networks
    clicks = ClickConfig(rounds=(1.0,), correction=0.0)
    crop = _crop()
    losses = [
        ClickRounds(student, clicks, LossConfig(hints=weight), Teacher(teacher))
        .eval()(crop, (0, 0, 0)).loss.item()
        for weight in (0.0, 1.0, 3.0)
    ]  # fmt: skip
    alone = ClickRounds(student, clicks, LossConfig()).eval()(crop, (0, 0, 0)).loss.item()
    assert losses[0] == pytest.approx(alone)
    assert losses[2] - losses[0] == pytest.approx(3 * (losses[1] - losses[0]), rel=1e-4)
    assert losses[1] > losses[0]


def test_a_teacher_is_for_brs_networks(tmp_path):
    path = tmp_path / "densenet.safetensors"
    save_weights(model_info("brs-densenet").build(), path, "brs-densenet")
    table = {"model": {"name": "brs-vgg", "teacher": str(path)}}
    student = model_info("brs-vgg").build()
    module = make_task(student, parse_config(table)).module(student)
    assert isinstance(module, ClickRounds)
    assert module.teacher is not None
    live = {"model": {"name": "brs-live", "teacher": str(path)}}
    with pytest.raises(ValueError, match=r"model\.teacher = .*densenet.*brs-live or that file"):
        make_task(model_info("brs-live").build(), parse_config(live))
