"""Stored rollouts under two registries: which rewards changed, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rlar.cli import app
from rlar.errors import DatasetError, RegistryError
from rlar.kinds import LIBRARY
from rlar.registry.registry import Registry, RowRecord
from rlar.scoring.lock_file import make_lock
from rlar.scoring.rescore import rescore
from rlar.tools.library import library_spec
from rlar.types import Calibration
from tests.fakes.scored_rows import ROW, TASK, certificate, row, store

HERE = Path(__file__).parent
HALVED = Calibration(x=(0.0, 1.0), y=(0.0, 0.5))


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(HERE))
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    yield
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    path = tmp_path / "rollouts.jsonl"
    rows = [
        {"id": "r-1", "prompt": "say it", "reference": "it", "completions": ["ok 0.0", "ok 0.8", "abstain"]},
        {"id": "r-2", "prompt": "never seen", "reference": "x", "completion": "ok 1.0"},
        {"id": "r-3", "prompt": "no completion"},
    ]
    path.write_text("".join(json.dumps(item) + "\n" for item in rows))
    return path


def served(path: Path, *, name: str = "fake_inline", calibration: Calibration | None = None, **params: Any) -> str:
    tool = library_spec(name, params)
    calibrations = {tool.id: calibration} if calibration is not None else {}
    return str(store(path, qualities=[(tool, 1.0)], rows=[(ROW, {"mark": 1.0})], calibrations=calibrations))


def reasons(old: str, new: str, rollouts: Path) -> dict[str, int]:
    found = rescore(old, new, rollouts, workers=0).data
    return {reason: count for item in found["tasks"] for reason, count in item["reasons"].items()}


def test_equal_registries_change_nothing(tmp_path: Path, rollouts: Path):
    old, new = served(tmp_path / "old.db"), served(tmp_path / "new.db")
    found = rescore(old, new, rollouts, workers=0)
    assert (found.changed, found.data["completions"], found.data["changed"]) == (False, 4, 0)
    assert found.data["rejected_rows"] == 1
    assert "2 completions have no reward on either side" in found.footing


def test_another_calibration_changes_what_it_moves_and_is_named(tmp_path: Path, rollouts: Path):
    old, new = served(tmp_path / "old.db"), served(tmp_path / "new.db", calibration=HALVED)
    found = rescore(old, new, rollouts, workers=0)
    tool = library_spec("fake_inline").id
    assert found.changed
    # 0.0 stays 0.0, 0.8 becomes 0.4, the abstention and the unknown row stay
    assert found.data["changes"] == [
        {
            "row": "r-1",
            "completion": 2,
            "fingerprint": TASK,
            "old": {"reward": 0.8, "status": "ok"},
            "new": {"reward": 0.4, "status": "ok"},
            "why": [f"calibration changed: {tool}"],
        }
    ]
    (task,) = [item for item in found.data["tasks"] if item["fingerprint"] == TASK]
    assert task["mean_shift"] == pytest.approx(-0.2)  # 0 and -0.4


def test_another_tool_under_the_old_name_another_recipe_and_a_lost_tool_are_told_apart(tmp_path: Path, rollouts: Path):
    old = served(tmp_path / "old.db", calibration=HALVED)
    was = library_spec("fake_inline").id
    then = library_spec("fake_inline", {"version": 2}).id
    assert f"tool changed: {was} -> {then}" in reasons(old, served(tmp_path / "tool.db", version=2), rollouts)
    other = library_spec("fake_thread").id
    assert f"recipe changed: (1 {was}) -> (1 {other})" in reasons(
        old, served(tmp_path / "r.db", name="fake_thread"), rollouts
    )
    lost = served(tmp_path / "lost.db")
    with Registry.open(lost) as registry:
        registry.put_certificate(certificate(library_spec("fake_inline"), admitted=False, at="2026-02-02"))
    (reason,) = reasons(old, lost, rollouts)
    assert reason.startswith("no longer served: fake_inline")


def test_a_tool_that_says_something_else_though_nothing_changed_is_noticed(tmp_path: Path, rollouts: Path):
    old, new = served(tmp_path / "old.db"), served(tmp_path / "new.db")
    other_row = tmp_path / "other.db"
    tool = library_spec("fake_inline")
    store(other_row, qualities=[(tool, 1.0)], rows=[(ROW, {"mark": 0.25})])
    rollouts.write_text(json.dumps({"prompt": "say it", "reference": "it", "completion": "binding"}) + "\n")
    assert reasons(old, new, rollouts) == {}
    assert reasons(old, str(other_row), rollouts) == {f"score of {tool.id}: the same tool says something else now": 1}


def test_a_row_that_is_of_another_task_now_says_so(tmp_path: Path, rollouts: Path):
    old, new = served(tmp_path / "old.db"), served(tmp_path / "new.db")
    seen = row("never seen", "x")
    with Registry.open(new) as registry:
        registry.put_rows([RowRecord(seen.key, seen.prompt_key, TASK, 0.9, {})])
    assert reasons(old, new, rollouts) == {f"task: unknown -> {TASK}": 1}


def test_the_command_compares_a_lock_file_with_its_registry_and_exits_with_one(tmp_path: Path, rollouts: Path):
    path = served(tmp_path / "registry.db")
    with Registry.open(path, readonly=True) as registry:
        make_lock(registry).write(tmp_path / "rlar.lock")
    command = ["tools", "diff", str(tmp_path / "rlar.lock"), path, "--on", str(rollouts)]
    same = CliRunner().invoke(app, command)
    assert (same.exit_code, "no reward of 4 changed" in same.output) == (0, True)
    served(tmp_path / "registry.db", calibration=HALVED)
    changed = CliRunner().invoke(app, [*command, "--json"])
    assert (changed.exit_code, json.loads(changed.output)["changed"]) == (1, 1)
    table = CliRunner().invoke(app, command)
    assert "1 of 4 rewards changed" in table.output
    assert "0.800" in table.output


def test_two_lock_files_need_a_registry_and_a_file_needs_rows(tmp_path: Path, rollouts: Path):
    path = served(tmp_path / "registry.db")
    lock = str(tmp_path / "rlar.lock")
    with Registry.open(path, readonly=True) as registry:
        make_lock(registry).write(lock)
    with pytest.raises(RegistryError, match="name the registry with their rows"):
        rescore(lock, lock, rollouts)
    assert not rescore(lock, lock, rollouts, registry=path, workers=0).changed
    rollouts.write_text('{"prompt": "no completion"}\n')
    with pytest.raises(DatasetError, match=r"rollouts\.jsonl:1: no completion"):
        rescore(path, path, rollouts, workers=0)
