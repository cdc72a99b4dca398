"""An LLM writes verifiers: it plans, writes, hears what the gate found wrong, and repairs. It also proposes witnesses.

Nothing here runs what it wrote outside the sandbox, and nothing here admits a tool: what comes out are candidates. The
writer keeps nothing between calls (a build may be killed and resumed); what it has to know about its former attempts
stands in their provenance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, field_validator

from rlar.agent.sources import Found, PassedOver, Tried
from rlar.errors import BudgetSpent, ChatError, ChatUnreadable, SandboxError
from rlar.gate.policy import GatePolicy, load_policy
from rlar.gate.probes import make_probes
from rlar.kinds import KINDS
from rlar.kinds.rule.probes import provable, same_text
from rlar.llm.ledger import Llm
from rlar.text.answers import refuses
from rlar.tool import Resources
from rlar.tools.generated import Running, generated_spec, keeps_state, score_in
from rlar.tools.source_check import check_source, code_of
from rlar.types import (
    Certificate,
    Example,
    JsonObject,
    LabelledPair,
    Sample,
    Score,
    TaskSpec,
    ToolSpec,
    Witness,
    digest,
)

MOST_PLANS = 5
ROWS_SHOWN = 4
"""Rows that a writer sees; it is tried on more, so that what it learns by heart does not help."""
PROMPT_SHOWN = 2_000
"""Characters of a prompt that are shown; of an answer half as many."""
TRIED_TOGETHER = 48
"""Probes by which candidates are compared before the gate; half of them show whether one keeps state between calls."""
FAILURES_SHOWN = 12
LONGEST_WITNESS = 4_000

ModelT = TypeVar("ModelT", bound=BaseModel)


# ------------------------------------------------------------------------------------------ answers


class _Answered(BaseModel):
    """An answer of the LLM: every field required, nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedMetric(_Answered):
    name: str
    kind: Literal["rule", "metric"]
    idea: str
    steps: str
    weakness: str


class Plans(_Answered):
    metrics: list[PlannedMetric]

    @field_validator("metrics")
    @classmethod
    def _some(cls, metrics: list[PlannedMetric]) -> list[PlannedMetric]:
        if not metrics:
            raise ValueError("give 3 to 5 plans")
        return metrics


class Written(_Answered):
    approach: str
    code: str


class Repaired(_Answered):
    cause: str
    disputed: list[str]
    code: str


class ProposedRow(_Answered):
    row: int
    working: str
    right: list[str]
    wrong: list[str]
    also_right: list[int]


class ProposedAnswers(_Answered):
    rows: list[ProposedRow]


# ------------------------------------------------------------------------------------------ witnesses

_TALKS_TO_A_JUDGE = re.compile(
    r"\b(?:ignore|disregard)\b.{0,40}\b(?:instruction|rubric|above|previous)|\bfull marks\b|\b(?:score|grade|reward|verdict)\b\s*+[:=]"
    r"|<\|?/?(?:im_start|im_end|system|response|assistant)\b|\[\[\s*[\d.]+\s*\]\]|^[^\S\n]*+(?:system|assistant)\s*+:",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)


def propose_witnesses(
    llm: Llm, task: TaskSpec, rows: int = 8, *, note: Callable[[str], None] = lambda line: None
) -> tuple[Witness, ...]:
    """Right and wrong answers to some rows of a task, proposed by the LLM in one question; () where that comes to nothing.

    Checked against one another: an answer that is right for two rows (a constant would win), right and wrong at once, an
    echo of the prompt, a refusal, or talk to a judge is dropped. `note` hears what was dropped, and why nothing came.
    """
    chosen = _by_hash(task.examples)[:rows]
    if not chosen:
        note("witnesses: the task has no example rows")
        return ()
    shown = [{"row": number, "prompt": _cut(each.text, PROMPT_SHOWN)} for number, each in enumerate(chosen, 1)]
    try:
        answer = llm.ask(
            "propose_witnesses",
            {**_about(task), "rows": shown},
            ProposedAnswers,
            fingerprint=task.fingerprint,
            node="classify",
        )
    except (ChatError, BudgetSpent) as error:
        note(f"witnesses: none proposed: {error}")
        return ()
    return _cross_checked(answer.value, chosen, answer.by, note)


def _cross_checked(
    proposed: ProposedAnswers, examples: Sequence[Example], by: str, note: Callable[[str], None]
) -> tuple[Witness, ...]:
    right: dict[int, list[str]] = {}
    wrong: dict[int, list[str]] = {}
    also: dict[int, list[int]] = {}
    dropped: dict[str, int] = {}

    def drop(reason: str, count: int = 1) -> None:
        if count:
            dropped[reason] = dropped.get(reason, 0) + count

    def usable(texts: Sequence[str], prompt: str) -> list[str]:
        kept: list[str] = []
        for text in (each.strip() for each in texts):
            if not text or len(text) > LONGEST_WITNESS:
                drop("empty or too long")
            elif _TALKS_TO_A_JUDGE.search(text) and not _TALKS_TO_A_JUDGE.search(prompt):
                drop("talks to a judge")
            elif same_text(text, prompt) or refuses(text):
                drop("echoes the prompt or refuses")
            elif any(same_text(text, other) for other in kept):
                drop("given twice")
            else:
                kept.append(text)
        return kept

    for each in proposed.rows:
        if not 1 <= each.row <= len(examples) or each.row in right:
            drop("of no row")
            continue
        prompt = examples[each.row - 1].text
        good, bad = usable(each.right, prompt), usable(each.wrong, prompt)
        both = [text for text in good if any(same_text(text, other) for other in bad)]
        drop("right and wrong at once", len(both))
        right[each.row] = [text for text in good if text not in both]
        wrong[each.row] = [text for text in bad if not any(same_text(text, other) for other in both)]
        also[each.row] = each.also_right
    owners: dict[str, set[int]] = {}
    for row, texts in right.items():
        for text in texts:
            owners.setdefault(" ".join(text.split()).casefold(), set()).add(row)
    shared = {text for text, rows in owners.items() if len(rows) > 1}
    drop("right for several rows", sum(len(owners[text]) for text in shared))
    right = {
        row: [text for text in texts if " ".join(text.split()).casefold() not in shared] for row, texts in right.items()
    }
    results = []
    for row, own in right.items():
        if not own:
            continue
        others = [text for other in also[row] if other != row for text in right.get(other, ())]
        all_right = [*own, *(text for text in others if not any(same_text(text, known) for known in own))]
        really_wrong = [text for text in wrong[row] if not any(same_text(text, known) for known in all_right)]
        results.append(Witness(row_key=examples[row - 1].key, right=tuple(all_right), wrong=tuple(really_wrong), by=by))
    reasons = "".join(f"; dropped {count} ({reason})" for reason, count in dropped.items())
    note(f"witnesses: answers to {len(results)} of {len(examples)} rows proposed by {by}{reasons}")
    return tuple(results)


# ------------------------------------------------------------------------------------------ writing


class VerifierWriter:
    """Writes candidate verifiers for a task, and repairs the best of its attempts that the gate rejected.

    What the LLM costs, and what stops it (a budget, a refusal), becomes notes; what was written until then is kept.
    """

    name = "llm"

    def __init__(
        self,
        llm: Llm,
        resources: Resources,
        *,
        max_repairs: int = 3,
        labelled: Callable[[TaskSpec], Sequence[LabelledPair]] = lambda task: (),
        policy: GatePolicy | None = None,
        seed: int = 0,
    ) -> None:
        """
        Args:
            resources: their sandbox compares candidates before the gate does.
            max_repairs: repairs a task, whether the static check or the gate asked for them.
            labelled: the user's pairs of a task, the same that the gate gets; evidence where it has none of its own.
            policy: says how much evidence the gate will want.
        """
        self.llm = llm
        self.resources = resources
        self.max_repairs = max_repairs
        self.labelled = labelled
        self.policy = policy or load_policy()
        self.seed = seed

    def write(self, task: TaskSpec, tried: Sequence[Tried]) -> Found:
        """New candidates for the gate: planned and written at first, then repaired. Raises nothing of the LLM's."""
        labelled = tuple(self.labelled(task))
        if reason := self._nothing_to_prove_with(task, labelled):
            return Found(notes=(f"generate: nothing written, because {reason}",))
        own = [each for each in tried if is_own(each.tool)]
        if any(each.certificate.admitted for each in own):
            return Found(notes=("generate: a written verifier is admitted already",))
        work = _Work(self.llm, task, labelled, self.max_repairs, own)
        if own:
            self._repair(work, own)
        else:
            self._write_first(work)
        tools = self._compared(task, work)
        return Found(tools=tuple(tools), notes=tuple(work.notes), passed_over=tuple(work.passed_over))

    def _nothing_to_prove_with(self, task: TaskSpec, labelled: Sequence[LabelledPair]) -> str:
        """Why no written verifier could be admitted, so that none is paid for; "" where one could."""
        kind = KINDS[task.contract.answer_kind]
        if kind.is_witnessed:
            rows = len(provable(task, labelled).examples)
            if rows < self.policy.min_rows:
                return (
                    f"right answers were proposed to {rows} rows and {self.policy.min_rows} are needed to try one; "
                    "labelled pairs would count as well"
                )
        elif kind.is_open and not labelled:
            return "there is no reference, no stated rule and no labelled pair that it could be tried with"
        return ""

    def _write_first(self, work: _Work) -> None:
        plans = work.ask("plan_metrics", work.shown(), Plans)
        if plans is None:
            return
        wanted = plans.metrics[:MOST_PLANS]
        work.notes.append(f"generate: planned {', '.join(_slug(plan.name) for plan in wanted) or 'nothing'}")
        carried_out = 0
        for plan in wanted:
            if work.stopped:
                break
            tokens = _Tokens()
            variables = {**work.shown(), "plan": plan.model_dump()}
            written = work.ask("write_verifier", variables, Written, tokens)
            if written is not None:
                carried_out += 1
                self._settle(work, plan, written.code, tokens, parent=None, failures=[], history=[])
        if carried_out < len(wanted):
            work.notes.append(f"generate: {carried_out} of {len(wanted)} plans carried out")

    def _repair(self, work: _Work, own: Sequence[Tried]) -> None:
        if work.repairs_left <= 0:
            work.notes.append(f"generate: all {self.max_repairs} repairs are used up")
            return
        best = min(own, key=_distance)
        plan = PlannedMetric.model_validate(best.tool.provenance["plan"])
        history = [
            {"attempt": each.tool.provenance.get("attempt"), "failed": _reasons(each.certificate)}
            for each in own
            if each is not best and each.tool.provenance.get("plan") == best.tool.provenance["plan"]
        ]
        failures = failures_of(best.certificate, work.task)
        work.notes.append(
            f"generate: {best.tool.id} failed {', '.join(failed_checks(best.certificate))}; sent back to the writer"
        )
        tokens = _Tokens()
        repaired = self._ask_repair(work, plan, best.tool.source, failures, history, tokens)
        if repaired is not None:
            self._settle(work, plan, repaired.code, tokens, parent=best, failures=failures, history=history)

    def _ask_repair(
        self,
        work: _Work,
        plan: PlannedMetric,
        code: str,
        failures: list[JsonObject],
        history: list[JsonObject],
        tokens: _Tokens,
    ) -> Repaired | None:
        variables = {
            **work.shown(),
            "plan": plan.model_dump(),
            "code": code,
            "failures": failures,
            "history": history,
        }
        work.repairs += 1
        repaired = work.ask("repair_verifier", variables, Repaired, tokens)
        for doubt in (repaired.disputed if repaired else [])[:5]:
            work.notes.append(f"generate: the writer doubts a proposed answer: {_cut(doubt, 300)}")
        return repaired

    def _settle(
        self,
        work: _Work,
        plan: PlannedMetric,
        answer: str,
        tokens: _Tokens,
        *,
        parent: Tried | None,
        failures: list[JsonObject],
        history: list[JsonObject],
    ) -> None:
        """Take code as a candidate once the static check has nothing against it; until then it goes straight back."""
        name = _slug(plan.name)
        on_the_way = list(parent.tool.provenance.get("failures", [])) if parent else []
        if parent:
            on_the_way.append({"tool": parent.tool.id, "failed": _reasons(parent.certificate)})
        answers, prompts = work.secrets()
        while True:
            code = code_of(answer)
            report = check_source(code, answers=answers, prompts=prompts)
            problems = list(report.problems)
            if code in work.sources:
                problems.append("this is the same code as an earlier attempt")
            if not problems:
                break
            on_the_way.append({"tool": name, "failed": [f"static: {problem}" for problem in problems]})
            # The last repair is kept for what the gate finds, once there is something for the gate.
            if work.stopped or work.repairs_left <= (1 if work.tools else 0):
                work.passed_over.append(PassedOver(subject=name, reason=f"not run: {'; '.join(problems[:5])}"))
                return
            static = [{"check": "static", "why": problem} for problem in problems]
            repaired = self._ask_repair(work, plan, code, [*static, *failures], history, tokens)
            if repaired is None:
                work.passed_over.append(PassedOver(subject=name, reason=f"not run: {'; '.join(problems[:5])}"))
                return
            answer = repaired.code
        role: Literal["verifier", "quality"] = (
            "quality" if KINDS[work.task.contract.answer_kind].is_graded else "verifier"
        )
        provenance: JsonObject = {
            "writer": self.name,
            "model": self.llm.name,
            "prompts": dict(sorted(work.prompts.items())),
            "plan": plan.model_dump(),
            "attempt": work.next_attempt(),
            "repair_of": parent.tool.id if parent else None,
            "repairs": work.repairs,
            "calls": tokens.calls,
            "input_tokens": tokens.input,
            "output_tokens": tokens.output,
            "failures": on_the_way,
        }
        work.sources.add(code)
        work.tools.append(generated_spec(name, code, Running(role=role, image=report.image), provenance))

    # -------------------------------------------------------------------------------- before the gate

    def _compared(self, task: TaskSpec, work: _Work) -> list[ToolSpec]:
        """The candidates with the mode that suits them, and with how far those that were planned apart agree."""
        if not work.tools:
            return []
        probe_set = make_probes(
            task, budget=self.policy.budget("pool"), seed=self.seed, role="verifier", labelled=work.labelled
        )
        some = [probe for probe in probe_set.probes if not probe.may_loop]
        samples = [some[index * len(some) // TRIED_TOGETHER].sample for index in range(min(len(some), TRIED_TOGETHER))]
        if not samples:
            return work.tools
        try:
            tools = [self._with_mode(spec, samples) for spec in work.tools]
            scored = {spec.id: score_in(self.resources.sandbox, spec, samples) for spec in tools}
        except SandboxError as error:
            work.notes.append(f"generate: candidates were not compared: {error}")
            return work.tools
        specs = []
        for spec in tools:
            agreement = {
                other.id: share
                for other in tools
                if other.id != spec.id and (share := _agreement(scored[spec.id], scored[other.id])) is not None
            }
            if agreement:
                note = {"probes": len(samples), "share_equal": agreement}
                spec = spec.model_copy(update={"provenance": {**spec.provenance, "agreement": note}})
            specs.append(spec)
        shares = [
            share for spec in specs for share in spec.provenance.get("agreement", {}).get("share_equal", {}).values()
        ]
        if shares:
            work.notes.append(
                f"generate: {len(specs)} candidates of the same model, planned apart, agree on "
                f"{min(shares):.0%} to {max(shares):.0%} of {len(samples)} probes, two by two"
            )
        return specs

    def _with_mode(self, spec: ToolSpec, samples: Sequence[Sample]) -> ToolSpec:
        """Warm where nothing is kept between calls. What fails on the first samples is left to the gate as it is."""
        pool = self.resources.sandbox
        first = score_in(pool, spec, samples[:3])
        if all(score.value is None for score in first) or keeps_state(pool, spec, samples[::2]):
            return spec
        return spec.model_copy(update={"params": {**spec.params, "mode": "warm"}})


def is_own(tool: ToolSpec) -> bool:
    """Whether a tool was written by a VerifierWriter."""
    return tool.provenance.get("writer") == VerifierWriter.name


class _Tokens:
    """What one candidate cost."""

    def __init__(self) -> None:
        self.calls = self.input = self.output = 0


class _Work:
    """One call of `write`: what was asked, spent, noted and made."""

    def __init__(
        self, llm: Llm, task: TaskSpec, labelled: Sequence[LabelledPair], max_repairs: int, own: Sequence[Tried]
    ) -> None:
        self.llm = llm
        self.task = task
        self.labelled = labelled
        self.notes: list[str] = []
        self.passed_over: list[PassedOver] = []
        self.tools: list[ToolSpec] = []
        self.prompts: dict[str, str] = {}
        self.stopped = ""
        """Why nothing more is asked."""
        self.sources = {each.tool.source for each in own}
        self.repairs = max([int(each.tool.provenance.get("repairs", 0)) for each in own], default=0)
        """Repairs of this task so far."""
        self._max_repairs = max_repairs
        self._attempt = len(own)

    @property
    def repairs_left(self) -> int:
        return self._max_repairs - self.repairs

    def next_attempt(self) -> int:
        self._attempt += 1
        return self._attempt

    def ask(
        self, prompt: str, variables: Mapping[str, Any], answer: type[ModelT], tokens: _Tokens | None = None
    ) -> ModelT | None:
        """The LLM's answer; None, with a note, where there is none."""
        if self.stopped:
            return None
        try:
            reply = self.llm.ask(prompt, variables, answer, fingerprint=self.task.fingerprint, node="generate")
        except ChatUnreadable as error:
            self.notes.append(f"generate: no usable answer to {prompt}: {error}")
            return None
        except (ChatError, BudgetSpent) as error:
            self.stopped = str(error)
            self.notes.append(f"generate: stopped at {prompt}: {error}")
            return None
        self.prompts[prompt] = reply.prompt_hash
        if tokens is not None:
            tokens.calls += reply.calls
            tokens.input += reply.input_tokens
            tokens.output += reply.output_tokens
        return reply.value

    def shown(self) -> JsonObject:
        """What a writer sees of the task: a few rows, with the answers that were proposed to them."""
        task = provable(self.task, self.labelled) if KINDS[self.task.contract.answer_kind].is_witnessed else self.task
        witnesses = {each.row_key: each for each in task.witnesses}
        rows: list[JsonObject] = []
        for example in _by_hash(task.examples)[:ROWS_SHOWN]:
            row: JsonObject = {"prompt": _cut(example.text, PROMPT_SHOWN)}
            if example.reference is not None:
                row["reference"] = _cut(example.reference, PROMPT_SHOWN // 2)
            if witness := witnesses.get(example.key):
                row["right"] = [_cut(text, PROMPT_SHOWN // 2) for text in witness.right[:2]]
                row["wrong"] = [_cut(text, PROMPT_SHOWN // 2) for text in witness.wrong[:3]]
            rows.append(row)
        return {**_about(task), "rows": rows}

    def secrets(self) -> tuple[list[str], list[str]]:
        """Answers and prompts that may not stand in the code. With a reference the code is given the answer anyway."""
        if not KINDS[self.task.contract.answer_kind].is_witnessed:
            return [], [example.text for example in self.task.examples]
        task = provable(self.task, self.labelled)
        right = [text for each in task.witnesses for text in each.right]
        return right, [example.text for example in task.examples]


def _about(task: TaskSpec) -> JsonObject:
    """What every prompt is told of a task."""
    contract = task.contract
    judged = f"{contract.answer_kind.value.replace('_', ' ')}, " + (
        "each row has a reference answer" if contract.has_reference else "no row has a reference answer"
    )
    quality = KINDS[contract.answer_kind].is_graded
    return {
        "label": task.label,
        "description": task.description,
        "criteria": list(task.criteria),
        "judged": judged,
        "role": "a graded score: better answers get more" if quality else "to decide right (1.0) or wrong (0.0)",
    }


def _by_hash(examples: Sequence[Example]) -> list[Example]:
    """Distinct rows in an order that does not depend on how they came."""
    distinct = {example.key: example for example in examples}
    return [distinct[key] for key in sorted(distinct, key=lambda key: digest("shown", key))]


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters * 2 // 3]} ... {text[-characters // 3 :]}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")[:40] or "verifier"


def _agreement(one: Sequence[Score], other: Sequence[Score]) -> float | None:
    """Share of samples on which two tools give the same, of those that both put a number on."""
    pairs = [
        (first.value, second.value)
        for first, second in zip(one, other, strict=True)
        if first.value is not None and second.value is not None
    ]
    if not pairs:
        return None
    return round(sum(abs(first - second) <= 0.05 for first, second in pairs) / len(pairs), 4)


# ------------------------------------------------------------------------------------------ failures


def failed_checks(certificate: Certificate) -> list[str]:
    """Names of the checks that stood against admission."""
    return [check.name for check in certificate.checks if check.passed is False] or ["a check that could not be run"]


def failures_of(certificate: Certificate, task: TaskSpec) -> list[JsonObject]:
    """What a rejected tool failed at, for its writer: per check why, and the worst probes with what was expected and got.

    The same for the same certificate on any machine: no measured times, so that an equal question is asked only once.
    """
    prompts = {example.id: example.text for example in task.examples}
    failures: list[JsonObject] = []
    shown = 0
    for check in certificate.checks:
        if check.passed is not False:
            continue
        if check.name == "latency":
            hangs = check.note if check.value is None else ""
            failures.append({"check": "latency", "why": "too slow, or it never ends" + (f": {hangs}" if hangs else "")})
            continue
        entry: JsonObject = {"check": check.name, "why": check.note}
        if check.value is not None and check.threshold is not None:
            entry.update(got=round(check.value, 3), needed=check.threshold)
        if differences := check.details.get("differences"):
            entry["differences"] = differences
        probes = []
        for probe in check.details.get("worst", []):
            if shown == FAILURES_SHOWN:
                break
            shown += 1
            probes.append(
                {
                    "tried": probe["kind"],
                    "prompt": _cut(prompts.get(str(probe["example"]), ""), PROMPT_SHOWN // 2),
                    "completion": probe["completion"],
                    **({"reference": probe["reference"]} if probe.get("reference") else {}),
                    "expected": probe["expected"],
                    "got": probe["got"] if probe["status"] == "ok" else f"{probe['status']}: {probe['why']}",
                }
            )
        if probes:
            entry["probes"] = probes
        failures.append(entry)
    return failures or [{"check": "admission", "why": "; ".join(certificate.reasons)}]


def _reasons(certificate: Certificate) -> list[str]:
    """Why it was rejected, without measured times."""
    return ["latency" if each.startswith("latency") else _cut(each, 300) for each in certificate.reasons]


def _distance(tried: Tried) -> tuple[int, float, int]:
    """How far an attempt is from admission: failed checks, then discrimination; of equals the latest."""
    certificate = tried.certificate
    return (
        len(certificate.reasons),
        -(certificate.discrimination or 0.0),
        -int(tried.tool.provenance.get("attempt", 0)),
    )
