"""The writer of judges: criteria from an LLM (or from the task), judges made of them, one revision where they were fooled.

A judge is a candidate like any other: the gate decides. Where nothing could prove one, none is made, and a note says what
would help.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from rlar.agent.sources import Found, Tried
from rlar.errors import BudgetSpent, ChatError, ToolError
from rlar.gate.recipe import first_reason
from rlar.kinds import KINDS
from rlar.llm.chat import Endpoint
from rlar.llm.ledger import Answer, Llm
from rlar.tools.judge import MOST_CRITERIA, Criterion, Form, judge_spec
from rlar.types import Certificate, JsonObject, LabelledPair, TaskSpec, ToolSpec, digest

ROWS_SHOWN = 6
FAILURES_SHOWN = 10
REVISED_FOR = ("hack_panel", "floor")
"""Checks whose failure a better rubric may cure: the judge gave something for nothing."""
NOT_PROVABLE = "a judge needs labelled pairs to be proven (--labelled)"


class RubricCriterion(BaseModel):
    """One criterion, as an LLM writes it."""

    model_config = ConfigDict(extra="forbid")

    text: str
    weight: int

    @field_validator("text")
    @classmethod
    def _is_a_sentence(cls, text: str) -> str:
        line = " ".join(text.split())
        if not 8 <= len(line) <= 400:
            raise ValueError("a criterion is one sentence of 8 to 400 characters")
        return line

    @field_validator("weight")
    @classmethod
    def _is_a_weight(cls, weight: int) -> int:
        if not 1 <= weight <= 5:
            raise ValueError("a weight is a whole number from 1 to 5")
        return weight


class Rubric(BaseModel):
    """What `write_rubric.md` asks for."""

    model_config = ConfigDict(extra="forbid")

    criteria: list[RubricCriterion]

    @field_validator("criteria")
    @classmethod
    def _is_a_rubric(cls, criteria: list[RubricCriterion]) -> list[RubricCriterion]:
        if not 3 <= len(criteria) <= 7:
            raise ValueError(f"a rubric has 3 to 7 criteria, not {len(criteria)}")
        if len({criterion.text.casefold() for criterion in criteria}) < len(criteria):
            raise ValueError("two criteria are the same")
        return criteria


def _no_pairs(_task: TaskSpec) -> Sequence[LabelledPair]:
    return ()


class JudgeWriter:
    """A ToolWriter: a pointwise judge for a task, and for open-ended ones a pairwise judge beside it."""

    name = "judge"

    def __init__(
        self,
        llm: Llm,
        endpoint: Endpoint,
        *,
        labelled: Callable[[TaskSpec], Sequence[LabelledPair]] = _no_pairs,
        **settings: Any,
    ) -> None:
        """
        Args:
            llm: writes the criteria.
            endpoint: judges with them.
            labelled: the user's pairs for a task: what else could prove a judge where no row has a reference.
            settings: further fields of JudgeParams (seconds, at_once, max_comparisons ...).
        """
        self._llm, self._endpoint, self._labelled, self._settings = llm, endpoint, labelled, settings

    def write(self, task: TaskSpec, tried: Sequence[Tried]) -> Found:
        """Judges for the gate; in a later round one revision of the rubric, told what its judge fell for."""
        kind = task.contract.answer_kind
        if KINDS[kind].code_decides:
            return _nothing(f"answers of kind {kind.value} are decided by code, not by a reader")
        if not task.contract.has_reference and not self._labelled(task):
            return _nothing(NOT_PROVABLE)
        own = [each for each in tried if each.tool.provenance.get("writer") == self.name]
        if not own:
            return self._first(task)
        return self._revised(task, own)

    def _first(self, task: TaskSpec) -> Found:
        if task.criteria:
            criteria = [Criterion(text=text) for text in task.criteria[:MOST_CRITERIA] if text.strip()]
            return self._judges(task, criteria, _forms(task), {"attempt": 1, "criteria_by": "the task"})
        return self._asked(task, _forms(task), attempt=1)

    def _revised(self, task: TaskSpec, own: Sequence[Tried]) -> Found:
        if any(each.certificate.admitted for each in own):
            return _nothing("one is admitted")
        if any(each.tool.provenance.get("attempt") != 1 for each in own):
            return _nothing("the revised rubric was turned down, too")
        fooled = [each for each in own if _fooled(each.certificate)]
        if not fooled:
            return _nothing(f"turned down for what no rubric cures: {first_reason(own[-1].certificate)}")
        forms: list[Form] = ["pairwise" if each.tool.params["form"] == "pairwise" else "pointwise" for each in fooled]
        return self._asked(task, tuple(dict.fromkeys(forms)), attempt=2, fooled=fooled)

    def _asked(self, task: TaskSpec, forms: Sequence[Form], *, attempt: int, fooled: Sequence[Tried] = ()) -> Found:
        """Judges with criteria that the LLM writes."""
        variables = {
            "label": task.label,
            "description": task.description,
            "kind": task.contract.answer_kind,
            "has_reference": task.contract.has_reference,
            "rows": _rows(task),
            "criteria": fooled[0].tool.params["criteria"] if fooled else [],
            "failures": [failure for each in fooled for failure in _failures(each.certificate)][:FAILURES_SHOWN],
        }
        try:
            answer: Answer[Rubric] = self._llm.ask(
                "write_rubric", variables, Rubric, fingerprint=task.fingerprint, node="generate"
            )
        except (BudgetSpent, ChatError) as error:
            return _nothing(f"no rubric: {error}")
        criteria = [Criterion(text=each.text, weight=float(each.weight)) for each in answer.value.criteria]
        provenance: JsonObject = {
            "attempt": attempt,
            "criteria_by": answer.by,
            "prompt_hash": answer.prompt_hash,
            "calls": answer.calls,
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
        }
        if fooled:
            reasons = [reason for each in fooled for reason in each.certificate.reasons]
            provenance |= {"revises": fooled[0].tool.id, "failures": reasons[:FAILURES_SHOWN]}
        return self._judges(task, criteria, forms, provenance)

    def _judges(
        self, task: TaskSpec, criteria: Sequence[Criterion], forms: Sequence[Form], provenance: JsonObject
    ) -> Found:
        provenance = {"writer": self.name, "model": self._endpoint.name, **provenance}
        tools: list[ToolSpec] = []
        try:
            for form in forms:
                tools.append(
                    judge_spec(
                        self._endpoint.model_dump(mode="json"),
                        criteria,
                        form=form,
                        with_reference=task.contract.has_reference,
                        provenance=provenance,
                        **self._settings,
                    )
                )
        except ToolError as error:
            return _nothing(str(error))
        revised = "a revised rubric of " if provenance["attempt"] != 1 else ""
        note = f"judge: {revised}{len(criteria)} criteria by {provenance['criteria_by']}; {' and '.join(forms)}"
        return Found(tools=tuple(tools), notes=(note,))


def _forms(task: TaskSpec) -> tuple[Form, ...]:
    """Comparing pays where answers differ in taste more than in truth: it costs N times as many calls a group."""
    return ("pointwise", "pairwise") if KINDS[task.contract.answer_kind].is_open else ("pointwise",)


def _nothing(why: str) -> Found:
    return Found(notes=(f"judge: {why}",))


def _rows(task: TaskSpec) -> list[JsonObject]:
    """A few rows, the same whatever their order was."""
    rows = sorted(task.examples, key=lambda example: digest("rubric", example.key))[:ROWS_SHOWN]
    return [
        {"request": row.text, **({"reference": row.reference} if row.reference is not None else {})} for row in rows
    ]


def _fooled(certificate: Certificate) -> bool:
    return any(check.name in REVISED_FOR and check.passed is False for check in certificate.checks)


def _failures(certificate: Certificate) -> list[JsonObject]:
    """What the judge gave too much for, worst first."""
    failures = []
    for check in certificate.checks:
        if check.name in REVISED_FOR and check.passed is False:
            for worst in check.details.get("worst", ()):
                failures.append({name: worst.get(name) for name in ("kind", "completion", "expected", "got", "why")})
    return failures
