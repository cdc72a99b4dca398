"""A registry whose tools were certified with the code of an earlier release: nothing is lost, and what to do is said."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.agent import sources
from rlar.agent.build import build_tools
from rlar.agent.progress import BuildProgress
from rlar.config import BuildConfig
from rlar.gate.retest import retest
from rlar.kinds import LIBRARY, is_shipped
from rlar.registry.registry import Registry
from rlar.report.table import list_tools
from rlar.scoring.scorer import Scorer
from rlar.tool import Resources
from rlar.tools.generated import Running, generated_spec
from rlar.tools.library import library_spec
from rlar.tools.load import load_tool
from rlar.tools.outdated import renewed, what_is_outdated
from rlar.types import JsonObject, ToolKind, ToolSpec
from tests.agent.test_build import small_mix, write_rows

ADVICE = "tools were certified with other code: run `rlar agent build-tools` on their rows or `rlar tools test --store`"


def earlier_spec(name: str, _params: JsonObject | None = None) -> ToolSpec:
    """A library tool as the first release wrote it."""
    source = f"{'.'.join(('rlar', 'tools', 'library', name))}:{LIBRARY[name].split(':')[1]}"
    return ToolSpec(kind=ToolKind.LIBRARY, name=name, source=source, code_hash="0" * 16, provenance={"library": "rlar"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("older")
    mix = write_rows(path / "mix.jsonl", small_mix())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "library_spec", earlier_spec)
        build_tools(BuildConfig(dataset=(mix,), registry=str(path / "registry.db"), report=None))
    return path


@pytest.fixture
def older(folder: Path, tmp_path: Path) -> Iterator[str]:
    shutil.copyfile(folder / "registry.db", tmp_path / "registry.db")
    yield str(tmp_path / "registry.db")


def usable(address: str) -> list[bool]:
    """For every recipe, whether it gives rewards here."""
    with Registry.open(address, readonly=True) as registry, Scorer(registry, workers=0) as scorer:
        return [scorer.standing(recipe.fingerprint).recipe is not None for recipe in registry.recipes()]


def test_the_spelling_of_the_first_release_still_loads():
    assert is_shipped(earlier_spec("number")) and load_tool(earlier_spec("number"), Resources()).spec.name == "number"
    assert renewed(earlier_spec("number")) == library_spec("number")


def test_one_line_says_what_is_to_be_certified_again(older: str):
    assert any(line.endswith(ADVICE) for line in list_tools(older).footing)
    with Registry.open(older, readonly=True) as registry:
        assert (
            what_is_outdated([*registry.served_tools(), library_spec("number")])
            == f"{len(registry.served_tools())} {ADVICE}"
        )
        assert what_is_outdated([library_spec("number")]) == ""


@pytest.mark.slow
def test_a_test_that_stores_certifies_them_again_and_loses_nothing(older: str):
    with Registry.open(older, readonly=True) as registry:
        before = {spec.id: spec.name for spec in registry.served_tools()}
        recipes = registry.recipes()
        certificates = registry.certificates()
        digest = registry.content_digest()
    assert usable(older) == [False] * len(recipes)
    told = retest(older)
    assert len(told.data) == len([each for each in certificates if each.admitted])
    assert not told.changed and f"{len(told.data)} had been certified with other code: --store keeps" in told.footing[0]
    with Registry.open(older, readonly=True) as registry:
        assert registry.content_digest() == digest
    told = retest(older, store=True)
    assert not told.changed and all(entry["admitted"] for entry in told.data)
    assert usable(older) == [True] * len(recipes)
    with Registry.open(older, readonly=True) as registry:
        assert sorted(spec.name for spec in registry.served_tools()) == sorted(before.values())
        assert registry.served_tools() == sorted(map(renewed, registry.served_tools()), key=lambda spec: spec.id)
        assert all(registry.served(recipe.fingerprint) for recipe in recipes)
        assert registry.certificates()[: len(certificates)] == certificates
        for recipe in recipes:
            assert registry.recipe(recipe.fingerprint, recipe.version) == recipe
            assert set(before) >= set(recipe.calibrations)
            assert not set(before) & set(registry.recipe(recipe.fingerprint).calibrations)
    assert list_tools(older).footing == []


@pytest.mark.slow
def test_a_build_says_it_and_certifies_again(older: str, folder: Path):
    stream = io.StringIO()
    with BuildProgress(stream, live=False) as progress:
        build_tools(BuildConfig(dataset=(str(folder / "mix.jsonl"),), registry=older, report=None), on_event=progress)
    assert stream.getvalue().count(ADVICE) == 1
    with Registry.open(older, readonly=True) as registry:
        assert what_is_outdated(registry.served_tools()) == ""
        assert {spec.source for spec in registry.served_tools()} == {
            f"library:{spec.name}" for spec in registry.served_tools()
        }


def test_a_verifier_that_an_llm_wrote_is_tried_again_as_it_is():
    source = "def compute(prompt, response, reference, binding):\n    return 1.0\n"
    now = generated_spec("one", source, Running(), {"model": "m"})
    then = ToolSpec(**{**now.model_dump(), "code_hash": "0" * 16})
    assert renewed(then) == now and renewed(now) is now
    judge = ToolSpec(kind=ToolKind.JUDGE, name="j", source="http://x#m")
    assert renewed(judge) is judge
