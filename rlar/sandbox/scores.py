"""The score contract: an exact float, int or bool, finite, in the declared range. Everything else is failed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rlar.sandbox.engine import RawScore
from rlar.sandbox.results import Status, VerifierResult


def check_score(raw: RawScore, *, low: float, high: float, seconds: float, tier: str, unsafe: bool) -> VerifierResult:
    """The result of one raw answer; `value` is set exactly when it keeps the contract."""
    kind, answer = raw
    if kind != "value":
        return VerifierResult(None, Status(kind), str(answer), seconds, tier, unsafe)
    problem = why_no_score(answer, low, high)
    if problem:
        return VerifierResult(None, Status.FAILED, problem, seconds, tier, unsafe)
    return VerifierResult(float(answer) + 0.0, Status.PASSED, "", seconds, tier, unsafe)


def check_scores(
    raw: Sequence[RawScore], *, low: float, high: float, seconds: float, tier: str, unsafe: bool
) -> list[VerifierResult]:
    """The results of a batch. Equal scores share one (frozen) result: making it costs more than the verifier's call."""
    made: dict[float, VerifierResult] = {}
    results = []
    for answer in raw:
        number = answer[1]
        score = made.get(number) if type(number) is float else None
        if score is None or answer[0] != "value":
            score = check_score(answer, low=low, high=high, seconds=seconds, tier=tier, unsafe=unsafe)
            if type(number) is float:
                made[number] = score
        results.append(score)
    return results


def why_no_score(value: Any, low: float, high: float) -> str:
    """Why a value is no score in [low, high]; empty where it is one."""
    if type(value) not in (float, int, bool):
        return f"a {type(value).__name__} is not a score"
    if type(value) is float and not math.isfinite(value):
        return f"{value} is not finite"
    if not low <= value <= high:
        return f"{value:.6g} is outside [{low:g}, {high:g}]" if abs(value) < 1e300 else f"outside [{low:g}, {high:g}]"
    return ""
