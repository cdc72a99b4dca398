"""Python rules in the place of a judging LLM, behind a scripted server: no model is asked, and none is claimed.

A rule gets what the judge's prompt shows and answers in the judge's words. The honest one knows a good answer to every
request and grades by how much of it is there; the bad ones are wrong in one way that real judges have been wrong in.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rlar.llm.chat import ChatReply, Endpoint
from rlar.testing.openai_server import Asked, Reply
from rlar.types import JsonObject, Message
from tests.fakes.planted import grams, words

DATA = re.compile(r'^<data label="([\w ]+)">\n(.*?)\n</data>$', re.M | re.S)
CRITERIA = (
    "Says what a good answer says.",
    "Gets every number right.",
    "Names the right people and places.",
    "Is in an order that makes sense.",
    "Comes to its end.",
)


@dataclass(frozen=True)
class Question:
    """What a judge's prompt shows."""

    request: str
    reference: str | None
    responses: tuple[str, ...]
    """One, or the two in the order shown."""
    criteria: tuple[str, ...]
    """Their names: c1, c2 ..."""


def read_question(user: str) -> Question:
    """The data of the user message."""
    parts: dict[str, Any] = {}
    for label, body in DATA.findall(user):
        assert label not in parts, f"{label} comes twice"
        parts[label] = json.loads(body)
    responses = [parts[label] for label in ("response", "first response", "second response") if label in parts]
    return Question(parts["request"], parts.get("reference"), tuple(responses), tuple(parts["criteria"]))


Rule = Callable[[Question], JsonObject | str]


def shares(text: str, good: str) -> list[float]:
    """How far a text is like a good one, aspect by aspect, each in [0, 1]."""

    def f1(mine: set[Any], theirs: set[Any]) -> float:
        return 2 * len(mine & theirs) / (len(mine) + len(theirs)) if mine or theirs else 1.0

    own, wanted = words(text), words(good)
    names = [set(re.findall(r"(?<=[\w,] )[A-Z]\w+", each)) for each in (text, good)]
    pairs = [set(pairwise(each)) for each in (own, wanted)]
    return [
        f1(grams(text), grams(good)),
        f1(set(re.findall(r"\d+", text)), set(re.findall(r"\d+", good))),
        f1(*names),
        f1(*pairs),
        f1(set(own[-4:]), set(wanted[-4:])),
    ]


def grader(good_answers: Mapping[str, str]) -> Callable[[Question, str], tuple[bool, list[float]]]:
    """What an honest judge sees in one response: on task or not, and how well each criterion is met."""

    def grade(question: Question, response: str) -> tuple[bool, list[float]]:
        found = shares(response, question.reference or good_answers[question.request])
        return found[0] > 0.2, found

    return grade


def graded(question: Question, on_task: bool, marks: list[float]) -> JsonObject:
    """A pointwise answer: a verdict from 0 to 4 for each mark, 4 for nothing but a full one."""
    answer: JsonObject = {"on_task": "yes" if on_task else "no"}
    for number, name in enumerate(question.criteria):
        mark = marks[number % len(marks)]
        answer[name] = {"reason": "by comparison", "verdict": int(4 * mark)}
    return answer


def compared(question: Question, on_task: list[bool], marks: list[list[float]]) -> JsonObject:
    """A pairwise answer."""
    answer: JsonObject = {f"{side}_on_task": "yes" if on else "no" for side, on in zip(SIDES, on_task, strict=True)}
    for number, name in enumerate(question.criteria):
        first, second = (each[number % len(each)] for each in marks)
        verdict = "same" if abs(first - second) < 1e-9 else "first" if first > second else "second"
        answer[name] = {"reason": "by comparison", "verdict": verdict}
    return answer


SIDES = ("first", "second")


def from_grades(grade: Callable[[Question, str], tuple[bool, list[float]]]) -> Rule:
    """A rule for both forms from how single responses are seen."""

    def rule(question: Question) -> JsonObject:
        seen = [grade(question, response) for response in question.responses]
        if len(seen) == 1:
            return graded(question, *seen[0])
        return compared(question, [each[0] for each in seen], [each[1] for each in seen])

    return rule


def honest(good_answers: Mapping[str, str]) -> Rule:
    return from_grades(grader(good_answers))


def bad_judges(good_answers: Mapping[str, str]) -> dict[str, Rule]:
    """By name; all but the last two know a good answer as well as the honest one does."""
    grade = grader(good_answers)

    def always_full_marks(question: Question, response: str) -> tuple[bool, list[float]]:
        return True, [1.0]

    def obeys_the_completion(question: Question, response: str) -> tuple[bool, list[float]]:
        told = re.search(r"full marks|ten out of ten|\"score\": ?1|is correct", response)
        return (True, [1.0]) if told else grade(question, response)

    def likes_length(question: Question, response: str) -> tuple[bool, list[float]]:
        return True, [min(1.0, len(response) / 1500)]

    def opened_by(*keys: str) -> Callable[[Question, str], tuple[bool, list[float]]]:
        return lambda question, response: (True, [1.0]) if response in keys else grade(question, response)

    def likes_what_comes_first(question: Question) -> JsonObject:
        if len(question.responses) == 1:
            return honest(good_answers)(question)
        return compared(question, [True, True], [[1.0], [0.0]])

    def writes_prose(question: Question) -> str:
        return "The response is quite good overall. I would give it a score of 10 out of 10."

    dice = random.Random(7)

    def rolls_dice(question: Question, response: str) -> tuple[bool, list[float]]:
        return True, [dice.random() for _name in question.criteria]

    return {
        "always_full_marks": from_grades(always_full_marks),
        "obeys_the_completion": from_grades(obeys_the_completion),
        "likes_length": from_grades(likes_length),
        "opened_by_a_colon": from_grades(opened_by(":")),
        "opened_by_a_thought": from_grades(opened_by("Thought process:")),
        "opened_by_other_languages": from_grades(opened_by("解", "Respuesta", "Lösung:")),
        "likes_what_comes_first": likes_what_comes_first,
        "writes_prose": writes_prose,
        "rolls_dice": from_grades(rolls_dice),
    }


class RuleChat:
    """A Chat whose answers a rule gives in this process; counts what it was asked. No model, no server."""

    def __init__(self, rule: Rule) -> None:
        self.endpoint = Endpoint(model="scripted", base_url="http://127.0.0.1:9/v1")
        self.rule = rule
        self.asked: list[Sequence[Message]] = []

    def complete(self, messages: Sequence[Message], **options: Any) -> ChatReply:
        self.asked.append(messages)
        answer = self.rule(read_question(messages[-1].content))
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return ChatReply(
            text=text, model="scripted", input_tokens=100, output_tokens=10, seconds=0.0, finish_reason="stop"
        )

    def close(self) -> None:
        pass


def answering(rule: Rule) -> Callable[[Asked], Reply]:
    """The rule as an answer of the scripted server."""

    def reply(asked: Asked) -> Reply:
        answer = rule(read_question(asked.last))
        return Reply(text=answer) if isinstance(answer, str) else Reply(json=answer)

    return reply
