"""Judges: an LLM asked about a completion, criterion by criterion; the score is computed here from its verdicts.

Pointwise: one completion, a verdict per criterion, the weighted mean as a score. Pairwise: the completions of one prompt
against each other, each comparison in both orders; a winner only where both orders name the same one.

What an LLM answers is believed only in the asked shape: verdicts within their range, every criterion, nothing else.
Anything else (prose, a refusal, a missing criterion, a number out of range) is "failed", never a number. What a judge
is worth is the gate's question, not this file's.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import fsum
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, ValidationError, field_validator

from rlar.errors import ChatError, RlarError, ToolError, first_problem
from rlar.llm.prompts import ours, prompt
from rlar.process import Slots
from rlar.text.answers import clean, squeeze, visible_answer
from rlar.tool import Resources, group_indices
from rlar.types import (
    Frozen,
    JsonObject,
    Message,
    Sample,
    Score,
    ToolKind,
    ToolSpec,
    abstain,
    canonical_json,
    digest,
    failed,
    ok,
    timed_out,
)

if TYPE_CHECKING:
    from rlar.llm.chat import Chat, ChatReply, Endpoint

Form = Literal["pointwise", "pairwise"]
FORMS: tuple[Form, ...] = ("pointwise", "pairwise")

JUDGE_VERSION = "1"
"""Raise it when the same verdicts would give another score: then every judge is another tool."""
MOST_CRITERIA = 12
PROMPTS = Path(__file__).resolve().parents[1] / "llm" / "prompts" / "judge"
NO_PEERS = "a pairwise judge needs a second completion of the prompt, or a reference, to compare with"


class Criterion(Frozen):
    """One thing that a good answer does."""

    text: str = Field(min_length=1, max_length=1000)
    weight: float = Field(default=1.0, gt=0, le=100)


class JudgeParams(Frozen):
    """The params of a judge's ToolSpec: all that its verdicts depend on, and its limits. Never a key."""

    endpoint: JsonObject
    """Fields of rlar.llm.chat.Endpoint."""
    prompt: Literal["pointwise", "pairwise"]
    """File in `rlar/llm/prompts/judge/`."""
    prompt_hash: str
    criteria: tuple[Criterion, ...] = Field(min_length=1, max_length=MOST_CRITERIA)
    form: Form
    with_reference: bool = False
    """Show the reference to the judge; abstain where a row has none (pairwise: judge without)."""
    scale: tuple[int, int] = (0, 4)
    """Lowest and highest verdict of a criterion (pointwise)."""
    served_model: str | None = None
    """The name under which the server answers, where that is fixed (an alias may come to mean another model)."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    seed: int | None = 0
    max_tokens: int | None = Field(default=None, ge=64)
    seconds: float = Field(default=120.0, gt=0)
    """One answer may take so long, retries included; then the score is a timeout."""
    at_once: int = Field(default=8, ge=1, le=256)
    """Calls at once to this endpoint."""
    max_comparisons: int = Field(default=28, ge=1)
    """Pairs compared in a group (28: all pairs of 8 completions); larger groups are compared along a ring."""
    whole_groups: bool = False
    role: Literal["quality"] = "quality"

    @field_validator("scale")
    @classmethod
    def _is_a_scale(cls, scale: tuple[int, int]) -> tuple[int, int]:
        if scale[0] != 0 or not 1 <= scale[1] <= 100:
            raise ValueError("a scale begins at 0 and ends between 1 and 100")
        return scale


def judge_spec(
    endpoint: JsonObject,
    criteria: Sequence[Criterion],
    *,
    form: Form = "pointwise",
    with_reference: bool = False,
    name: str = "",
    provenance: JsonObject | None = None,
    **settings: Any,
) -> ToolSpec:
    """The ToolSpec of a judge with today's prompt; `settings` are further fields of JudgeParams."""
    from rlar.llm.chat import Endpoint

    named = Endpoint.model_validate(endpoint)
    params = JudgeParams(
        endpoint=named.model_dump(mode="json"),
        prompt=form,
        prompt_hash=prompt_hash(form),
        criteria=tuple(criteria),
        form=form,
        with_reference=with_reference,
        whole_groups=form == "pairwise",
        **settings,
    )
    return ToolSpec(
        kind=ToolKind.JUDGE,
        name=name or f"judge_{form}",
        source=named.name,
        params=params.model_dump(mode="json"),
        code_hash=params.prompt_hash,
        provenance=provenance or {},
    )


# ------------------------------------------------------------------------------------------ prompts


def prompt_hash(name: str) -> str:
    """12 hex digits of a prompt file and of how its verdicts become a score."""
    return digest(JUDGE_VERSION, prompt(name, PROMPTS).hash, size=12)


# ------------------------------------------------------------------------------------------ answers


class _Unreadable(Exception):
    """What is wrong with an answer."""


def _object(text: str) -> dict[str, Any]:
    """The one JSON object that an answer is; every key once."""

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _value in pairs]
        if len(set(names)) != len(names):
            raise _Unreadable("a key comes twice")
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise _Unreadable(f"not JSON: {_short(text)!r}") from error
    if not isinstance(value, dict):
        raise _Unreadable(f"a JSON {type(value).__name__}, not an object")
    return value


def _only(value: Any, names: Sequence[str], where: str) -> dict[str, Any]:
    """A dict with exactly these keys."""
    if not isinstance(value, dict):
        raise _Unreadable(f"{where} is {_short(json.dumps(value))}, not an object")
    if missing := [name for name in names if name not in value]:
        raise _Unreadable(f"{where} lacks {', '.join(missing)}")
    if extra := [name for name in value if name not in names]:
        raise _Unreadable(f"{where} has the unknown key {_short(str(extra[0]))!r}")
    return value


def _one_of(value: Any, allowed: Sequence[Any], where: str) -> Any:
    if isinstance(value, bool) or value not in allowed or type(value) is not type(allowed[0]):
        raise _Unreadable(f"{where} is {_short(json.dumps(value))}, not one of {allowed[0]!r} to {allowed[-1]!r}")
    return value


def _short(text: str, limit: int = 80) -> str:
    line = squeeze(text)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _verdict_schema(names: Sequence[str], verdict: JsonObject, first: dict[str, JsonObject]) -> JsonObject:
    """A strict schema: the decisions in `first`, then per criterion a reason and, after it, the verdict."""
    criterion = {
        "type": "object",
        "properties": {"reason": {"type": "string"}, "verdict": verdict},
        "required": ["reason", "verdict"],
        "additionalProperties": False,
    }
    properties = {**first, **{name: criterion for name in names}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_YES_NO: JsonObject = {"type": "string", "enum": ["yes", "no"]}
_SIDES = ("first", "second", "same")


class _Question(NamedTuple):
    """One question to the LLM."""

    messages: Sequence[Message]
    schema: JsonObject
    read: Callable[[str], Any]
    """Raises _Unreadable."""


@dataclass(frozen=True)
class _Answer:
    """What came of a question: what was read, or the Score that says why nothing was."""

    found: Any = None
    trouble: Score | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""

    @property
    def details(self) -> JsonObject:
        spent = {"calls": 1, "input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        return {**spent, **({"model": self.model} if self.model else {})}


def _answer(verdict: Any, trouble: Score | None, reply: ChatReply | None) -> _Answer:
    if reply is None:
        return _Answer(verdict, trouble)
    return _Answer(verdict, trouble, reply.input_tokens, reply.output_tokens, reply.model)


# ------------------------------------------------------------------------------------------ the tool


class Judge:
    """A judge as a RewardTool; waits for its endpoint, so it works on many samples at once by itself."""

    def __init__(self, spec: ToolSpec, resources: Resources, chat: Chat | None = None) -> None:
        """
        Args:
            chat: who is asked; by default the one chat client on the spec's endpoint.

        Raises:
            ToolError: the params are wrong, the prompt is another one by now, or the endpoint cannot be used.
        """
        self.spec = spec
        try:
            self.params = JudgeParams.model_validate(spec.params)
        except ValidationError as error:
            raise ToolError(f"judge {spec.id}: params.{first_problem(error)}") from error
        params = self.params
        if params.whole_groups != (params.form == "pairwise") or params.prompt != params.form:
            raise ToolError(f"judge {spec.id}: prompt and whole_groups do not fit the form {params.form!r}")
        if problem := outdated(spec):
            raise ToolError(f"judge {spec.id}: {problem}")
        self._prompt = prompt(params.form, PROMPTS)
        self.whole_groups = params.whole_groups
        self.concurrency = params.at_once
        self.batch_size = 16
        self._names = [f"c{number}" for number in range(1, len(params.criteria) + 1)]
        self._chat = chat if chat is not None else _chat_of(spec, params, resources)
        self._slots = resources.shared(f"judge.slots:{spec.source}:{params.at_once}", lambda: Slots(params.at_once))
        self._served = params.served_model
        self._lock = threading.Lock()

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order. Pairwise: a sample's group are the samples with its prompt in this call."""
        return self._pointwise(samples) if self.params.form == "pointwise" else self._pairwise(samples)

    # -------------------------------------------------------------------------------- asking

    def _ask_all(self, questions: Sequence[_Question]) -> list[_Answer]:
        """The answers, in order; equal questions are asked once, and the first carries what they cost."""
        keys = [canonical_json([message.model_dump() for message in question.messages]) for question in questions]
        distinct: dict[str, _Question] = {}
        for key, question in zip(keys, questions, strict=True):
            distinct.setdefault(key, question)
        seconds = self.params.seconds
        answered = dict(
            zip(
                distinct,
                self._slots.run(
                    [partial(self._ask, question) for question in distinct.values()],
                    seconds=seconds,
                    on_error=lambda error: _Answer(trouble=failed(_why(error))),
                    late=lambda: _Answer(trouble=timed_out(f"no verdict within {seconds:g} s")),
                ),
                strict=True,
            )
        )
        answers: list[_Answer] = []
        paid: set[str] = set()
        for key in keys:
            answer = answered[key]
            answers.append(_Answer(answer.found, answer.trouble, model=answer.model) if key in paid else answer)
            paid.add(key)
        return answers

    def _ask(self, question: _Question) -> _Answer:
        params = self.params
        try:
            reply = self._chat.complete(
                question.messages,
                schema=question.schema,
                schema_name="verdicts",
                temperature=params.temperature,
                max_tokens=params.max_tokens,
                seed=params.seed,
            )
        except ChatError as error:
            # An answer that was refused or cut off was paid for.
            return _answer(None, failed(_why(error)), getattr(error, "reply", None))
        if other := self._another_model(reply):
            return _answer(None, failed(other), reply)
        try:
            return _answer(question.read(reply.text), None, reply)
        except _Unreadable as error:
            return _answer(None, failed(f"unreadable verdict: {error}"), reply)

    def _another_model(self, reply: ChatReply) -> str:
        """Why this answer is another judge's; "" when it is not."""
        with self._lock:
            if self._served is None and reply.model:
                self._served = reply.model
            if not reply.model or reply.model == self._served:
                return ""
            return f"{self.spec.source} answers as {_short(reply.model)!r} and answered as {self._served!r} before"

    # -------------------------------------------------------------------------------- pointwise

    def _pointwise(self, samples: Sequence[Sample]) -> list[Score]:
        scores: dict[int, Score] = {}
        questions: dict[int, _Question] = {}
        for index, sample in enumerate(samples):
            text = visible_answer(sample.completion, sample.prompt)
            if self.params.with_reference and not _reference(sample):
                scores[index] = abstain("no reference to judge by")
            elif not text:
                scores[index] = ok(0.0, "nothing was answered")
            else:
                questions[index] = self._grade(sample, text)
        for index, answer in zip(questions, self._ask_all(list(questions.values())), strict=True):
            scores[index] = self._graded(answer)
        return [scores[index] for index in range(len(samples))]

    def _grade(self, sample: Sample, text: str) -> _Question:
        lowest, highest = self.params.scale
        schema = _verdict_schema(
            self._names,
            {"type": "integer", "enum": list(range(lowest, highest + 1))},
            {"on_task": _YES_NO},
        )
        messages = self._prompt.messages({**self._shown(sample), "response": text, "highest": highest})
        return _Question(messages, schema, self._read_grades)

    def _shown(self, sample: Sample) -> dict[str, Any]:
        """What both prompts show besides the responses."""
        reference = _reference(sample) if self.params.with_reference else ""
        return {
            "request": clean(sample.prompt),
            "with_reference": bool(reference),
            "reference": reference,
            "criteria": {name: clean(each.text) for name, each in zip(self._names, self.params.criteria, strict=True)},
            "names": ours(", ".join(self._names)),
        }

    def _read_grades(self, text: str) -> tuple[bool, list[int]]:
        """On task or not, and the verdict of each criterion."""
        lowest, highest = self.params.scale
        answer = _only(_object(text), ["on_task", *self._names], "the answer")
        on_task = _one_of(answer["on_task"], ("yes", "no"), "on_task") == "yes"
        grades: list[int] = []
        for name in self._names:
            verdict = _only(answer[name], ["reason", "verdict"], name)["verdict"]
            grades.append(_one_of(verdict, range(lowest, highest + 1), f"{name}.verdict"))
        return on_task, grades

    def _graded(self, answer: _Answer) -> Score:
        if answer.trouble is not None:
            return answer.trouble.model_copy(update={"details": answer.details})
        on_task, grades = answer.found
        highest = self.params.scale[1]
        if not on_task:
            return ok(0.0, "not an attempt at what is asked", **answer.details)
        weights = [criterion.weight for criterion in self.params.criteria]
        value = fsum(weight * grade for weight, grade in zip(weights, grades, strict=True)) / (fsum(weights) * highest)
        summary = ", ".join(f"{name} {grade}/{highest}" for name, grade in zip(self._names, grades, strict=True))
        return ok(min(1.0, max(0.0, value)), summary, **answer.details)

    # -------------------------------------------------------------------------------- pairwise

    def _pairwise(self, samples: Sequence[Sample]) -> list[Score]:
        groups = [_Group([samples[index] for index in group], indices=group) for group in group_indices(samples)]
        duels = [(group, one, other) for group in groups for one, other in group.pairs(self.params.max_comparisons)]
        questions = []
        for group, one, other in duels:
            shown = self._shown(group.sample)
            if other == group.reference_place:
                # The reference is one of the two: shown as a model answer as well, it would decide by itself.
                shown |= {"with_reference": False, "reference": ""}
            for first, second in ((one, other), (other, one)):
                messages = self._prompt.messages({**shown, "first": group.texts[first], "second": group.texts[second]})
                questions.append(_Question(messages, self._pair_schema(), self._read_pair))
        answers = self._ask_all(questions)
        for number, (group, one, other) in enumerate(duels):
            group.take(one, other, answers[2 * number], answers[2 * number + 1])
        scores: dict[int, Score] = {}
        for group in groups:
            scores.update(zip(group.indices, group.scores(), strict=True))
        return [scores[index] for index in range(len(samples))]

    def _pair_schema(self) -> JsonObject:
        side = {"type": "string", "enum": list(_SIDES)}
        return _verdict_schema(self._names, side, {"first_on_task": _YES_NO, "second_on_task": _YES_NO})

    def _read_pair(self, text: str) -> tuple[bool, bool, int]:
        """Whether each is on task, and 1, 0 or -1: the first wins, nobody does, the second wins."""
        answer = _only(_object(text), ["first_on_task", "second_on_task", *self._names], "the answer")
        first, second = (
            _one_of(answer[name], ("yes", "no"), name) == "yes" for name in ("first_on_task", "second_on_task")
        )
        balance = 0.0
        for name, criterion in zip(self._names, self.params.criteria, strict=True):
            side = _one_of(_only(answer[name], ["reason", "verdict"], name)["verdict"], _SIDES, f"{name}.verdict")
            balance += criterion.weight * {"first": 1, "second": -1, "same": 0}[side]
        if first != second:
            return first, second, 1 if first else -1
        return first, second, 0 if not first or abs(balance) < 1e-9 else (1 if balance > 0 else -1)


@dataclass
class _Tally:
    """What one text of a group got out of its comparisons."""

    wins: float = 0.0
    peers: float = 0.0
    """Completions that it was compared with."""
    compared: int = 0
    planned: int = 0
    swayed: int = 0
    """Comparisons whose two orders contradicted each other."""
    on_task: int = 0


class _Group:
    """The completions of one prompt: distinct texts compared, the rest of the arithmetic by code.

    A completion's score is 0.5 + (wins - losses) / (2 * (N - 1)), N - 1 the completions that it was compared with;
    equal texts tie. One that says nothing gets 0 and is nobody's peer: there is no merit in beating it. One that is
    off task in every comparison gets 0, too.
    """

    def __init__(self, samples: Sequence[Sample], *, indices: Sequence[int]) -> None:
        self.sample, self.indices = samples[0], indices
        self._said = [visible_answer(sample.completion, sample.prompt) for sample in samples]
        counted: dict[str, int] = {}
        for text in self._said:
            if text:
                counted[text] = counted.get(text, 0) + 1
        # Sorted by content, so that the order of a batch changes nothing.
        self.texts = sorted(counted, key=lambda text: digest(text, size=32))
        self._copies = [counted[text] for text in self.texts]
        self.reference_place = -1
        reference = _reference(self.sample)
        if self._copies == [1] and reference:
            self.reference_place = 1
            self.texts.append(reference)
            self._copies.append(1)
        self._tallies = [_Tally() for _ in self.texts]
        self._troubles: dict[int, Score] = {}
        self._spent: list[JsonObject] = [{"calls": 0, "input_tokens": 0, "output_tokens": 0} for _ in self.texts]

    def pairs(self, most: int) -> list[tuple[int, int]]:
        """Which texts are compared: all pairs, or each with the next few along a seeded ring."""
        count = len(self.texts)
        if count == 2 and self.reference_place == 1 and squeeze(self.texts[0]) == squeeze(self.texts[1]):
            return []
        chosen = [(one, other) for one in range(count) for other in range(one + 1, count)]
        if len(chosen) > most:
            ring = list(range(count))
            Random(digest(*self.texts, size=16)).shuffle(ring)
            reach = min(max(1, most // count), (count - 1) // 2)
            chosen = [(ring[at], ring[(at + step) % count]) for at in range(count) for step in range(1, reach + 1)]
        for pair in chosen:
            for place in pair:
                self._tallies[place].planned += 1
        return chosen

    def take(self, one: int, other: int, ahead: _Answer, behind: _Answer) -> None:
        """Count a comparison: `ahead` showed `one` first, `behind` showed `other` first."""
        self._pay(one, ahead)
        self._pay(one, behind)
        if trouble := ahead.trouble or behind.trouble:
            for place in (one, other):
                self._troubles.setdefault(place, trouble)
            return
        (one_ahead, other_behind, outcome), (other_ahead, one_behind, reverse) = ahead.found, behind.found
        agreed = outcome == -reverse
        result = outcome if agreed else 0
        self._count(one, other, result, agreed, on_task=one_ahead or one_behind)
        self._count(other, one, -result, agreed, on_task=other_ahead or other_behind)

    def _count(self, place: int, foe: int, result: int, agreed: bool, *, on_task: bool) -> None:
        tally = self._tallies[place]
        tally.compared += 1
        tally.peers += self._copies[foe]
        tally.wins += result * self._copies[foe]
        tally.swayed += not agreed
        tally.on_task += on_task

    def _pay(self, place: int, answer: _Answer) -> None:
        """Add what a question cost to the details of one of its texts, so that sums over samples are right."""
        spent = self._spent[place]
        for name, value in answer.details.items():
            spent[name] = value if name == "model" else spent[name] + value

    def scores(self) -> list[Score]:
        """One per sample of the group."""
        scores: list[Score] = []
        paid: set[int] = set()
        for text in self._said:
            if not text:
                scores.append(ok(0.0, "nothing was answered"))
                continue
            place = self.texts.index(text)
            details = self._spent[place] if place not in paid else {}
            paid.add(place)
            scores.append(self._score(place, details))
        return scores

    def _score(self, place: int, details: JsonObject) -> Score:
        tally = self._tallies[place]
        if tally.planned and 2 * tally.compared < tally.planned:
            trouble = self._troubles[place]
            return trouble.model_copy(update={"details": details})
        if self.reference_place == 1 and not tally.planned:
            return ok(0.5, "the reference itself", **details)
        twins = self._copies[place] - 1
        peers = tally.peers + twins
        if not peers:
            return abstain(NO_PEERS, **details)
        if tally.compared and not tally.on_task:
            return ok(0.0, "not an attempt at what is asked", compared=tally.compared, **details)
        summary = f"{tally.wins:+g} in {tally.compared} comparisons" + (f", {twins} equal" if twins else "")
        if tally.swayed:
            summary += f"; in {tally.swayed} the order decided (counted as ties)"
        value = 0.5 + tally.wins / (2 * peers)
        counts = {"compared": tally.compared, "order_decided": tally.swayed}
        return ok(min(1.0, max(0.0, value)), summary, **counts, **details)


def _reference(sample: Sample) -> str:
    """The row's reference as text to show; "" without one."""
    return clean(sample.reference or (sample.references[0] if sample.references else "")).strip()


def _why(error: Exception) -> str:
    """Chat errors name what happened and hold no key; of anything else only the kind is known to be safe to show."""
    return _short(str(error), 300) if isinstance(error, RlarError) else f"{type(error).__name__}"


def share_chat(resources: Resources, chat: Chat) -> None:
    """Let judges that are loaded from now on ask through this chat wherever they ask its endpoint: a build counts so."""
    resources.shared(_chat_name(chat.endpoint), lambda: _Held(chat)).chat = chat


class _Held:
    """The chat of an endpoint among the shared things; closed with them where it can be."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    def close(self) -> None:
        close = getattr(self.chat, "close", None)
        if close is not None:
            close()


def _chat_name(endpoint: Endpoint) -> str:
    return f"judge.chat:{canonical_json(endpoint.model_dump(mode='json'))}"


def _chat_of(spec: ToolSpec, params: JudgeParams, resources: Resources) -> Chat:
    """One client for all judges on an endpoint."""
    from rlar.llm.chat import Endpoint, OpenAIChat

    try:
        endpoint = Endpoint.model_validate(params.endpoint)
    except ValidationError as error:
        raise ToolError(f"judge {spec.id}: params.endpoint: {first_problem(error)}") from error

    def connect() -> _Held:
        seconds = params.seconds
        network = resources.network
        return _Held(
            OpenAIChat(endpoint, network=network, timeout_seconds=seconds, patience_seconds=seconds, retries=2)
        )

    resources.network.permit(endpoint.address, f"judge {spec.id}")
    try:
        return resources.shared(_chat_name(endpoint), connect).chat
    except RlarError as error:
        raise ToolError(f"judge {spec.id}: {error}") from error


def outdated(spec: ToolSpec) -> str:
    """Why a judge is not the one that was certified; "" when it is."""
    name, then = str(spec.params.get("prompt")), spec.params.get("prompt_hash")
    if name not in FORMS:
        return f"this version of rlar has no judge prompt {name!r}"
    if then == prompt_hash(name):
        return ""
    return (
        f"its prompt {name} has changed since it was certified ({then} then, {prompt_hash(name)} now), so it is another "
        "tool; run `rlar agent build-tools` again"
    )
