"""Reads JSON and TOML that may come from somebody else: bounded, and whatever is wrong with it is a ValueError."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

LONGEST_FILE = 64 * 2**20
"""Bytes of a JSON file that is read whole."""
LONGEST_TOML = 2**20
DEEPEST = 100
"""Levels of nesting in a row, or in a file that is read whole: whoever walks over the value needs no guard of its own."""


def read_json(path: Path) -> Any:
    """The JSON value in a file. Raises OSError, and ValueError for one that is too long, too deep or no JSON."""
    value = parse_json(_read(path, LONGEST_FILE))
    if too_deep(value):
        raise ValueError("nested too deeply")
    return value


def too_deep(value: Any, left: int = DEEPEST) -> bool:
    """Is a JSON value nested in more than so many lists and objects?"""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return False
    return left == 0 or any(too_deep(item, left - 1) for item in value)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises OSError, and ValueError for one that is too long, too deep or no TOML."""
    try:
        return tomllib.loads(_read(path, LONGEST_TOML).decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_json(text: str | bytes) -> Any:
    """The JSON value in a text. Raises ValueError, also for one that is nested too deeply."""
    try:
        return json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def no_constant(name: str) -> Any:
    """For `parse_constant` of json: NaN and the infinities, which JSON does not know, are a ValueError."""
    raise ValueError(f"{name} is not JSON")


def _whole(digits: str) -> int | float:
    """No integer is larger than every float, so that none raises where it is computed with."""
    return int(digits) if len(digits) < 300 else math.inf


def _read(path: Path, longest: int) -> bytes:
    with path.open("rb") as stream:
        body = stream.read(longest + 1)
    if len(body) > longest:
        raise ValueError(f"longer than {longest:,} bytes")
    return body
