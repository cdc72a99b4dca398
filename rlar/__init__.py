"""rlar: rewards you can trust for reinforcement learning on a mix of tasks.

In: rows and completions. Out: a Scorer from `rlar.load("registry.db")`, whose rewards carry their reasons.
Leaves out: importing anything heavy before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlar._version import __version__

if TYPE_CHECKING:
    from rlar.scoring.scorer import RoutedSample, Scorer
    from rlar.scoring.scorer import load as load

__all__ = ["RoutedSample", "Scorer", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("load", "RoutedSample", "Scorer"):
        from rlar.scoring import scorer

        value = globals()[name] = getattr(scorer, name)
        return value
    raise AttributeError(f"module 'rlar' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
