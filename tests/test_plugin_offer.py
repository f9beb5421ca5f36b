"""Which models are offered in the dock."""

from __future__ import annotations

import pytest

pytest.importorskip("napari")

import napari_brs.models
from napari_brs.models import list_models
from napari_brs.plugin.offer import FIRST, MORE, Offer


@pytest.fixture
def all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(napari_brs.models.ModelInfo, "available", True)


def values(offer: Offer, chosen: str) -> list[str]:
    return [value for _, value in offer.models(chosen)]


@pytest.mark.usefixtures("all_there")
def test_at_first_only_what_most_people_want_is_offered_and_a_way_to_the_rest() -> None:
    assert values(Offer(), "brs-live") == [*FIRST, MORE]


@pytest.mark.usefixtures("all_there")
def test_when_asked_for_all_methods_are_offered() -> None:
    offer = Offer()
    offer.all_methods = True
    assert values(offer, "brs-live") == [info.name for info in list_models()]


@pytest.mark.usefixtures("all_there")
def test_the_chosen_model_is_offered_whatever_it_is() -> None:
    assert values(Offer(), "graph-cut") == [*FIRST, "graph-cut", MORE]


@pytest.mark.usefixtures("all_there")
def test_opened_files_are_offered_by_name_until_they_fail() -> None:
    offer = Offer()
    offer.trust("/models/cells.pt")
    offer.trust("/models/cells.pt")
    assert offer.models("brs-live")[2] == ("cells.pt", "/models/cells.pt")
    assert not offer.problems("/models/cells.pt", "auto")
    offer.forget("/models/cells.pt")
    assert values(offer, "brs-live") == [*FIRST, MORE]
    assert set(offer.problems("/models/cells.pt", "auto")) == {"model"}


def test_models_without_weights_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    there = property(lambda info: info.name not in ("saliency", "unet-cells"))
    monkeypatch.setattr(napari_brs.models.ModelInfo, "available", there)
    offer = Offer()
    assert values(offer, "brs-live") == ["brs-live", MORE]
    offer.all_methods = True
    assert {"brs-live", "graph-cut"} <= set(values(offer, "brs-live"))
    assert "saliency" not in values(offer, "brs-live")


def test_where_no_model_has_weights_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(napari_brs.models.ModelInfo, "available", False)
    offer = Offer()
    offer.all_methods = True
    assert values(offer, offer.default()) == [info.name for info in list_models()]


def test_a_device_that_failed_is_a_problem_while_it_is_chosen() -> None:
    offer = Offer()
    offer.bad_devices["cuda"] = "no device 'cuda' here"
    assert offer.problems("graph-cut", "cuda") == {"device": "no device 'cuda' here"}
    assert not offer.problems("graph-cut", "cpu")
