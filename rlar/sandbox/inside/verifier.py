"""A verifier's side: one process that scores items, reused for many batches (warm) or used for one item (forked)."""

# ruff: noqa: BLE001

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .frames import MAX_FRAME, MAX_REPLY, read_frame, write_frame
from .program import describe, load, seed_generators

_FLUSH_SECONDS = 0.02
"""A long batch is answered in parts, so that the supervisor's deadline can hold per item."""


def serve(channel: int) -> None:
    """Load the verifier, answer {"ready": true}, then score batch after batch."""
    request = read_frame(channel, MAX_FRAME)
    try:
        seed_generators()
        namespace = load(request["source"], "verifier")
        namespace.setdefault("run_program", _make_run_program(channel))
        function = namespace[request["function"]]
    except BaseException as error:
        text = f"the source defines no {request['function']!r}" if isinstance(error, KeyError) else describe(error)
        write_frame(channel, {"failed": text[:400]})
        return
    write_frame(channel, {"ready": True})
    while True:
        _score_batch(channel, function, read_frame(channel, MAX_FRAME))


def _score_batch(channel: int, function: Callable[..., Any], items: list[Any]) -> None:
    scores: list[Any] = []
    flush_at = time.monotonic() + _FLUSH_SECONDS
    for arguments in items:
        try:
            value = function(*arguments)
            kind = type(value)
            if kind is float:
                # NaN and infinities are no JSON.
                value = value if value - value == 0.0 else [f"{value} is not finite"]
            elif kind is int:
                value = value if -(1 << 53) <= value <= 1 << 53 else ["an integer out of range"]
            elif kind is not bool:
                value = _from_numpy(value, kind)
        except BaseException as error:
            value = [describe(error)]
        scores.append(value)
        if time.monotonic() > flush_at:
            write_frame(channel, scores)
            scores = []
            flush_at = time.monotonic() + _FLUSH_SECONDS
    if scores:
        write_frame(channel, scores)


def _from_numpy(value: Any, kind: type) -> Any:
    """The number in a numpy scalar; for everything else a list with the reason why it is no score."""
    if kind.__module__ == "numpy" and getattr(value, "ndim", None) == 0 and value.dtype.kind in "biuf":
        number = value.item()
        return number if number - number == 0 else [f"{number} is not finite"]
    return [f"a {kind.__name__[:100]} is not a score"]


def _make_run_program(channel: int) -> Callable[..., dict[str, Any]]:
    def run_program(program: str, stdin: str = "") -> dict[str, Any]:
        """Run a program in a process of its own; {"status", "output", "explanation"}. Never `exec` a response."""
        write_frame(channel, {"run": str(program), "stdin": str(stdin)})
        answer: dict[str, Any] = read_frame(channel, MAX_REPLY)
        return answer

    return run_program
