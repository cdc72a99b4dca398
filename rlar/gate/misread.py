"""Rows that a verifier misreads: it refuses their own right answers. Where they are few, they are set aside and the rest is certified.

A misread row would be a wrong number in training, so what is set aside here is abstained on there: scoring tries a row's own
answers (`rlar.kinds.own_answers`, the same completions as here) before it believes the verifier about the row. Only refused right
answers set a row aside. A wrong answer that is accepted speaks against the tool on every row, and counts as ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from rlar.errors import boundary
from rlar.gate.policy import GatePolicy
from rlar.gate.probe import Binder
from rlar.gate.run import Trial
from rlar.gate.stats import share_interval
from rlar.kinds.own_answers import own_answers, refusal
from rlar.types import CheckResult, Example, Sample, Score, TaskSpec

NAMED = 5
"""Misread rows that the certificate shows."""


@dataclass(frozen=True)
class RowReadings:
    """What a verifier made of the rows' own answers."""

    misread: dict[str, tuple[str, str]]
    """Key of a row whose right answer is refused -> its id, and why."""
    unproven: frozenset[str]
    """Keys of rows without a right answer to try, or on which the verifier abstains: they are abstained on, too, once
    rows are set aside."""
    rows: int
    """Rows that were tried and got a number."""

    @property
    def left_out(self) -> frozenset[str]:
        """Keys of the rows that get no number where rows are set aside."""
        return self.unproven | self.misread.keys()

    def check(self, policy: GatePolicy) -> CheckResult:
        """The share of misread rows; the upper end of its interval counts."""
        bounds = share_interval(len(self.misread), self.rows)
        names = [f"{name}: {why}" for name, why in self.misread.values()]
        note = f"{len(names)} of {self.rows} rows are misread; scoring abstains on such rows, e.g. {names[0]}"
        return CheckResult(
            name="misread",
            passed=bounds[1] <= policy.max_misread_share,
            value=round(len(names) / self.rows, 6),
            threshold=policy.max_misread_share,
            interval=bounds,
            probes=self.rows,
            note=note,
            details={"rows": names[:NAMED], "unproven": len(self.unproven)},
        )


def read_rows(trial: Trial, task: TaskSpec, bind: Binder, place: str) -> RowReadings | None:
    """Have the verifier on trial score the own answers of all of the task's example rows; None where time runs out."""
    unproven: set[str] = set()
    tried: list[tuple[Example, int]] = []
    samples: list[Sample] = []
    for example in {example.key: example for example in task.examples}.values():

        def make(example: Example = example) -> list[Sample]:
            binding = bind(example)
            return [Sample.of(example, answer, binding) for answer in own_answers(example, binding, task, place)]

        own_samples = boundary(make, lambda _error: [])
        samples += own_samples
        tried.append((example, len(own_samples)))
    ran = trial.score_all(samples)
    if ran.problem:
        return None
    scores = iter(ran.scores)
    misread: dict[str, tuple[str, str]] = {}
    rows = 0
    for example, count in tried:
        own: list[Score] = [next(scores) for _ in range(count)]
        if why := refusal(own):
            misread[example.key] = example.id, why
        elif all(score.value is None for score in own):
            unproven.add(example.key)
            continue
        rows += 1
    return RowReadings(misread, frozenset(unproven), rows)
