"""Verifier of the constraints that a prompt puts on the form of its response (lengths, formats, words, case, language ...)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import ValidationError

from rlar.kinds.constraints.check import Verdict, check
from rlar.kinds.constraints.read import Constraint, parse_constraints
from rlar.kinds.constraints.write.construct import satisfy
from rlar.kinds.constraints.write.violate import violate
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok
from rlar.visible import is_visible

__all__ = ["Constraints", "satisfy", "violate"]

MIN_CONFIDENCE = 0.5
"""A reading of the prompt that is less certain than this decides nothing."""
MAX_CHARACTERS = 500_000
"""No answer to a prompt is longer; a longer completion is malformed."""


class Constraints(LibraryTool):
    """1.0 if and only if every hard constraint is met, else a part of the credit for those that are."""

    name: ClassVar[str] = "constraints"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.CONSTRAINTS})
    role: ClassVar[Literal["verifier", "quality", "guard"]] = "verifier"
    runs: ClassVar[Literal["inline", "pool", "sandbox"]] = "pool"
    summary: ClassVar[str] = (
        "checks the verifiable constraints read from the prompt: counts, words, formats, case, language"
    )

    def score_one(self, sample: Sample) -> Score:
        """See the class; abstains when nothing is bound or when a constraint cannot be decided."""
        bound = _bound(sample)
        if isinstance(bound, str):
            return abstain(bound)
        hard = [c for c in bound if c.strength == "hard"]
        if not hard:
            return abstain("the prompt puts no verifiable constraint on the response")
        unsure = [c for c in hard if c.confidence < MIN_CONFIDENCE]
        if unsure:
            return abstain(f"cannot decide {_name(unsure[0])}: {unsure[0].quote[:80]!r}")
        response = sample.completion
        if not is_visible(response):
            return ok(0.0, "empty response", met=0, total=len(hard))
        if len(response) > MAX_CHARACTERS:
            return ok(0.0, "response of over half a million characters", met=0, total=len(hard))
        return self._decide(hard, [check(c.kind, c.params, response) for c in hard])

    def _decide(self, hard: Sequence[Constraint], verdicts: Sequence[Verdict]) -> Score:
        unmet = [(c, v) for c, v in zip(hard, verdicts, strict=True) if v.met is False]
        met = sum(1 for v in verdicts if v.met is True)
        if unmet:
            credit = float(self.spec.params.get("partial_credit", 0.4)) * met / len(hard)
            named = "; ".join(f"{_name(c)} ({v.seen})" if v.seen else _name(c) for c, v in unmet[:4])
            return ok(credit, f"unmet: {named}"[:400], met=met, total=len(hard))
        undecided = [(c, v) for c, v in zip(hard, verdicts, strict=True) if v.met is None]
        if undecided:
            constraint, verdict = undecided[0]
            return abstain(f"cannot decide {_name(constraint)}: {verdict.seen}"[:400])
        return ok(1.0, f"all {len(hard)} constraints met", met=met, total=len(hard))


def _bound(sample: Sample) -> tuple[Constraint, ...] | str:
    """The constraints of the sample's binding, or of its prompt when nothing is bound; a text says what is wrong."""
    raw = sample.binding.get("constraints")
    if raw is None:
        return parse_constraints(sample.prompt)
    if not isinstance(raw, list):
        return "the binding's constraints are not a list"
    try:
        return tuple(Constraint.model_validate(item) for item in raw)
    except ValidationError as error:
        return f"the binding's constraints are malformed ({error.error_count()} errors)"


def _name(constraint: Constraint) -> str:
    shown = ", ".join(
        f"{key} {str(value)[:40]}"
        for key, value in constraint.params.items()
        if key not in ("text", "shortest", "separator")
    )
    return f"{constraint.kind} {shown}".strip()
