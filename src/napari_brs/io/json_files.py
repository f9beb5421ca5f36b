"""JSON files of unknown origin."""

from __future__ import annotations

import json
import os
from typing import Any

LARGEST = 256 * 2**20
"""Bytes; results of ten thousand objects have a tenth."""


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file.

    Raises
    ------
    ValueError
        If it is no JSON that can be held. The message names the file.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST // 2**20} MiB, which are allowed")
    try:
        return parse_json(content.decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from None


def parse_json(text: str) -> Any:
    """What a text says in JSON; a ValueError if it says nothing or too much."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        # Of a number with thousands of digits Python tells how to allow it.
        raise ValueError(str(error).partition(";")[0]) from None
