"""From certificates to a recipe: which tools make a task's reward, how combined; or why none do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rlar.gate.policy import GatePolicy
from rlar.kinds import KINDS
from rlar.kinds.programs.foreign import what_runs
from rlar.types import AnswerKind, Calibration, Certificate, Recipe, TaskSpec

MOST_QUALITIES = 3
SPEEDS = ("inline", "pool", "sandbox", "model")
"""Budget classes of the policy, cheapest first."""
CLEARLY_CHEAPER = 5.0
"""Timings vary from run to run: cost decides between equals only from this factor on."""
GATE_ADDS = 0.05
"""A second verifier must tell apart one kind of corruption better by this much."""


def build_recipe(task: TaskSpec, certificates: Sequence[Certificate], policy: GatePolicy) -> Recipe | None:
    """The recipe of a task, or None where nothing that was admitted can give a reward (guards alone cannot).

    The best verifier is the reward; another one becomes a gate only where it catches what the best one misses.
    Without a verifier, up to three qualities are weighted by how far their pair accuracy is above chance, and
    guards stand before them as gates.
    """
    served = _served(task, certificates, policy)
    verifiers = rank([each for each in served if each.role == "verifier"])
    qualities = rank([each for each in served if each.role == "quality"])[:MOST_QUALITIES]
    if verifiers:
        chosen, gates = [verifiers[0]], [each for each in verifiers[1:] if _adds(each, verifiers[0])][:1]
    elif qualities:
        chosen, gates = (
            qualities,
            sorted((each for each in served if each.role == "guard"), key=lambda each: each.tool_id),
        )
    else:
        return None
    weights = [max((each.discrimination or 0.5) - 0.5, 0.01) for each in chosen]
    total = sum(weights)
    shares = [round(weight / total, 6) for weight in weights[:-1]]
    shares.append(round(1.0 - sum(shares), 6))
    calibrations: dict[str, Calibration] = {each.tool_id: each.calibration for each in (*chosen, *gates)}
    row_shares = {each.tool_id: each.row_shares for each in (*chosen, *gates) if each.row_shares.read < 1.0}
    return Recipe(
        fingerprint=task.fingerprint,
        gates=tuple(each.tool_id for each in gates),
        qualities=tuple((each.tool_id, share) for each, share in zip(chosen, shares, strict=True)),
        calibrations=calibrations,
        row_shares=row_shares,
    )


def rank(certificates: Iterable[Certificate]) -> list[Certificate]:
    """Best first: discrimination, then rows covered, then clearly lower cost, then the id."""
    ordered = sorted(
        certificates, key=lambda each: (-round(each.discrimination or 0.0, 3), _abstains(each), each.tool_id)
    )
    for index in range(1, len(ordered)):
        place = index
        while place > 0 and _equal_but_cheaper(ordered[place], ordered[place - 1]):
            ordered[place - 1], ordered[place] = ordered[place], ordered[place - 1]
            place -= 1
    return ordered


def why_uncovered(task: TaskSpec, certificates: Sequence[Certificate], policy: GatePolicy | None = None) -> str:
    """One or two sentences: what was tried, why it failed, and what would cover the task."""
    latest = _latest(task, certificates)
    kind = task.contract.answer_kind
    guards = [each for each in latest if each.admitted and each.role == "guard"]
    rejected = [each for each in latest if not each.admitted]
    forgeable = [each for each in latest if each.admitted and each.forgeable]
    scorers = [each for each in rejected if each.role != "guard"]
    if forgeable and policy is not None and not policy.allow_forgeable:
        why = f"only tools whose verdict a program could forge passed ({forgeable[0].tool_id}), and the policy does not allow them"
    elif scorers:
        nearest = min(scorers, key=lambda each: (len(each.reasons), each.tool_id))
        why = f"{len(scorers)} tool(s) tried, none admitted; nearest: {nearest.tool_id}, rejected for {first_reason(nearest)}"
    elif guards:
        why = "only guards are there, which can call a completion broken but not good"
    elif rejected:
        why = f"not even a guard was admitted: {rejected[0].tool_id}, rejected for {first_reason(rejected[0])}"
    else:
        why = f"no library tool judges {_named(kind)}"
    return f"{why}. {_what_helps(task, scorers)}"


def _what_helps(task: TaskSpec, scorers: Sequence[Certificate]) -> str:
    contract = task.contract
    ways = []
    if any((rows := each.check("rows")) is not None and rows.passed is False for each in scorers):
        ways.append("more rows of this task")
    kind = KINDS[contract.answer_kind]
    if contract.programming_language:
        ways.append(what_runs(contract.programming_language, contract.answer_kind))
    if not contract.has_reference and kind.reference_proves:
        ways.append("a reference column")
    ways.append("--llm to judge" if kind.is_open else "--llm to write a verifier or to judge")
    if kind.is_graded:
        ways.append(
            "a reward model from the Hub with labelled pairs to prove it"
            if not contract.has_reference
            else "a reward model from the Hub"
        )
    return f"Would cover it: {'; '.join(ways)}."


def _named(kind: AnswerKind) -> str:
    if KINDS[kind].is_open:
        return f"{KINDS[kind].label} answers without a reference"
    return f"{kind.value.replace('_', ' ')} answers"


def first_reason(certificate: Certificate) -> str:
    """Why a tool was rejected, in one line."""
    return certificate.reasons[0] if certificate.reasons else "an unknown reason"


def _latest(task: TaskSpec, certificates: Sequence[Certificate]) -> list[Certificate]:
    """The last certificate of each tool for this task, in the order given."""
    latest: Mapping[str, Certificate] = {
        each.tool_id: each for each in certificates if each.fingerprint == task.fingerprint
    }
    return list(latest.values())


def _served(task: TaskSpec, certificates: Sequence[Certificate], policy: GatePolicy) -> list[Certificate]:
    return [
        each for each in _latest(task, certificates) if each.admitted and (policy.allow_forgeable or not each.forgeable)
    ]


def _abstains(certificate: Certificate) -> float:
    coverage = certificate.check("coverage")
    return round(coverage.value or 0.0, 3) if coverage else 0.0


def _standing(certificate: Certificate) -> tuple[float, float, int]:
    """What decides before measured times do; the same in every run."""
    latency = certificate.check("latency")
    runs = str(latency.details.get("runs", "")) if latency else ""
    place = SPEEDS.index(runs) if runs in SPEEDS else len(SPEEDS)
    return -round(certificate.discrimination or 0.0, 3), _abstains(certificate), place


def _equal_but_cheaper(one: Certificate, other: Certificate) -> bool:
    if _standing(one) != _standing(other) or one.cost_ms_p50 is None or other.cost_ms_p50 is None:
        return False
    return one.cost_ms_p50 * CLEARLY_CHEAPER < other.cost_ms_p50


def _adds(gate: Certificate, best: Certificate) -> bool:
    """Whether a gate catches a kind of corruption that the best one misses, without refusing right answers."""
    own, others = gate.check("discrimination"), best.check("discrimination")
    right, best_right = gate.check("oracle"), best.check("oracle")
    if own is None or others is None or right is None or best_right is None:
        return False
    if (right.value or 0.0) < max(0.98, (best_right.value or 0.0) - 0.01) or _abstains(gate) > _abstains(best):
        return False
    mine, theirs = own.details.get("kinds", {}), others.details.get("kinds", {})
    return any(mine[kind]["mean"] - theirs[kind]["mean"] >= GATE_ADDS for kind in mine if kind in theirs)
