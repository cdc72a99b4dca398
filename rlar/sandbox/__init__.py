"""Runs code that nobody vetted: verifiers, programs, tests. `Pool` is all that most callers need.

In: source text, tests or inputs, and limits. Out: results with a status; nothing is started before the first call.
Leaves out: what a result is worth. What each tier stops and does not stop: docs/sandbox.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlar.sandbox.pool import Pool
    from rlar.sandbox.results import (
        CallResult,
        Limits,
        Opaque,
        RunResult,
        Status,
        TierReport,
        TierState,
        VerifierResult,
    )
    from rlar.sandbox.tiers import probe

_HOME = {
    "Pool": "pool",
    **dict.fromkeys(
        ("CallResult", "Limits", "Opaque", "RunResult", "Status", "TierReport", "TierState", "VerifierResult"),
        "results",
    ),
    "probe": "tiers",
}

__all__ = [
    "CallResult",
    "Limits",
    "Opaque",
    "Pool",
    "RunResult",
    "Status",
    "TierReport",
    "TierState",
    "VerifierResult",
    "probe",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
