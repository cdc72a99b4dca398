"""Asks an LLM for structured answers: prompts from files, budgets, a ledger that makes an equal question free.

The build's LLM as a judge under test asks it: within the build's budget, on the bill of its task.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

import orjson
from pydantic import BaseModel, ValidationError

from rlar.config import BuildConfig
from rlar.errors import BudgetSpent, ChatError, ChatUnreadable
from rlar.llm import prompts as prompting
from rlar.llm.budget import Budget, Price, Reservation, Spent
from rlar.llm.chat import Chat, ChatOptions, ChatReply, Endpoint, OpenAIChat, UnusableReply, parse_endpoint
from rlar.network import Network
from rlar.registry.records import LlmCall
from rlar.types import Frozen, JsonObject, Message, canonical_json, digest

if TYPE_CHECKING:
    from rlar.registry.registry import Registry
from rlar.errors import ChatDenied, ChatUnavailable

__all__ = ["Answer", "CallRecord", "Llm", "Spent", "open_llm"]

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_BAD_ANSWER = 20_000
"""Characters of an answer that is sent back to be repaired."""


@dataclass(frozen=True)
class Answer(Generic[ModelT]):
    """A validated answer, and what it cost this time."""

    value: ModelT
    by: str
    """Who says so: "<endpoint>/<prompt>@<prompt hash>"."""
    prompt_hash: str
    calls: int
    """0: from the registry."""
    input_tokens: int
    output_tokens: int


class CallRecord(Frozen):
    """One question as it happened, for the trace."""

    fingerprint: str
    node: str
    prompt_name: str
    prompt_hash: str
    model: str
    messages: tuple[Message, ...]
    answer: str
    """Empty where none came."""
    input_tokens: int
    output_tokens: int
    cost: float | None
    seconds: float
    cached: bool
    error: str
    """Why the answer could not be used, or none came; empty when all is well."""


@dataclass(frozen=True)
class _Question:
    """Where a question belongs, and what makes it equal to another."""

    prompt: prompting.Prompt
    fingerprint: str
    node: str
    messages: tuple[Message, ...]
    schema: JsonObject
    schema_name: str
    temperature: float

    def key(self, endpoint: str) -> str:
        messages = [message.model_dump() for message in self.messages]
        return digest(endpoint, canonical_json(messages), canonical_json(self.schema), repr(self.temperature), size=64)


class Llm:
    """An LLM with a budget. Thread-safe."""

    def __init__(
        self,
        chat: Chat,
        *,
        registry: Registry | None = None,
        price: tuple[float, float] | None = None,
        max_calls: int | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        on_call: Callable[[CallRecord], None] | None = None,
        prompts: Path = prompting.PROMPTS,
    ) -> None:
        """An LLM that has spent nothing yet.

        Args:
            registry: an open writer, where answers are kept and looked up; None: they are kept in memory.
            price: of a million input and a million output tokens; needed for `max_cost` (else ConfigError).
            on_call: called after every question, in the asking thread.
            prompts: folder of the prompt files.
        """
        self._chat, self._registry, self._on_call, self._prompts = chat, registry, on_call, prompts
        self._price = Price(input=price[0], output=price[1]) if price is not None else None
        self._budget = Budget(max_calls=max_calls, max_tokens=max_tokens, max_cost=max_cost, price=self._price)
        nothing = Spent(cost=0.0 if self._price is not None else None)
        self._nothing, self._total = nothing, nothing
        self._spent: dict[str, Spent] = {}
        self._memory: dict[str, LlmCall] = {}
        self._asking: dict[str, tuple[threading.Lock, int]] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The endpoint's name."""
        return self._chat.endpoint.name

    def __repr__(self) -> str:
        return f"Llm({self.name!r})"

    def ask(
        self,
        prompt: str,
        variables: Mapping[str, Any],
        answer: type[ModelT],
        *,
        fingerprint: str,
        node: str,
        temperature: float = 0.0,
    ) -> Answer[ModelT]:
        """A validated answer to a prompt; one that does not validate is sent back once with what is wrong.

        An equal question (endpoint, messages, schema, temperature) that was answered before costs nothing.

        Args:
            prompt: stem of a file in `rlar/llm/prompts/agent/`.
            variables: what the file's template uses; texts go in through its filter `| data` only.
            answer: a pydantic model that forbids extra fields and gives none a default. Validators that raise
                ValueError may check more than types: their message is what the model reads before it answers again.
            fingerprint: the task that pays.
            node: the step of the build that asks.

        Raises:
            BudgetSpent: before anything is asked that may pass a limit.
            ChatError: see `Chat.complete`; ChatUnreadable also when the repaired answer does not validate, either.
        """
        file = prompting.prompt(prompt, self._prompts)
        question = _Question(
            prompt=file,
            fingerprint=fingerprint,
            node=node,
            messages=file.messages(variables),
            schema=prompting.strict_schema(answer),
            schema_name=answer.__name__,
            temperature=temperature,
        )
        key = question.key(self.name)
        with self._one_at_a_time(key):
            stored = self._stored(key)
            value = _validated(stored.answer, answer) if stored is not None else None
            if stored is not None and isinstance(value, answer):
                self._note(question, question.messages, stored.answer, cached=True)
                return Answer(value, self._by(file), file.hash, calls=0, input_tokens=0, output_tokens=0)
            return self._ask_anew(question, key, answer)

    @property
    def endpoint(self) -> Endpoint:
        """Where it asks."""
        return self._chat.endpoint

    def complete(self, messages: Sequence[Message], *, fingerprint: str, **options: Unpack[ChatOptions]) -> ChatReply:
        """One answer within the budget, neither kept nor validated: for a judge on trial.

        Raises:
            BudgetSpent: before anything is asked that may pass a limit.
            ChatError: see `Chat.complete`.
        """
        sent = sum(len(message.content.encode("utf-8", "replace")) for message in messages)
        held = self._budget.reserve(sent + len(canonical_json(options.get("schema") or {})))
        limits = [limit for limit in (options.get("max_tokens"), held.output_tokens) if limit is not None]
        options["max_tokens"] = min(limits, default=None)
        reply: ChatReply | None = None
        try:
            reply = self._chat.complete(messages, **options)
            return reply
        except UnusableReply as unusable:
            reply = unusable.reply
            raise
        finally:
            self._record(fingerprint, held, reply)

    def spent(self, fingerprint: str | None = None) -> Spent:
        """What was spent on a task, or on everything, since this object was made."""
        with self._lock:
            return self._total if fingerprint is None else self._spent.get(fingerprint, self._nothing)

    # -------------------------------------------------------------------------------- asking

    def _ask_anew(self, question: _Question, key: str, answer: type[ModelT]) -> Answer[ModelT]:
        messages = question.messages
        used: list[ChatReply] = []
        while True:
            reply = self._turn(question, messages, answer)
            used.append(reply)
            value = _validated(reply.text, answer)
            if isinstance(value, answer):
                break
            if len(used) == 2:
                raise ChatUnreadable(f"{self.name} gave no usable answer to {question.prompt.name}, twice: {value}")
            repair = prompting.prompt("repair_answer", prompting.PROMPTS).messages({"problem": value})
            messages = (*messages, Message(role="assistant", content=reply.text[:MAX_BAD_ANSWER]), *repair)
        input_tokens, output_tokens = sum(item.input_tokens for item in used), sum(item.output_tokens for item in used)
        call = LlmCall(
            key=key,
            fingerprint=question.fingerprint,
            node=question.node,
            prompt_name=question.prompt.name,
            prompt_hash=question.prompt.hash,
            model=self.name,
            request={
                "messages": [message.model_dump() for message in messages],
                "schema": question.schema,
                "temperature": question.temperature,
            },
            answer=reply.text,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=self._cost(input_tokens, output_tokens),
        )
        self._store(call)
        return Answer(value, self._by(question.prompt), question.prompt.hash, len(used), input_tokens, output_tokens)

    def _turn(self, question: _Question, messages: tuple[Message, ...], answer: type[BaseModel]) -> ChatReply:
        """One question over the wire, paid for and noted."""
        sent = sum(len(message.content.encode("utf-8", "replace")) for message in messages)
        held = self._budget.reserve(sent + len(canonical_json(question.schema)))
        started = time.monotonic()
        reply: ChatReply | None = None
        error = ""
        try:
            reply = self._chat.complete(
                messages,
                schema=question.schema,
                schema_name=question.schema_name,
                temperature=question.temperature,
                max_tokens=held.output_tokens,
            )
            value = _validated(reply.text, answer)
            error = value if isinstance(value, str) else ""
            return reply
        except UnusableReply as unusable:
            reply, error = unusable.reply, str(unusable)
            if held.is_short and reply.finish_reason == "length":
                error = f"the budget left room for {held.output_tokens} tokens, too few for an answer"
                raise BudgetSpent(error) from None
            raise
        except ChatError as failure:
            error = str(failure)
            raise
        finally:
            self._record(question.fingerprint, held, reply)
            self._note(question, messages, reply.text if reply else "", reply, time.monotonic() - started, error)

    def _record(self, fingerprint: str, held: Reservation, reply: ChatReply | None) -> None:
        tokens = (reply.input_tokens, reply.output_tokens) if reply is not None else (0, 0)
        self._budget.record(held, *tokens)
        self._add(fingerprint, calls=1, tokens=tokens)

    def _add(self, fingerprint: str, *, calls: int = 0, cached: int = 0, tokens: tuple[int, int] = (0, 0)) -> None:
        with self._lock:
            before = self._spent.get(fingerprint, self._nothing)
            self._spent[fingerprint] = before.plus(calls=calls, cached=cached, tokens=tokens, price=self._price)
            self._total = self._total.plus(calls=calls, cached=cached, tokens=tokens, price=self._price)

    def _note(
        self,
        question: _Question,
        messages: tuple[Message, ...],
        text: str,
        reply: ChatReply | None = None,
        seconds: float = 0.0,
        error: str = "",
        *,
        cached: bool = False,
    ) -> None:
        if cached:
            self._add(question.fingerprint, cached=1)
        if self._on_call is None:
            return
        tokens = (reply.input_tokens, reply.output_tokens) if reply is not None else (0, 0)
        record = CallRecord(
            fingerprint=question.fingerprint,
            node=question.node,
            prompt_name=question.prompt.name,
            prompt_hash=question.prompt.hash,
            model=self.name,
            messages=messages,
            answer=text,
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost=self._cost(*tokens),
            seconds=seconds,
            cached=cached,
            error=error,
        )
        self._on_call(record)

    def _cost(self, input_tokens: int, output_tokens: int) -> float | None:
        return self._price.of(input_tokens, output_tokens) if self._price is not None else None

    def _by(self, file: prompting.Prompt) -> str:
        return f"{self.name}/{file.name}@{file.hash}"

    # -------------------------------------------------------------------------------- answers that are there already

    def _stored(self, key: str) -> LlmCall | None:
        return self._registry.llm_answer(key) if self._registry is not None else self._memory.get(key)

    def _store(self, call: LlmCall) -> None:
        if self._registry is not None:
            self._registry.put_llm_call(call)
        else:
            self._memory[call.key] = call

    @contextmanager
    def _one_at_a_time(self, key: str) -> Iterator[None]:
        """Two tasks with an equal question: the second waits for the first one's answer."""
        with self._lock:
            lock, users = self._asking.get(key, (threading.Lock(), 0))
            self._asking[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._asking[key]
                if users == 1:
                    del self._asking[key]
                else:
                    self._asking[key] = (lock, users - 1)


def open_llm(
    config: BuildConfig, *, registry: Registry | None, on_call: Callable[[CallRecord], None] | None = None
) -> Llm | None:
    """The LLM of a build; None where the build is offline. Raises ConfigError."""
    if config.llm == "none":
        return None
    endpoint = parse_endpoint(config.llm)
    return Llm(
        OpenAIChat(endpoint, network=Network.of_user(llm=config.llm), timeout_seconds=config.llm_timeout_seconds),
        registry=registry,
        price=config.llm_price,
        max_calls=config.max_llm_calls,
        max_tokens=config.max_llm_tokens,
        max_cost=config.max_cost,
        on_call=on_call,
    )


def _validated(text: str, answer: type[ModelT]) -> ModelT | str:
    """The answer, or what is wrong with it, in words for whoever gave it."""
    try:
        # orjson takes no NaN, no lone surrogate and no bottomless nesting.
        values = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"it is no JSON: {error}"
    try:
        return answer.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        lines = [f"{'.'.join(map(str, item['loc'])) or 'the answer'}: {item['msg']}" for item in problems[:10]]
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        return "; ".join(lines) + more


class MeteredChat:
    """A `rlar.llm.chat.Chat` for the judges of one task. Thread-safe."""

    def __init__(self, llm: Llm, fingerprint: str) -> None:
        self.endpoint = llm.endpoint
        self._llm = llm
        self._fingerprint = fingerprint
        self.trouble = ""
        """Why some question was not answered at all (budget, network, key): what was measured then proves nothing."""

    def complete(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> ChatReply:
        """See Chat.complete; also raises BudgetSpent."""
        try:
            return self._llm.complete(messages, fingerprint=self._fingerprint, **options)
        except (BudgetSpent, ChatDenied, ChatUnavailable) as error:
            self.trouble = self.trouble or str(error)
            raise
