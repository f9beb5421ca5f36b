"""The methods paragraph and the citations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from napari_brs import __version__
from napari_brs.clicks import Click
from napari_brs.masks import Box
from napari_brs.methods import bibtex, methods_text
from napari_brs.models import model_info
from napari_brs.session import Session

CITATION = Path(__file__).parents[1] / "CITATION.cff"


def clicked(model="brs-live", counts=(1, 3)):
    session = Session((5, 60, 80), model=model, threshold=0.4)
    for label, count in enumerate(counts, 1):
        clicks = [Click(10 + n, 10 * label, positive=n == 0) for n in range(count)]
        session.set_clicks((label, None, None), clicks)
        session.commit(label)
    return session


def test_the_paragraph_tells_model_parameters_objects_clicks_and_corrections():
    text = methods_text(clicked())
    for part in (
        "2 objects were segmented in 2 planes of an image of 5 × 60 × 80 pixels",
        f"napari-brs {__version__}",
        f"model brs-live (weights SHA-256 {str(model_info('brs-live').sha256)[:16]}…)",
        "probability above 0.4",
        "Clicks: 4 (2 foreground, 2 background), 2.0 an object on average",
        "1 to 3",
        "Of these, 2 corrected a mask; 1 of 2 objects took a single click",
    ):
        assert part in text


def test_boxes_are_counted_and_every_click_after_one_is_a_correction():
    session = clicked(counts=(1, 3))
    session.set_box((3, None, None), Box(4, 4, 20, 20))
    session.commit(3)
    session.set_box((4, None, None), Box(4, 4, 20, 20))
    session.add_click((4, None, None), Click(8, 8))
    text = methods_text(session)
    for part in (
        "4 objects were segmented in 4 planes",
        "foreground and background clicks and boxes with",
        "Boxes: 2. Clicks: 5 (3 foreground, 2 background)",
        "Of these, 3 corrected a mask; 2 of 4 objects took a single click or box",
    ):
        assert part in text


def test_one_object_is_singular():
    assert methods_text(clicked(counts=(1,))).startswith("1 object was segmented")


def test_a_classical_method_is_not_said_to_be_refined():
    assert "backpropagating" not in methods_text(clicked("graph-cut"))
    assert "model file own.pt" in methods_text(clicked("own.pt"))


def test_a_session_without_clicks_has_nothing_to_report():
    with pytest.raises(ValueError, match="no click"):
        methods_text(Session((60, 80)))


def test_the_citations_agree_with_the_citation_file():
    citation = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    paper = citation["references"][0]
    text = bibtex()
    assert re.sub(r"[{}]", "", text).count(paper["title"]) == 1
    assert citation["title"] in text
    assert f"version = {{{citation['version']}}}" in text
    assert f"{paper['start']}--{paper['end']}" in text
    assert all(author["family-names"] in text for author in paper["authors"])
    assert text.count("{") == text.count("}")
