"""A tool is quarantined when it is broken, never because of a row, a completion or a policy that breaks it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.kinds import LIBRARY
from rlar.sandbox.compare import same_output
from rlar.scoring import runner as runs
from rlar.tools.library import library_spec
from rlar.types import Sample, Score, ToolSpec

AFTER = 4


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToolSpec:
    monkeypatch.setitem(LIBRARY, "breakable", "tests.fakes.breakable_tool:Breakable")
    return library_spec("breakable", {"log": str(tmp_path / "log"), "switch": str(tmp_path / "switch")})


@pytest.fixture
def runner() -> Iterator[runs.Runner]:
    made = runs.Runner(None, workers=0, plugins=(), deadline_seconds=10, quarantine_after=AFTER)
    yield made
    made.close()


def scored(runner: runs.Runner, tool: ToolSpec, samples: list[Sample]) -> list[Score]:
    """The scores, once the trials that they caused are over too."""
    (scores,) = runner.run([(tool, samples)])
    until = time.monotonic() + 10
    while any(suspicion.is_tried for suspicion in list(runner.breaker._suspicions.values())):
        assert time.monotonic() < until, "the trial never ends"
        threading.Event().wait(0.005)
    return scores


def rows(count: int, completion: str, reference: str = "4") -> list[Sample]:
    """As many rows, each with a completion of its own."""
    return [
        Sample(prompt=f"row {number}", completion=f"{completion} {number}", reference=reference)
        for number in range(count)
    ]


def still_works(runner: runs.Runner, tool: ToolSpec) -> bool:
    (score,) = scored(runner, tool, [Sample(prompt="another row", completion="4", reference="4")])
    return score.value == 1.0 and runner.breaker.quarantined == {}


@pytest.mark.parametrize("how", ["crash", "hang"])
def test_all_the_completions_of_one_row_quarantine_nothing(runner: runs.Runner, tool: ToolSpec, how: str):
    group = [Sample(prompt="one row", completion=f"{how} {number}", reference="4") for number in range(10 * AFTER)]
    assert {score.value for score in scored(runner, tool, group)} == {None}
    assert still_works(runner, tool)


def test_one_completion_on_every_row_quarantines_nothing(runner: runs.Runner, tool: ToolSpec):
    samples = [Sample(prompt=f"row {number}", completion="crash", reference="4") for number in range(10 * AFTER)]
    scored(runner, tool, samples)
    assert still_works(runner, tool)


def test_a_row_that_no_completion_survives_quarantines_nothing(runner: runs.Runner, tool: ToolSpec):
    poison = [Sample(prompt="p", completion=f"answer {number}", reference="poison") for number in range(10 * AFTER)]
    scored(runner, tool, poison)
    assert still_works(runner, tool)


@pytest.mark.parametrize("how", ["crash", "hang"])
def test_a_policy_that_breaks_the_tool_on_every_row_quarantines_nothing(
    runner: runs.Runner, tool: ToolSpec, how: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        scores = scored(runner, tool, rows(10 * AFTER, how))
    assert {score.value for score in scores} == {None}
    assert still_works(runner, tool)
    assert "works on others; it stays" in caplog.text


def test_poisonous_rows_quarantine_nothing_where_the_tool_has_worked(runner: runs.Runner, tool: ToolSpec):
    assert still_works(runner, tool)
    scored(runner, tool, rows(10 * AFTER, "answer", reference="poison"))
    assert still_works(runner, tool)


def test_a_broken_tool_is_quarantined_after_different_rows_and_completions(runner: runs.Runner, tool: ToolSpec):
    assert still_works(runner, tool)
    Path(str(tool.params["switch"])).touch()
    scored(runner, tool, rows(AFTER - 1, "answer"))
    assert runner.breaker.quarantined == {}  # not enough of them
    scored(runner, tool, rows(AFTER, "another answer"))
    assert f"{AFTER} different rows and completions" in runner.breaker.quarantined[tool.id]
    Path(str(tool.params["log"])).unlink()
    (score,) = scored(runner, tool, [Sample(prompt="another row", completion="4", reference="4")])
    assert score.status == "failed" and not Path(str(tool.params["log"])).exists()


def test_trials_are_few_however_many_completions_fail(runner: runs.Runner, tool: ToolSpec):
    scored(runner, tool, rows(10 * AFTER, "crash"))
    asked = Path(str(tool.params["log"])).read_text().splitlines()
    trials = [line for line in asked if "crash" not in line]
    # Each trial asks for at most TRIAL_ROWS rows, and follows at least AFTER further failures.
    assert 0 < len(trials) <= 10 * runs.TRIAL_ROWS


def test_a_tool_that_was_out_and_works_again_is_not_put_out_by_one_bad_completion(tool: ToolSpec):
    breaker = runs.Breaker(AFTER, retry_seconds=0.05)
    failure, success = Score(value=None, status="failed", error="down"), Score(value=1.0)
    trials = [breaker.count(tool.id, sample, failure) for sample in rows(AFTER, "answer")]
    assert [len(trial) for trial in trials] == [0] * (AFTER - 1) + [runs.TRIAL_ROWS]
    breaker.decide(tool.id, [failure] * runs.TRIAL_ROWS)
    assert breaker.stopped(tool.id)
    time.sleep(0.06)
    assert breaker.stopped(tool.id) is None
    (trial,) = [breaker.count(tool.id, rows(1, "crash")[0], failure)]
    assert trial and trial[0].completion == "4"  # the reference: no policy wrote it
    breaker.decide(tool.id, [success])
    assert breaker.stopped(tool.id) is None


# ------------------------------------------------------------------------------------------ what programs print


SPELLED = ("inf", "-inf", "Infinity", "nan", "NaN", "-nan", "1e999", "1_0", "٣", "0x1F", "1.", ".5", "--1", "+", "1e", "e",
           "", "9" * 399, "1" + "0" * 400, "²", "½", "\x00", "−1", "1,000", "True", "None", "inf.", "einf")  # fmt: skip


@pytest.mark.parametrize("printed", SPELLED)
def test_whatever_a_program_prints_is_right_or_wrong(printed: str):
    for expected in (*SPELLED, "10", "3", "1.0"):
        for text in (printed, f"{printed} {printed}"):
            assert same_output(text, text, "numbers") is True
            assert same_output(text, expected, "numbers") in (True, False)
    assert same_output(printed, "4", "numbers") is False


def test_infinities_and_what_is_no_number_compare_as_what_they_mean():
    assert same_output("inf", "Infinity", "numbers")
    assert same_output("NaN", "nan", "numbers")
    assert not same_output("-inf", "inf", "numbers")
    assert not same_output("inf", "1000000", "numbers")
    assert not same_output("nan", "0.0", "numbers")
