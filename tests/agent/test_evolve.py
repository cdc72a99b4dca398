"""What training hands to the agent: rows of no task it knows, and tools it doubts."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlar.agent.build import build_tools
from rlar.agent.evolve import make_evolver
from rlar.config import BuildConfig
from rlar.registry.registry import Registry
from rlar.types import Example, Message
from tests.agent.test_build import small_mix, write_rows

ROWS = small_mix()
LETTERS = [row for row in ROWS if "equal" in row["prompt"]]


@pytest.fixture
def registry(tmp_path: Path) -> str:
    """One that knows the rows with option letters, and nothing else."""
    path = str(tmp_path / "registry.db")
    dataset = write_rows(tmp_path / "letters.jsonl", LETTERS)
    build_tools(BuildConfig(dataset=(dataset,), registry=path, report=None))
    return path


def test_unknown_rows_are_built_tools_for_and_doubted_tools_tried_again(registry: str):
    evolve = make_evolver(registry)
    with Registry.open(registry, readonly=True) as before:
        known = {task.fingerprint for task in before.tasks()}
        tool = next(iter(before.tools()))
    assert evolve([], {}) is False

    numbers = [row for row in ROWS if "boxes" in row["prompt"]]
    examples = [
        Example(
            id=str(n), prompt=(Message(role="user", content=row["prompt"]),), reference=row["reference"],
            references=(row["reference"],),
        )
        for n, row in enumerate(numbers)
    ]  # fmt: skip
    assert evolve(examples, {}) is True
    with Registry.open(registry, readonly=True) as after:
        assert {task.fingerprint for task in after.tasks()} > known
        assert after.events(what="doubted") == []

    assert evolve([], {tool.id: "its scores have drifted"}) is True
    with Registry.open(registry, readonly=True) as after:
        (event,) = after.events(what="doubted")
    assert (event.subject, event.who, event.details) == (tool.id, "rlar train", {"why": "its scores have drifted"})
