"""Test suites of a dataset that attack the machine, or the rows that are judged after them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlar.sandbox import Pool, probe
from tests import panel
from tests.panel import HOSTILE, PATIENT, Hostile, World

TIERS = [state.tier for state in probe().tiers if state.available]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("w"))
    yield world
    world.close()


@pytest.fixture(
    scope="module", params=[pytest.param(t, marks=[pytest.mark.slow] if t != TIERS[0] else []) for t in TIERS]
)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with Pool(tier=request.param, workers=1, limits=PATIENT) as pool:
        yield pool


@pytest.mark.parametrize(
    "hostile", [each for each in HOSTILE if each.kind == "suite"], ids=lambda hostile: hostile.name
)
def test_a_hostile_suite_reaches_neither_the_machine_nor_another_row(pool: Pool, world: World, hostile: Hostile):
    assert panel.how_it_won(pool, world, hostile) == []
