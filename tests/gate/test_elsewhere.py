"""The second process of the determinism check: answers, dies and hangs without taking the build along."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from rlar.gate import OtherProcess, certify
from rlar.gate.policy import load_policy
from rlar.gate.run import Ran
from rlar.tools.library import library_spec
from rlar.types import CheckResult, Sample, ToolSpec, timed_out
from tests.fakes.planted import Planted, exact
from tests.fakes.probing_tasks import number_task


@pytest.fixture(scope="module")
def elsewhere():
    with OtherProcess() as process:
        yield process


def sample(completion: str, reference: str = "4") -> Sample:
    return Sample(prompt="What is 2 + 2?", completion=completion, reference=reference, references=(reference,))


def test_it_scores_what_this_process_scores(elsewhere: OtherProcess):
    ran = elsewhere.score(library_spec("number"), [sample("4"), sample("5"), sample("é 4\u2028\ud83d\ude00")], 60)

    assert ran.problem == ""
    assert [score.value for score in ran.scores][:2] == [1.0, 0.0]


def test_a_tool_that_it_cannot_load_is_a_problem_and_not_a_score(elsewhere: OtherProcess):
    gone = ToolSpec(kind="library", name="gone", source="rlar.kinds.gone:Gone")

    ran = elsewhere.score(gone, [sample("4")], 60)

    assert "cannot be loaded: library tool 'gone'" in ran.problem and ran.scores[0].status == "failed"


def test_it_starts_again_after_it_was_killed(monkeypatch: pytest.MonkeyPatch):
    started: list[subprocess.Popen[bytes]] = []
    begin = subprocess.Popen.__init__

    def note(self: subprocess.Popen[bytes], *arguments: object, **options: object) -> None:
        started.append(self)
        begin(self, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess.Popen, "__init__", note)
    with OtherProcess() as process:
        process.score(library_spec("number"), [sample("4")], 60)
        os.kill(started[0].pid, signal.SIGKILL)

        process.score(library_spec("number"), [sample("4")], 60)  # may or may not notice in time
        assert process.score(library_spec("number"), [sample("4")], 60).scores[0].value == 1.0


def test_it_loads_only_library_tools_that_do_not_drive_the_sandbox(elsewhere: OtherProcess):
    assert elsewhere.can_load(library_spec("number"))
    assert not elsewhere.can_load(library_spec("code_tests"))
    assert not elsewhere.can_load(ToolSpec(kind="generated", name="mine", source="def compute(): ..."))


def determinism_with_timeouts(every: int) -> CheckResult:
    """The determinism check of an honest tool whose every so manieth repetition elsewhere runs out of time."""

    class Crowded(OtherProcess):
        def can_load(self, spec: ToolSpec) -> bool:
            return True

        def score(self, spec, samples, seconds):
            return Ran([timed_out("busy") if at % every == 0 else exact(one) for at, one in enumerate(samples)], 0.0)

    certificate = certify(Planted("exact", exact), number_task(), policy=load_policy(), seed=0, elsewhere=Crowded())
    return next(check for check in certificate.checks if check.name == "determinism")


def test_a_repetition_that_runs_out_of_time_on_a_crowded_machine_is_no_other_score():
    assert determinism_with_timeouts(20).passed


def test_a_tool_that_runs_out_of_time_whenever_it_is_asked_again_is_not_deterministic():
    # Of 200 repetitions (80 again, 80 in another order, 40 elsewhere) 40 run out of time: a fifth, where a tenth may.
    check = determinism_with_timeouts(1)
    assert not check.passed and "ran out of time on 40 of 200 repeated probes" in check.note
