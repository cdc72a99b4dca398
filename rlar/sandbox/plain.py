"""Values of a jailed program on the trusted side: decoded without running anything that a program could slow down.

The codec of the jail also rebuilds decimals, dates and arrays; here they stay text, because comparing a decimal with
a fraction can take hours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rlar.sandbox.inside.codec import CodecError, Encoded, encode
from rlar.sandbox.results import Opaque

_MAX_DEPTH = 200
_MAX_COLLISIONS = 32
"""Items of a set or dict with one hash: a program can choose integers that make building one quadratic."""


def encode_arguments(values: Sequence[Any]) -> Encoded:
    """Arguments of a call. ValueError where one is not plain data."""
    try:
        return encode(list(values))
    except CodecError as error:
        raise ValueError(f"arguments must be plain data: {error}") from None


def decode_value(data: Encoded, depth: int = 0) -> Any:
    """A value of exact builtin types. ValueError for what the codec cannot have written, or what is too large."""
    if type(data) is not list:
        if data is None or type(data) in (bool, int, float, str):
            return data
        raise ValueError("no encoded value")
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    try:
        return _decode_tagged(data, depth + 1)
    except (TypeError, IndexError, KeyError, OverflowError):
        raise ValueError("no encoded value") from None


def _decode_tagged(data: list[Any], depth: int) -> Any:
    tag = data[0]
    if tag in ("l", "t"):
        items = [decode_value(item, depth) for item in data[1]]
        return items if tag == "l" else tuple(items)
    if tag in ("s", "f"):
        members = [decode_value(item, depth) for item in data[1]]
        _check_collisions(members)
        return set(members) if tag == "s" else frozenset(members)
    if tag == "d":
        pairs = [(decode_value(key, depth), decode_value(value, depth)) for key, value in data[1]]
        _check_collisions([key for key, _ in pairs])
        return dict(pairs)
    if tag == "n":
        return int(data[1], 16)
    if tag == "x":
        return {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}[data[1]]
    if tag == "u":
        return bytes.fromhex(data[1]).decode("utf-8", "surrogatepass")
    if tag == "b":
        return bytes.fromhex(data[1])
    if tag == "c":
        return complex(data[1], data[2])
    if tag == "h":
        raise ValueError("an object of the program's own class")
    if type(tag) is not str:
        raise ValueError("no encoded value")
    return Opaque(tag, json.dumps(data[1:], sort_keys=True))


def _check_collisions(items: list[Any]) -> None:
    hashes = sorted(map(hash, items))
    if any(first == later for first, later in zip(hashes, hashes[_MAX_COLLISIONS:], strict=False)):
        raise ValueError(f"a set or dict with more than {_MAX_COLLISIONS} equal hashes")
