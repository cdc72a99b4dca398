"""Is a row read at all? A verifier that refuses the row's own right answers has misread it.

The same completions are tried at the gate and where the row's completions are scored, so that a row which is set aside
there is abstained on here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from rlar.errors import boundary
from rlar.kinds import KINDS
from rlar.kinds.material import Material, Notes, Row, accepted_answers, equals_any
from rlar.kinds.rule.probes import right_answers
from rlar.text.shapes import final_answer
from rlar.tool import named
from rlar.types import AnswerKind, Example, JsonObject, Score, TaskSpec

TRIED = {"inline": 3, "pool": 3}
"""By the place where a verifier runs: right answers of a row that it must accept, the plain one and the next ways to write
it. Elsewhere one: a program is run for each."""
ACCEPTED = 0.95
"""Score of a verifier from which on it accepts a completion."""
LONGEST_ROW = 100_000
"""Characters of prompt and reference; probing with longer rows takes time and shows nothing new."""

Maker = Callable[[Row, Notes], Material | None]


def maker_of(kind: AnswerKind) -> Maker | None:
    """Who makes the material of an answer kind; None where only labelled pairs can prove a tool."""
    if not (address := KINDS[kind].probes):
        return None
    maker: Maker = named(address)
    return maker


def is_too_long(example: Example) -> bool:
    """Whether nothing is made of a row because of its length."""
    return len(example.text) + len(example.reference or "") > LONGEST_ROW


def material_row(example: Example, binding: JsonObject, task: TaskSpec, rng: Random, others: Sequence[Example]) -> Row:
    """One row with all that its material is made from.

    Args:
        others: rows whose answers are wrong here.
    """
    kind = task.contract.answer_kind
    results = [_result(reference, kind) for reference in example.references]
    accepted = tuple(dict.fromkeys((*accepted_answers(example, binding), *filter(None, results))))
    elsewhere = [_result(other.reference or "", kind) for other in others]
    if KINDS[kind].is_witnessed:
        accepted = right_answers(task, example)
        elsewhere = [answer for other in others for answer in right_answers(task, other)[:1]]
    peers = dict.fromkeys(answer for answer in elsewhere if answer.strip() and not equals_any(answer, accepted))
    return Row(example, binding, tuple(peers), task, rng, accepted, _result(example.reference or "", kind))


def _result(reference: str, kind: AnswerKind) -> str:
    """What a reference answers: of a worked solution its result, which is what models write and others get wrong."""
    return final_answer(reference) if KINDS[kind].ends_solution else reference


def own_answers(example: Example, binding: JsonObject, task: TaskSpec, place: str) -> tuple[str, ...]:
    """Completions that are right for a row, as many as are tried with a verifier; none where none can be made.

    The same for the same row and contract wherever they are asked for; other rows of the task have no part in them.

    Args:
        place: where the verifier runs (`rlar.tools.load.where`).
    """
    kind = task.contract.answer_kind
    maker = maker_of(kind)
    if maker is None or KINDS[kind].is_witnessed or is_too_long(example):
        return ()

    def make() -> tuple[str, ...]:
        material = maker(material_row(example, binding, task, Random(f"own:{example.key}"), ()), Notes())
        return tuple(each.text for each in material.right[: TRIED.get(place, 1)]) if material is not None else ()

    return boundary(make, lambda _error: ())


def refusal(scores: Sequence[Score]) -> str:
    """Why a verifier refuses one of a row's own answers, from its scores of them; "" where it refuses none."""
    answered = [score for score in scores if score.status in ("ok", "failed")]
    refused = next((score for score in answered if (score.value or 0.0) < ACCEPTED), None)
    if refused is None:
        return ""
    why = refused.error or refused.explanation or f"score {refused.value}"
    return f"its own right answer is refused ({why[:160]})"


def unread(scores: Sequence[Score]) -> str:
    """Why a verifier's numbers for a row mean nothing, from its scores of the row's own answers; "" where they count."""
    if why := refusal(scores):
        return f"misread: {why}"
    if any(score.status == "ok" for score in scores):
        return ""
    known = "got no score" if scores else "is not known"
    return f"this verifier misreads some rows of the task, and a right answer to see whether it reads this one {known}"
