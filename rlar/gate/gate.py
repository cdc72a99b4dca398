"""Probes x tool -> Certificate.

What a certificate was issued under: versions of Python, rlar and the libraries that verdicts depend on.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rlar.errors import HostRefused, ToolError
from rlar.gate import checks
from rlar.gate.baseline import baseline
from rlar.gate.checks import Measured, is_first_right, mean
from rlar.gate.duels import Duels, opponents
from rlar.gate.elsewhere import IndependentRun, independent_run
from rlar.gate.misread import read_rows
from rlar.gate.policy import GatePolicy, Limits, Role, RunClass
from rlar.gate.probe import Binder, ProbeSet
from rlar.gate.probes import make_probes, pairs_digest
from rlar.gate.probes.make import binder_of
from rlar.gate.run import Memory, Ran, Trial
from rlar.gate.stats import fit_calibration, own_scale, row_offsets
from rlar.gate.trials import Timed, determinism, faults, sanity
from rlar.kinds import LIBRARY
from rlar.kinds.own_answers import ACCEPTED
from rlar.tool import LibraryTool, Resources, RewardTool, needs_whole_groups
from rlar.tools.load import Place, kind_of, load_tool, where
from rlar.types import (
    Calibration,
    Certificate,
    CheckResult,
    JsonObject,
    LabelledPair,
    Sample,
    TaskSpec,
    ToolSpec,
)

_OUTSIDE = frozenset({"faults", "labelled"})
"""Checks whose probes say nothing of the level or the range of a row's scores."""
_ALWAYS = ("rlar", "pydantic", "numpy")


def environment(spec: ToolSpec) -> JsonObject:
    """Versions that matter for a tool; what is not installed is left out."""
    names = _ALWAYS + kind_of(spec).packages
    versions = {name: held for name in names if (held := _version(name))}
    return {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}", **versions}


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def certify(
    tool: RewardTool,
    task: TaskSpec,
    *,
    policy: GatePolicy,
    seed: int,
    reload: Callable[[], RewardTool] | None = None,
    labelled: Sequence[LabelledPair] | None = None,
    tier: str | None = None,
    role: Role | None = None,
    bind: Binder | None = None,
    elsewhere: IndependentRun | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Certificate:
    """The evidence for one tool on one task; whatever the tool does, a certificate comes back.

    Args:
        reload: makes the tool anew, for the determinism check.
        labelled: the user's pairs; with enough of them, the `labelled` check must hold, too.
        tier: sandbox tier, where the tool does not report it in its scores.
        role: what it is certified as; by default what the tool says it is.
        bind: row -> binding; by default `rlar.kinds.bind.bind` with the task's contract.
        elsewhere: another place for the determinism check; where it cannot load the tool, and by default, one is made
            that the tool's resources keep: a second process for library tools, a second sandbox for generated ones.
        now: clock of `created_at`.
    """
    role = role or tool_role(tool)
    runs = run_class(tool)
    budget, limits = policy.budget(runs, task.contract.answer_kind), policy.limits(role, task.contract.answer_kind)
    bounded = kind_of(tool.spec).is_bounded
    probe_set = make_probes(task, budget=budget, seed=seed, role=role, bind=bind, labelled=tuple(labelled or ()))
    if isinstance(tool, LibraryTool) and (exempt := tool.exempt()):
        probe_set = replace(probe_set, probes=tuple(each for each in probe_set.probes if each.kind not in exempt))
    certificate = partial(
        _certificate, tool.spec, task, policy=policy, role=role, limits=limits, seed=seed, tier=tier, now=now
    )
    results: list[CheckResult] = []
    if not probe_set.probes:
        results = [_too_few(policy, probe_set)]
        results += [_not_run(name, "not run: no probes could be made") for name in limits.mandatory]
        return certificate(results)
    if elsewhere is None or not elsewhere.can_load(tool.spec):
        elsewhere = independent_run(tool)
    duels = needs_whole_groups(tool.spec)
    if duels:
        foes = opponents(probe_set.probes)
        tool, reload = Duels(tool, foes), _in_duels(reload, foes)
    memory = Memory()
    with Trial(tool, budget.seconds) as trial:
        timed = Timed(trial, probe_set.probes, budget, runs=runs)
        if timed.hung or (
            timed.p95 is not None and len(timed.milliseconds) >= 3 and min(timed.milliseconds) > budget.p95_ms
        ):
            results = [timed.check()]
            results += [
                _not_run(name, "not run: the tool is too slow") for name in limits.mandatory if name != "latency"
            ]
            return certificate(results, timed=timed)
        ran = trial.score_all([probe.sample for probe in probe_set.probes])
        offsets = {} if bounded else _offsets(probe_set, ran)
        measured = Measured(
            probe_set,
            ran.scores,
            _unit if bounded else _own_scale(probe_set, ran, offsets),
            policy,
            limits,
            seed,
            graded=role == "quality" and not duels,
            silence_is_high=role == "guard",
            duels=duels,
            offsets=offsets,
        )
        grown = memory.grown
        sane = sanity(
            ran,
            bounded=bounded,
            silent=role == "guard",
            policy=policy,
            kinds=[probe.kind for probe in probe_set.probes],
            memory_mb=grown,
            memory_limit_mb=budget.memory_mb,
        )
        unbroken = faults(probe_set.probes, ran)
        repeated = determinism(
            trial,
            probe_set.probes,
            ran.scores,
            budget=budget,
            seed=seed,
            max_timeout_share=policy.max_timeout_share,
            reload=reload,
            elsewhere=elsewhere,
        )
        content, misread = _content_checks(measured, role), None
        if role == "verifier" and bounded and not duels and not kind_of(tool.spec).is_distant:
            content, misread, measured = _without_misread(measured, content, trial, task, bind or binder_of(task))
        results = [sane, *content, unbroken, repeated, _latency(timed, ran), checks.coverage(measured)]
        results += [result for result in (misread, checks.labelled(measured)) if result is not None]
        return certificate(results, timed=timed, ran=ran, probe_set=probe_set, bounded=bounded)


def tool_role(tool: RewardTool) -> Role:
    """What a tool claims to be: a library tool's class says so, a spec may; else its kind."""
    if isinstance(tool, LibraryTool):
        return tool.role
    claimed = tool.spec.params.get("role")
    if claimed in ("verifier", "quality", "guard"):
        role: Role = claimed
        return role
    return kind_of(tool.spec).role


def run_class(tool: RewardTool) -> RunClass:
    """Which budget of the policy holds for a tool."""
    if isinstance(tool, LibraryTool):
        return tool.runs
    return kind_of(tool.spec).budget


def certify_spec(
    spec: ToolSpec,
    task: TaskSpec,
    resources: Resources,
    *,
    policy: GatePolicy,
    seed: int,
    labelled: Sequence[LabelledPair] = (),
) -> Certificate:
    """The evidence for a tool as data; one that cannot be loaded is rejected with that reason.

    Raises HostRefused where it talks to a host that the user has not allowed: nothing is known about it then.
    """
    try:
        tool = load_tool(spec, resources)
    except HostRefused:
        raise
    except ToolError as error:
        return rejected_certificate(spec, task, policy=policy, seed=seed, reason=str(error))
    return certify(tool, task, policy=policy, seed=seed, labelled=labelled, reload=lambda: load_tool(spec, resources))


def rejected_certificate(
    spec: ToolSpec,
    task: TaskSpec,
    *,
    policy: GatePolicy,
    seed: int,
    reason: str,
    role: Role = "verifier",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Certificate:
    """The certificate of a tool that could not even be loaded."""
    limits = policy.limits(role, task.contract.answer_kind)
    results = [CheckResult(name="sanity", passed=False, note=f"cannot be loaded: {reason}")]
    results += [_not_run(name, "not run: the tool cannot be loaded") for name in limits.mandatory if name != "sanity"]
    return _certificate(spec, task, results, policy=policy, role=role, limits=limits, seed=seed, tier=None, now=now)


def _content_checks(measured: Measured, role: Role) -> list[CheckResult]:
    if role == "guard":
        return [checks.row_count(measured), checks.oracle(measured), checks.guard_floor(measured)]
    return [
        checks.row_count(measured),
        checks.oracle(measured),
        checks.floor(measured),
        checks.margin(measured),
        checks.discrimination(measured),
        checks.invariance(measured),
        checks.hack_panel(measured),
        *([baseline(measured)] if role == "quality" else []),
    ]


def _without_misread(
    measured: Measured, content: list[CheckResult], trial: Trial, task: TaskSpec, bind: Binder
) -> tuple[list[CheckResult], CheckResult | None, Measured]:
    """The content checks, the check of the rows that the verifier misreads, and the evidence of what is served.

    Where it misreads none, or too many to be set aside, everything stays as it is. Where the checks hold with the misread
    rows, too, these are the ones that count.
    """
    policy, limits = measured.policy, measured.limits
    place = _place(trial.tool.spec)
    if place == "sandbox" and not any(
        probe.check == "oracle" and score.value is not None and score.value < ACCEPTED
        for probe, score in zip(measured.probes, measured.scores, strict=True)
    ):
        return content, None, measured
    readings = read_rows(trial, task, bind, place)
    if readings is None or not readings.misread:
        return content, None, measured
    misread, rest = readings.check(policy), replace(measured, left_out=readings.left_out)
    if all(result.passed or (result.passed is None and result.name not in limits.mandatory) for result in content):
        return content, misread.model_copy(update={"passed": True}), rest
    return (_content_checks(rest, "verifier"), misread, rest) if misread.passed else (content, misread, measured)


def _place(spec: ToolSpec) -> Place:
    """Where a tool runs when it is served; of a library tool that is none of ours, a worker process."""
    return "pool" if kind_of(spec).place is None and spec.name not in LIBRARY else where(spec)


def _in_duels(reload: Callable[[], RewardTool] | None, foes: Mapping[int, Sample]) -> Callable[[], RewardTool] | None:
    return None if reload is None else lambda: Duels(reload(), foes)


def _unit(value: float) -> float:
    return value


def _offsets(probe_set: ProbeSet, ran: Ran) -> dict[int, float]:
    """The level of each probed row's scores, where scores have no known range."""
    return row_offsets(
        [
            (probe.row, f"{probe.check}/{probe.kind}", score.value)
            for probe, score in zip(probe_set.probes, ran.scores, strict=True)
            if score.value is not None and probe.check not in _OUTSIDE
        ]
    )


def _own_scale(probe_set: ProbeSet, ran: Ran, offsets: dict[int, float]) -> Callable[[float], float]:
    levelled = [
        score.value - offsets.get(probe.row, 0.0)
        for probe, score in zip(probe_set.probes, ran.scores, strict=True)
        if score.value is not None and probe.check not in _OUTSIDE
    ]
    return own_scale(levelled or [0.0])


def _not_run(name: str, note: str) -> CheckResult:
    return CheckResult(name=name, passed=None, note=note)


def _too_few(policy: GatePolicy, probe_set: ProbeSet) -> CheckResult:
    note = f"too few rows to prove anything: 0 usable, {policy.min_rows} needed: {'; '.join(probe_set.notes)}"
    return CheckResult(name="rows", passed=False, value=0, threshold=policy.min_rows, note=note)


def _latency(timed: Timed, ran: Ran) -> CheckResult:
    if ran.hung:
        return CheckResult(
            name="latency", passed=False, value=timed.p95, threshold=timed.limit_ms, note=f"out of time: {ran.problem}"
        )
    return timed.check()


def _certificate(
    spec: ToolSpec,
    task: TaskSpec,
    results: Sequence[CheckResult],
    *,
    policy: GatePolicy,
    role: Role,
    limits: Limits,
    seed: int,
    tier: str | None,
    now: Callable[[], datetime],
    timed: Timed | None = None,
    ran: Ran | None = None,
    probe_set: ProbeSet | None = None,
    bounded: bool = True,
) -> Certificate:
    by_name = {result.name: result for result in results}
    reasons = [_reason(by_name[name]) for name in by_name if by_name[name].passed is False]
    for name in limits.mandatory:
        result = by_name.get(name)
        if result is None or (result.passed is None and not result.note.startswith("not run")):
            reasons.append(f"{name} could not be checked{f': {result.note}' if result and result.note else ''}")
    details = [score.details for score in ran.scores] if ran else []
    forgeable_share = mean([float(bool(each.get("forgeable"))) for each in details])
    if forgeable_share:
        results = [
            *results,
            CheckResult(
                name="forgeable",
                passed=None,
                value=round(forgeable_share, 6),
                threshold=policy.forgeable_share,
                probes=len(details),
                note="share of verdicts that a program could forge; not a condition of admission",
            ),
        ]
    tiers = sorted({str(each["tier"]) for each in details if each.get("tier")})
    notes = {"probe_notes": list(probe_set.notes)} if probe_set and probe_set.notes else {}
    evidence = {"labelled": pairs_digest(probe_set.labelled)} if probe_set and probe_set.labelled else {}
    conditions: dict[str, Any] = {**environment(spec), **notes, **evidence, **_asked(details)}
    discrimination = by_name.get("discrimination")
    return Certificate(
        tool_id=spec.id,
        fingerprint=task.fingerprint,
        admitted=not reasons,
        role=role,
        checks=tuple(results),
        reasons=tuple(reasons),
        discrimination=discrimination.value if discrimination else None,
        calibration=_calibration(ran, probe_set, role=role, bounded=bounded),
        cost_ms_p50=timed.p50 if timed else None,
        cost_ms_p95=timed.p95 if timed else None,
        forgeable=forgeable_share > policy.forgeable_share,
        unsafe=any(bool(each.get("unsafe")) for each in details),
        sandbox_tier=tier or ("+".join(tiers) if tiers else None),
        policy_version=policy.id,
        seed=seed,
        code_hash=spec.code_hash,
        environment=conditions,
        created_at=now().astimezone(UTC).isoformat(timespec="seconds"),
    )


def _asked(details: Sequence[JsonObject]) -> JsonObject:
    """Which models answered, and what one scoring of all probes cost: nothing for tools that ask none."""
    models = sorted({str(each["model"]) for each in details if each.get("model")})
    if not models:
        return {}
    names = ("calls", "input_tokens", "output_tokens")
    spent = {name: sum(int(each.get(name, 0)) for each in details) for name in names}
    return {"models": models, "spent": {"scores": len(details), **spent}}


def _reason(result: CheckResult) -> str:
    value = "" if result.value is None else f" {result.value:.3g}"
    bound = "" if result.threshold is None else f" (policy: {result.threshold:.3g})"
    return f"{result.name}{value}{bound}{f': {result.note}' if result.note else ''}"


def _calibration(ran: Ran | None, probe_set: ProbeSet | None, *, role: Role, bounded: bool) -> Calibration:
    if ran is None or probe_set is None or (role != "quality" and bounded):
        return Calibration()
    high: list[float] = []
    low: list[float] = []
    for probe, score in zip(probe_set.probes, ran.scores, strict=True):
        if score.value is None:
            continue
        if is_first_right(probe):
            high.append(score.value)
        elif probe.check == "floor":
            low.append(score.value)
    return fit_calibration(high, low, bounded=bounded)
