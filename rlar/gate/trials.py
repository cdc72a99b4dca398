"""The checks that need the tool run again: latency, determinism; and sanity, which looks at everything it returned."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

from rlar.errors import boundary
from rlar.gate.elsewhere import IndependentRun
from rlar.gate.policy import Budget, GatePolicy, RunClass
from rlar.gate.probe import Probe
from rlar.gate.run import Ran, Trial, slowdown
from rlar.gate.stats import quantile
from rlar.tool import RewardTool
from rlar.tools.load import kind_of
from rlar.types import CheckResult, Sample, Score, failed


class Timed:
    """Single calls of a warm tool, timed: loading it is not what a completion costs."""

    def __init__(self, trial: Trial, probes: Sequence[Probe], budget: Budget, *, runs: RunClass = "pool") -> None:
        self.runs = runs
        self.milliseconds: list[float] = []
        self.problem = ""
        self.hung = False
        self.limit_ms = budget.p95_ms
        chosen = spread([probe for probe in probes if not probe.may_loop], budget.timed)
        if chosen and self._stopped(trial.warm_up(chosen[0].sample), chosen[0]):
            return
        for probe in chosen:
            if trial.left <= 0:
                break
            took = self._took(trial, probe, budget.call_seconds)
            if took is not None and took > budget.p95_ms:
                # A busy machine may be what was slow: the better of two counts, as it would be on an idle one.
                again = self._took(trial, probe, budget.call_seconds)
                took = None if again is None else min(took, again) / (1.0 if again <= budget.p95_ms else slowdown())
            if took is None:
                return
            self.milliseconds.append(took)
            if len(self.milliseconds) >= 3 and min(self.milliseconds) > budget.p95_ms:
                return

    def _took(self, trial: Trial, probe: Probe, seconds: float) -> float | None:
        """Milliseconds of one call; None where it hung."""
        ran = trial.call([probe.sample], seconds)
        return None if self._stopped(ran, probe) else 1000 * ran.wall_seconds

    def _stopped(self, ran: Ran, probe: Probe) -> bool:
        if ran.hung:
            self.hung = True
            self.problem = f"{ran.problem} ({probe.check}/{probe.kind} of {probe.example_id})"
        return self.hung

    @property
    def p50(self) -> float | None:
        """Median, in milliseconds; None where nothing was timed."""
        return round(quantile(self.milliseconds, 0.5), 3) if self.milliseconds else None

    @property
    def p95(self) -> float | None:
        """95th percentile, in milliseconds; None where nothing was timed."""
        return round(quantile(self.milliseconds, 0.95), 3) if self.milliseconds else None

    def check(self) -> CheckResult:
        """p95 of one call against the policy's limit; a tool that hangs fails it."""
        if self.hung:
            return CheckResult(name="latency", passed=False, threshold=self.limit_ms, note=f"hangs: {self.problem}")
        if self.p95 is None:
            return CheckResult(name="latency", passed=None, threshold=self.limit_ms, note="nothing could be timed")
        return CheckResult(
            name="latency",
            passed=self.p95 <= self.limit_ms,
            value=self.p95,
            threshold=self.limit_ms,
            probes=len(self.milliseconds),
            note="milliseconds at the 95th percentile of single calls",
            details={"p50_ms": self.p50, "runs": self.runs},
        )


def spread(probes: Sequence[Probe], count: int) -> list[Probe]:
    """`count` probes evenly over all, so that every check is among them."""
    if count >= len(probes):
        return list(probes)
    return [probes[index * len(probes) // count] for index in range(count)]


def sanity(
    ran: Ran,
    *,
    bounded: bool,
    silent: bool,
    policy: GatePolicy,
    kinds: Sequence[str] = (),
    memory_mb: float = 0.0,
    memory_limit_mb: float = math.inf,
) -> CheckResult:
    """Finite, in range, of the right type and length, not constant, and (nearly) never broken.

    Args:
        silent: a guard, that says nothing where it has no objection.
        kinds: of the scores' probes. A kind that breaks the tool whenever it is tried is a completion that any policy
            can write, however few of the probes are of that kind.
        memory_mb: by how much the process grew while it scored.
    """
    problems = [ran.problem] if ran.problem else []
    values = [score.value for score in ran.scores if score.value is not None]
    broken = sum(score.status == "failed" for score in ran.scores)
    timeouts = sum(score.status == "timeout" for score in ran.scores)
    count = max(1, len(ran.scores))
    if bounded and (outside := [value for value in values if not -1e-9 <= value <= 1 + 1e-9]):
        problems.append(f"{len(outside)} score(s) outside [0, 1], e.g. {outside[0]:.4g}")
    if len(values) > 1 and max(values) - min(values) < 1e-9 and not silent:
        problems.append(f"constant: every score is {values[0]:.4g}")
    if not values and not silent:
        first = next((score for score in ran.scores if score.status != "ok"), None)
        why = (first.error or first.explanation)[:160] if first else "no probes"
        problems.append(f"not a single score: {why}")
    if broken / count > policy.max_failed_share:
        first_broken = next(score for score in ran.scores if score.status == "failed")
        problems.append(f"failed on {broken} of {count} probes, e.g.: {(first_broken.error or '')[:160]}")
    for kind in dict.fromkeys(kinds):
        own = [score for score, its in zip(ran.scores, kinds, strict=False) if its == kind]
        if len(own) > 1 and all(score.status == "failed" for score in own):
            problems.append(f"a completion can break it: {kind}, {(own[0].error or '')[:120]}")
    if timeouts / count > policy.max_timeout_share:
        problems.append(f"ran out of time on {timeouts} of {count} probes")
    if memory_mb > memory_limit_mb:
        problems.append(f"made this process grow by {memory_mb:.0f} MiB (policy: {memory_limit_mb:.0f})")
    return CheckResult(
        name="sanity",
        passed=not problems,
        value=round(broken / count, 6),
        threshold=policy.max_failed_share,
        probes=len(ran.scores),
        note="; ".join(dict.fromkeys(problems)),
        details={
            "ok": len(values),
            "abstain": sum(score.status == "abstain" for score in ran.scores),
            "failed": broken,
            "timeout": timeouts,
            "lowest": min(values) if values else None,
            "highest": max(values) if values else None,
        },
    )


def faults(probes: Sequence[Probe], ran: Ran) -> CheckResult:
    """No completion breaks the tool: what was made to do so is wrong or not to be judged, never a failure or a hang."""
    scores = {probe.kind: score for probe, score in zip(probes, ran.scores, strict=True) if probe.check == "faults"}
    if not scores:
        return CheckResult(name="faults", passed=None, note="nothing could be tried")
    broken = {kind: score for kind, score in scores.items() if score.status not in {"ok", "abstain"}}
    # What was tried is not shown: certificates are text, and some of it is none.
    shown = [f"{kind} ({score.status}: {_plain(score.error or score.explanation)})" for kind, score in broken.items()]
    return CheckResult(
        name="faults",
        passed=not broken,
        value=round(len(broken) / len(scores), 6),
        threshold=0.0,
        probes=len(scores),
        note=f"broken by: {'; '.join(shown[:5])}" if shown else "",
        details={"kinds": sorted(broken)},
    )


def _plain(text: str) -> str:
    return text[:120].encode("ascii", "backslashreplace").decode("ascii")


def determinism(
    trial: Trial,
    probes: Sequence[Probe],
    scores: Sequence[Score],
    *,
    budget: Budget,
    seed: int,
    max_timeout_share: float,
    reload: Callable[[], RewardTool] | None,
    elsewhere: IndependentRun | None,
) -> CheckResult:
    """Same input, same score: again, in another order, in a freshly loaded tool, and in another process.

    A tool that runs out of time on a sample that it scored before has not said anything else about it: that is a matter of
    how busy the machine is, as long as it happens to few.
    """
    eligible = [
        index
        for index in range(len(probes))
        if scores[index].status in {"ok", "abstain"} and not probes[index].may_loop
    ]
    Random(f"{seed}:determinism").shuffle(eligible)
    chosen = eligible[: budget.determinism]
    if not chosen:
        return CheckResult(name="determinism", passed=None, note="no probe was scored, nothing to repeat")
    values = [value for index in chosen if (value := scores[index].value) is not None]
    span = max(values) - min(values) if values else 0.0
    kind = kind_of(trial.tool.spec)
    tolerance = kind.relative_tolerance * span if kind.relative_tolerance else kind.tolerance
    needed = kind.agreement
    samples = [probes[index].sample for index in chosen]
    order = list(range(len(chosen)))
    Random(f"{seed}:order").shuffle(order)
    trials: list[tuple[str, Callable[[], Ran], list[int]]] = [
        ("again", lambda: trial.score_all(samples), list(range(len(chosen)))),
        ("in another order, one by one in part", lambda: _shuffled(trial, samples, order), order),
    ]
    notes: list[str] = []
    problems: list[str] = []
    if reload is not None:
        trials.append(("freshly loaded", lambda: _reloaded(trial, reload, samples), list(range(len(chosen)))))
    else:
        notes.append("not tried: a freshly loaded tool")
    if elsewhere is not None and elsewhere.can_load(trial.tool.spec):
        some = list(range(min(len(chosen), 40)))
        part = [samples[index] for index in some]
        trials.append(("in another process", lambda: elsewhere.score(trial.tool.spec, part, trial.left), some))
    else:
        notes.append("not tried: another process")
    compared = differing = timeouts = 0
    differences: list[str] = []
    for name, run, positions in trials:
        ran = run()
        if ran.problem:
            problems.append(f"{name}: {ran.problem}")
        for position, score in zip(positions, ran.scores, strict=True):
            first = scores[chosen[position]]
            if score.status == "timeout":
                timeouts += 1
                continue
            compared += 1
            if not _same(first, score, tolerance):
                differing += 1
                probe = probes[chosen[position]]
                if len(differences) + len(problems) < 5:
                    differences.append(f"{name}: {probe.check}/{probe.kind} {_told(first)} then {_told(score)}")
    if timeouts > max_timeout_share * (compared + timeouts):
        problems.append(f"ran out of time on {timeouts} of {compared + timeouts} repeated probes")
    share = 1 - differing / compared if compared else 1.0
    passed = share >= needed and not problems
    trouble = [*problems, *differences]
    return CheckResult(
        name="determinism",
        passed=passed,
        value=round(share, 6) if compared else None,
        threshold=needed,
        probes=len(chosen),
        note="; ".join([*([] if passed else trouble[:3]), *notes]),
        details={"trials": [name for name, _, _ in trials], "differences": trouble},
    )


def _shuffled(trial: Trial, samples: Sequence[Sample], order: Sequence[int]) -> Ran:
    """Another order and other batches: the first few alone, the rest by sevens."""
    mixed = [samples[index] for index in order]
    head = trial.score_all(mixed[:5], batch=1)
    tail = trial.score_all(mixed[5:], batch=7)
    return Ran(
        [*head.scores, *tail.scores], head.seconds + tail.seconds, head.problem or tail.problem, head.hung or tail.hung
    )


def _reloaded(trial: Trial, reload: Callable[[], RewardTool], samples: Sequence[Sample]) -> Ran:
    loaded: list[RewardTool] = []
    problems: list[str] = []
    boundary(
        lambda: loaded.append(reload()),
        lambda error: problems.append(f"cannot be loaded again: {type(error).__name__}: {error}"),
    )
    if problems:
        return Ran([failed(problems[0]) for _ in samples], 0.0, problems[0])
    warm = trial.warm_up(samples[0], loaded[0])
    return (
        trial.score_all(samples, tool=loaded[0])
        if not warm.hung
        else Ran(warm.scores * len(samples), warm.seconds, warm.problem, hung=True)
    )


def _same(first: Score, second: Score, tolerance: float) -> bool:
    if first.value is None or second.value is None:
        return first.value is None and second.value is None and first.status == second.status
    return abs(first.value - second.value) <= tolerance


def _told(score: Score) -> str:
    return score.status if score.value is None else f"{score.value:.4g}"
