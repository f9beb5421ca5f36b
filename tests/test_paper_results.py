"""The page of results, and the ablations it tells of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from napari_brs import Click
from napari_brs.brs.segmenter import BRSSegmenter
from napari_brs.evaluation.ablation import CoarseOnly, open_coarse
from napari_brs.evaluation.protocol import RobotSettings
from napari_brs.evaluation.report import describe_model
from napari_brs.evaluation.run import to_json
from napari_brs.evaluation.summary import summarise
from napari_brs.models import model_info, save_weights
from napari_brs.networks.base import InteractiveNetwork
from paper.published import TABLE_1, TABLE_2
from paper.results import load_results, main, markdown
from paper.results_figures import FILES

DOCS = Path(__file__).parents[1] / "docs"


def result(model: str, pack: str, iou: float, **others: Any) -> dict[str, Any]:
    """Two objects of one image that reach an IoU with their second click."""
    objects = [
        {"image": "a", "object": number, "iou": [0.5, iou], "obeyed": [1.0, 1.0]}
        | {"obeyed_before": [1.0, 0.5], "seconds": [0.2, 0.1], "evaluations": [0, 3]}
        | {"clicks": [[1, 1, True], [2, 2, False]]}
        for number in (1, 2)
    ]
    about = {"model": model, "weights_sha256": "0", "device": "cpu", "pack": pack, "every": 1}
    about |= {"images": 1, **vars(RobotSettings())}
    return {**about, **others, **summarise(objects, 20), "objects": objects}


def keep(docs: Path, name: str, content: dict[str, Any]) -> None:
    (docs / "results").mkdir(exist_ok=True)
    (docs / "results" / f"{name}.json").write_text(to_json(content), encoding="utf-8")


# the page


def test_the_page_in_the_repository_is_what_its_results_give() -> None:
    results = load_results(DOCS / "results")
    assert set(results) >= {"grabcut_test", "natural_val", "micro_val"}
    written = (DOCS / "results.md").read_text(encoding="utf-8")
    assert written == markdown(results, [f"results/{name}" for name in FILES])
    assert all((DOCS / "results" / name).is_file() for name in FILES)


def test_one_command_writes_page_and_figures_and_twice_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    keep(tmp_path, "b", result("grow-cut", "grabcut_test", 0.84, weights_sha256=None))
    keep(tmp_path, "a", result("brs-live", "grabcut_test", 0.92))
    keep(tmp_path, "c", result("mine.safetensors", "my_cells", 0.92, every=4, jitter=True))
    (tmp_path / "results" / "other.json").write_text('{"task": "cells", "rows": []}')
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("\n") == 4
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    ours = "| brs-live | 2 in 1 images | 2.00 (0) / 2.00 (0) / 2.00 (0) | 0.500, 0.920, "
    assert ours in page
    rival = "| grow-cut | 2 in 1 images | 2.00 (0) / 20.00 (2) / 20.00 (2) | 0.500, 0.840, "
    assert page.index(ours) < page.index(rival) < page.index("| BRS-DenseNet | 2.60 / 3.60 |")
    assert "100.0 % (75.0 %) | 0.15 (cpu) |" in page
    assert "trained on other data" in page
    assert "## my_cells" in page
    assert "| mine.safetensors, jittered clicks | 2 in 1 images, each 4th image |" in page
    first = [(tmp_path / "results" / name).read_bytes() for name in FILES]
    assert all(picture.startswith(b"<?xml") for picture in first)
    assert b"brs-live [" in first[0]
    assert b"grow-cut" not in first[1]  # what obeys by construction is not drawn
    main([str(tmp_path)])
    assert [(tmp_path / "results" / name).read_bytes() for name in FILES] == first


def test_ablations_stand_beside_those_of_the_paper(tmp_path: Path) -> None:
    keep(tmp_path, "all", result("brs-live", "grabcut_test", 0.92))
    keep(tmp_path, "plain", result("brs-live", "grabcut_test", 0.87, refine=False))
    keep(tmp_path, "coarse", result("brs-live", "grabcut_test", 0.8, coarse=True))
    keep(tmp_path, "old", result("brs-live", "grabcut_test", 0.1, coarse=True, weights_sha256="1"))
    page = markdown(load_results(tmp_path / "results"))
    assert "| everything | 2.00 / 2.00 | 2.60 / 3.60 |" in page
    assert "| without refinement | 2.00 / 20.00 | 4.12 / 6.12 |" in page
    assert "| without fine decoder | 20.00 / 20.00 | 6.60 / 10.28 |" in page
    assert "| without fine decoder and refinement |" not in page


def test_models_that_saw_different_objects_are_compared_on_those_they_share(tmp_path: Path) -> None:
    whole = result("brs-live", "my_cells", 0.92)
    part = result("grow-cut", "my_cells", 0.92)
    whole["objects"][1]["iou"] = [0.1, 0.2]
    whole |= summarise(whole["objects"], 20)
    part["objects"] = part["objects"][:1]
    keep(tmp_path, "whole", whole)
    page = markdown(load_results(tmp_path / "results"))
    assert "all of them" not in page
    keep(tmp_path, "part", part)
    page = markdown(load_results(tmp_path / "results"))
    before, after = page.split("On the 1 objects that all of them were shown:")
    assert "| brs-live | 2 in 1 images | 11.00 (1) / 11.00 (1) / 11.00 (1) |" in before
    assert "| brs-live | 1 | 2.00 (0) / 2.00 (0) / 2.00 (0) |" in after


def test_a_folder_without_results_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert f"no result of napari-brs evaluate in {tmp_path / 'results'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("others", "name"),
    [
        ({}, "brs-live"),
        ({"refine": False}, "brs-live without refinement"),
        ({"coarse": True}, "brs-live without fine decoder"),
        ({"coarse": True, "refine": False}, "brs-live without fine decoder and refinement"),
    ],
)
def test_what_was_left_out_is_said(others: dict[str, Any], name: str) -> None:
    assert describe_model(result("brs-live", "p", 0.9, **others)) == name


def test_the_papers_ablation_ends_where_its_table_of_rivals_begins() -> None:
    assert TABLE_2[False, True][1:3] == TABLE_1[0][1:3]
    assert all(row.noc85 is None or row.noc85 < row.noc90 for row in TABLE_1 if row.noc90)


# networks without their fine decoder


class Grey(NamedTuple):
    grey: torch.Tensor


class TwoDecoders(InteractiveNetwork):
    """Coarse: bright is foreground, or what a click says. Fine: the opposite."""

    uses_previous = True

    def encode(self, image: torch.Tensor) -> Grey:
        return Grey(image.mean(1, keepdim=True) / 255)

    def decode_both(self, features: Any, maps: Any, previous: Any = None) -> Any:
        coarse = 8 * (features.grey - 0.5) + 10 * (maps[:, :1] - maps[:, 1:])
        return coarse, -coarse


def test_the_coarse_decoder_alone_decides_and_is_refined() -> None:
    image = np.full((30, 40), 20, np.uint8)
    image[10:20, 10:20] = 230
    segmenter = BRSSegmenter(CoarseOnly(TwoDecoders()), "cpu")
    assert segmenter.network.uses_previous
    segmenter.set_image(image)
    clicks = [Click(15, 15), Click(15, 16, positive=False)]
    plain = segmenter.predict(clicks, refine=False)
    fine = BRSSegmenter(TwoDecoders(), "cpu")
    fine.set_image(image)
    np.testing.assert_allclose(
        plain.probability, 1 - fine.predict(clicks, refine=False).probability, atol=1e-4
    )
    assert not all(plain.clicks_obeyed)
    assert all(segmenter.predict(clicks).clicks_obeyed)


def test_only_networks_have_a_coarse_decoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = save_weights(model_info("brs-live").build(), tmp_path / "w.safetensors", "brs-live")
    segmenter = open_coarse(path, "cpu")
    segmenter.set_image(np.zeros((20, 30), np.uint8))
    assert segmenter.predict([Click(5, 5)], refine=False).mask.shape == (20, 30)
    with pytest.raises(ValueError, match="grow-cut is no network"):
        open_coarse("grow-cut")
    unet = save_weights(model_info("unet-cells").build(), tmp_path / "u.safetensors", "unet-cells")
    with pytest.raises(ValueError, match="has no coarse decoder"):
        open_coarse(unet)
