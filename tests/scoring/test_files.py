"""What `rlar score` ends with: a line, or an error when tools that broke left nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rlar.cli import app
from rlar.kinds import LIBRARY
from tests.fakes import serving_rows

PROMPT = "Do as the completion says."


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Path]:
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    yield serving_rows.make_registry(tmp_path / "registry.db", fake="fake_inline")
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)


def score(registry: Path, *completions: str, prompt: str = PROMPT) -> tuple[int, str, list[str]]:
    """Exit status, what was told, and the statuses that were written."""
    source = registry.with_name("rows.jsonl")
    source.write_text("".join(json.dumps({"prompt": prompt, "reference": "x", "completion": text}) + "\n" for text in completions))  # fmt: skip
    target = registry.with_name("scored.jsonl")
    done = CliRunner().invoke(app, ["score", "-r", str(registry), "-i", str(source), "-o", str(target)])
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    return done.exit_code, done.stderr, [reward["status"] for row in rows for reward in row["rewards"]]


@pytest.mark.parametrize("completions", [["fail", "raise"], ["fail", "abstain"], ["raise"]])
def test_nothing_but_broken_tools_is_an_error_in_one_line_and_the_output_stays(registry: Path, completions: list[str]):
    code, told, statuses = score(registry, *completions)
    assert (code, len(statuses)) == (1, len(completions))
    assert told.count("\n") == 1 and told.startswith("error: ") and "no completion got a reward" in told
    assert "fake_inline" in told and ("said so" in told or "ValueError" in told)


@pytest.mark.parametrize(
    ("completions", "prompt"),
    [(["fail", "ok 0.0"], PROMPT), (["abstain", "abstain"], PROMPT), (["fail"], "Nobody has seen this row.")],
    ids=["one scored", "only abstentions", "unknown"],
)
def test_any_reward_or_no_broken_tool_is_no_error(registry: Path, completions: list[str], prompt: str):
    code, told, statuses = score(registry, *completions, prompt=prompt)
    assert (code, len(statuses)) == (0, len(completions)), told
