"""A probe: one completion, and what a good tool makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rlar.types import Example, JsonObject, LabelledPair, Sample

Binder = Callable[[Example], JsonObject]
"""A row -> what its tools are handed beside prompt and references."""

Expectation = Literal["high", "low", "below", "same"]
Check = Literal["oracle", "floor", "discrimination", "invariance", "hack_panel", "faults", "baseline", "labelled"]


@dataclass(frozen=True)
class Probe:
    """One completion, what is tried with it, and what a good tool makes of it."""

    check: Check
    kind: str
    sample: Sample
    expectation: Expectation
    """high, low; below or same: compared with the probe `anchor` of the same row."""
    example_id: str
    row: int
    anchor: str = "plain"
    """Kind of the probe that it is compared with (baseline: its ladder, whose probes stand from good to bad)."""
    may_loop: bool = False
    """May run into the tool's time limit: tried once, neither timed nor repeated."""
    may_abstain: bool = False
    """Asks what a good tool may not be able to read: no number is as good as a low one."""


@dataclass(frozen=True)
class ProbeSet:
    """The probes of one task for one budget, and what could not be tried."""

    probes: tuple[Probe, ...]
    rows: int
    """Distinct rows that gave probes."""
    notes: tuple[str, ...]
    labelled: tuple[LabelledPair, ...] = ()
    """The user's pairs among its evidence."""
    looked_at: int = 0
    """Rows that were asked for material; those that gave none are set aside."""
    keys: tuple[str, ...] = ()
    """Example.key of each row of the task that gave probes, by row."""
    independent: frozenset[int] = frozenset()
    """Rows whose right answer is their own reference, or one that somebody proposed: not made by the reading on trial."""

    def of(self, check: Check) -> list[int]:
        """Indices of the probes of one check."""
        return [index for index, probe in enumerate(self.probes) if probe.check == check]
