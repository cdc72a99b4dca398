"""Pools of every tier that this machine has; a missing tier skips its tests and says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlar.sandbox import Limits, Pool, TierReport, probe

NATIVE = ("ns", "ll", "sec")
STRONGEST = next((state.tier for state in probe().tiers if state.available), NATIVE[0])
"""Its tests run always, those of the others are slow."""


@pytest.fixture(scope="session")
def tier_report() -> TierReport:
    return probe()


@pytest.fixture(scope="session")
def pools(tier_report: TierReport) -> Iterator[dict[str, Pool]]:
    """One pool per native tier, two workers each; empty where nothing works."""
    made = {
        tier: Pool(tier=tier, workers=2, limits=Limits(seconds=10.0))  # type: ignore[arg-type]
        for tier in NATIVE
        if tier_report.state(tier).available
    }
    yield made
    for pool in made.values():
        pool.close()


@pytest.fixture(params=[pytest.param(tier, marks=pytest.mark.slow if tier != STRONGEST else ()) for tier in NATIVE])
def pool(request: pytest.FixtureRequest, pools: dict[str, Pool], tier_report: TierReport) -> Pool:
    """A pool of each tier in turn: the strongest of this machine in the fast part, the others in the slow one."""
    tier = request.param
    if tier not in pools:
        pytest.skip(f"tier {tier}: {tier_report.state(tier).reason}")
    return pools[tier]


@pytest.fixture
def any_pool(pools: dict[str, Pool], tier_report: TierReport) -> Pool:
    """The strongest tier's pool, for claims that do not depend on the tier."""
    if tier_report.best not in pools:
        pytest.skip("no native tier on this machine")
    return pools[str(tier_report.best)]
