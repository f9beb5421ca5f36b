"""The examples in docstrings run, where they need no weights."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

PACKAGE = Path(__file__).parents[1] / "src/napari_brs"
WITH_EXAMPLES = sorted(
    ".".join(("napari_brs", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in PACKAGE.rglob("*.py")
    if any(
        ">>> " in line and "+SKIP" not in line
        for line in path.read_text(encoding="utf-8").splitlines()
    )
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run(name: str) -> None:
    module = import_module(name)
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted
    assert not result.failed
