"""Verifier of the constraints that a prompt puts on the form of its response (lengths, formats, words, case, language ...)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import JsonValue, ValidationError

from rlar.kinds.constraints.check import Keywords, check
from rlar.kinds.constraints.misread import MISREAD
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
    """1.0 if and only if every hard constraint is met, else a part of the credit for those that are.

    What the prompt asks of tone, style and audience is not judged; `details.unjudged` quotes it.
    """

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
        decided = [c for c in bound if c.strength == "hard" and c.confidence >= MIN_CONFIDENCE]
        unread = [c for c in bound if c.strength == "hard" and c.confidence < MIN_CONFIDENCE]
        # What was read of a clause that asks for more is a part of its demand, and may be the wrong one.
        hard = [c for c in decided if not any(_overlap(c.quote, each.quote) for each in unread)]
        if not hard:
            return abstain(_unread(unread) if unread else "the prompt puts no verifiable constraint on the response")
        details: dict[str, JsonValue] = {"total": len(hard) + len(unread)}
        if unread:
            details["unread"] = [each.quote[:200] or _name(each) for each in unread]
        manner: list[JsonValue] = [c.quote[:200] for c in bound if c.kind == "unsupported" and c.strength == "soft"]
        if manner:
            details["unjudged"] = manner
        response = sample.completion
        if not is_visible(response):
            return ok(0.0, "empty response", met=0, **details)
        if len(response) > MAX_CHARACTERS:
            return ok(0.0, "response of over half a million characters", met=0, **details)
        verdicts = [(c, check(c.kind, c.params, response, self._keywords)) for c in hard]
        unmet = [(c, v) for c, v in verdicts if v.met is False]
        met = sum(1 for _c, v in verdicts if v.met is True)
        if unmet:
            credit = float(self.spec.params.get("partial_credit", 0.4)) * met / (len(hard) + len(unread))
            named = "; ".join(f"{_name(c)} ({v.seen})" if v.seen else _name(c) for c, v in unmet[:4])
            return ok(credit, f"unmet: {named}"[:400], met=met, **details)
        undecided = [(c, v) for c, v in verdicts if v.met is None]
        if undecided:
            constraint, verdict = undecided[0]
            return abstain(f"cannot decide {_name(constraint)}: {verdict.seen}"[:400])
        if unread and self.spec.params.get("partial") != "flag":
            return abstain(_unread(unread), **details)
        for constraint in bound:
            # A loose amount ("a 2 paragraph critique") refuses nothing, but what misses it has not met everything.
            if constraint.strength != "soft":
                continue
            loose = check(constraint.kind, constraint.params, response).met
            if loose is False or (loose is None and constraint.params.get("listed")):
                return abstain(f"misses what is loosely asked: {_name(constraint)}"[:400])
        if unread:
            return ok(
                met / (len(hard) + len(unread)), f"{met} constraints met; {_unread(unread)}"[:400], met=met, **details
            )
        return ok(1.0, f"all {len(hard)} constraints met", met=met, **details)

    def exempt(self) -> frozenset[str]:
        """Partial credit for what is read, and keywords inside words, are the user's own choice."""
        if self.spec.params.get("partial") == "flag":
            return frozenset(each.kind for each in MISREAD)
        return frozenset({"misread_inside_words"}) if self._keywords == "inside" else frozenset()

    @property
    def _keywords(self) -> Keywords:
        return "inside" if self.spec.params.get("keywords") == "inside" else "whole"


def _overlap(one: str, other: str) -> bool:
    return bool(one) and bool(other) and (one in other or other in one)


def _unread(unread: Sequence[Constraint]) -> str:
    first = unread[0]
    left = f" ({first.params['about']})" if first.params.get("about") else ""
    more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
    return f"unread: {first.quote[:160]!r}{left}{more}"[:400]


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
