"""Every program of tests/hostile on every tier: held, and the next calls judged as usual.

The strongest tier runs always, the others under the marker `slow`, as do programs that run into a limit. The hostile suites: tests/attacks.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.sandbox import Pool, probe
from tests import panel
from tests.panel import HOSTILE, PATIENT, TESTS, Hostile, World

ACTS_WITHOUT_A_JAIL = [
    "h01_etc_passwd",
    "h02_secret_file",
    "h18_other_processes",
    "h23_module_from_outside",
    "h25_unix_datagrams",
    "h26_descriptor_passing",
    "h28_clone3",
    "h31_other_families",
    "h32_handles_of_processes",
    "h34_files_by_handle",
    "k10_process_groups",
]
EXHAUSTING = {"memory", "output", "processes", "resource", "survive", "time"}
"""Classes of which a program runs until a limit stops it."""
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
        assert pool.run_tests(panel.GOOD, TESTS, "blend").passed
        yield pool


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(each, id=each.name, marks=pytest.mark.slow if each.group in EXHAUSTING else ())
        for each in HOSTILE
        if each.kind != "suite"
    ],
)
def test_a_hostile_program_gets_nothing(pool: Pool, world: World, hostile: Hostile):
    assert panel.how_it_won(pool, world, hostile) == []


def test_nothing_lives_on_after_the_panel(pool: Pool, world: World):
    time.sleep(0.5)  # a daemon that got away would write meanwhile
    assert world.damage() == []


def test_the_table_of_the_docs_is_what_the_panel_proves():
    sizes = Counter(hostile.group for hostile in HOSTILE)
    assert panel.read_table() == panel.table(HOSTILE, {tier: sizes for tier in ("ns", "ll", "sec")})


def test_every_class_has_programs_and_a_sentence():
    assert len(HOSTILE) >= 140
    assert {hostile.group for hostile in HOSTILE} == set(panel.CLASSES)
    assert {hostile.kind for hostile in HOSTILE} == {"program", "stdio", "verifier", "suite"}


def find(name: str) -> Hostile:
    return next(hostile for hostile in HOSTILE if hostile.name == name)


@pytest.mark.parametrize("name", ["f05_equal_to_everything", "f06_int_subclass"])
def test_the_panel_bites_where_program_and_tests_share_an_interpreter(name):
    """Without the split the forgers win, in a perfect jail; that is what `forgeable` warns of."""
    with Pool(workers=1) as pool:
        result = pool.run_tests(find(name).source, TESTS, "blend", mode="same", limits=PATIENT)
    assert result.passed and result.forgeable


@pytest.mark.skipif(not Path("/etc/passwd").exists(), reason="no /etc/passwd on this machine")
def test_the_panel_bites_where_nothing_isolates(tmp_path: Path):
    """The same programs succeed in their acts without a jail, so the tests above test something."""
    world = World(tmp_path)
    with Pool(tier="unsafe", accept_unsafe=True, workers=1, limits=PATIENT) as pool:
        for name in ACTS_WITHOUT_A_JAIL:
            result = pool.run_tests(world.fill(find(name).source), TESTS, "blend")
            assert result.passed and result.unsafe, (name, result)
    world.close()
