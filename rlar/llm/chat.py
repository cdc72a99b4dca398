"""The one chat client of rlar: any server that speaks OpenAI's chat completions, asked by judges and by the agent.

Keys come from the environment and go to the host that the user bound them to (`rlar.network`): OPENAI_API_KEY to
api.openai.com, RLAR_LLM_KEY to the server named by --llm. They are in no error, log, repr, pickle or answer.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypedDict, Unpack

from pydantic import ConfigDict, ValidationError, model_validator

from rlar.answered import without_thoughts
from rlar.errors import ChatUnreadable, ConfigError, boundary
from rlar.llm.faults import Failure, Redactor, failure_of
from rlar.network import LLM_KEY, OPENAI_KEY, OPENAI_URL, Network, host_of
from rlar.types import Frozen, JsonObject, Message

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

FORMS = '"openai:MODEL" or "http(s)://host[:port]/v1#MODEL"'
CHARACTERS_PER_TOKEN = 3
"""Assumed where a server reports no usage: on the high side for English, so that a budget is not overrun."""
MOST_TOKENS = 1_000_000_000


# -------------------------------------------------------------------------------------------- endpoints


class Endpoint(Frozen):
    """A model on a server. Holds neither a key nor where one is: it may come out of somebody else's registry."""

    # A wrong URL may hold a password; pydantic would show it.
    model_config = ConfigDict(hide_input_in_errors=True)

    model: str
    """As the server calls it: "gpt-4.1-mini", "Qwen/Qwen3-8B"."""
    base_url: str | None = None
    """None: api.openai.com."""

    @model_validator(mode="before")
    @classmethod
    def _names_no_secret(cls, values: Any) -> Any:
        """Registries of earlier versions name a variable with the key; which key goes where, only the user says."""
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if name != "key_variable"}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_model(self.model)
        if self.base_url is not None:
            _check_url(self.base_url)
        return self

    @property
    def address(self) -> str:
        """The base URL that is asked."""
        return self.base_url or OPENAI_URL

    @property
    def name(self) -> str:
        """What provenance stores: "openai:gpt-4.1-mini" or "http://host:8000/v1#model"."""
        return f"openai:{self.model}" if self.base_url is None else f"{self.base_url}#{self.model}"


def parse_endpoint(text: str) -> Endpoint:
    """The endpoint that `--llm` names. Raises ConfigError, which does not repeat the text: it may hold a password."""
    wanted = text.strip()
    try:
        if wanted.startswith("openai:"):
            return Endpoint(model=wanted.removeprefix("openai:"))
        if wanted.lower().startswith(("http://", "https://")):
            url, _, model = wanted.partition("#")
            url = url.rstrip("/")
            if url == OPENAI_URL:
                return Endpoint(model=model)
            return Endpoint(model=model, base_url=url)
        problem = "is neither"
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
    raise ConfigError(f"--llm takes {FORMS} (or none); what was given {problem}")


def _check_model(model: str) -> None:
    if not model or model != model.strip() or not model.isprintable():
        raise ValueError("names no model: put it behind `openai:` or behind `#`")
    if model.startswith(("sk-", "Bearer ")):
        raise ValueError("looks like a key where a model's name belongs; keys go into the environment")


def _check_url(url: str) -> None:
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError(f"has a user or password in its address; put the key into {LLM_KEY}")
    if "?" in url:
        raise ValueError(f"has a query in its address; put the key into {LLM_KEY}")
    try:
        host_of(url)
    except ValueError as error:
        raise ValueError(f"has an address that cannot be read: {error}") from None


# -------------------------------------------------------------------------------------------- asking


class ChatReply(Frozen):
    """What a model said."""

    text: str
    model: str
    """As the server names it, which may be a dated version of the one asked for."""
    input_tokens: int
    output_tokens: int
    seconds: float
    """From the question to the answer, retries included."""
    finish_reason: str


class UnusableReply(ChatUnreadable):
    """An answer that was paid for and cannot be used: refused, cut off, or empty."""

    def __init__(self, message: str, reply: ChatReply) -> None:
        super().__init__(message)
        self.reply = reply

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.reply)


class _Answer(NamedTuple):
    """What came back, usable or not."""

    reply: ChatReply
    refusal: str


class ChatOptions(TypedDict, total=False):
    """How an answer is asked for; see `Chat.complete`."""

    schema: JsonObject | None
    schema_name: str
    """Default "answer"."""
    temperature: float
    """Default 0."""
    max_tokens: int | None
    seed: int | None


class Chat(Protocol):
    """Something that answers messages."""

    endpoint: Endpoint

    def complete(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> ChatReply:
        """The answer. With `schema` (strict JSON schema) its text is the raw JSON text, not validated here.

        Raises:
            ChatDenied: the key or the model is not accepted, or the quota is used up.
            ChatUnavailable: no answer after all retries.
            ChatUnreadable: the question was not accepted (too long ...), or the answer was refused, cut off or empty
                (then UnusableReply, with what it cost).
        """
        ...


class OpenAIChat:
    """A chat with an OpenAI-compatible server. Thread-safe."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        network: Network | None = None,
        timeout_seconds: float = 120.0,
        retries: int = 4,
        patience_seconds: float = 300.0,
    ) -> None:
        """A client; nothing is asked yet. The key is read from the environment now.

        Args:
            network: says which key the host gets; None: as the environment says.
            timeout_seconds: limit of one request, to the last byte of its answer.
            retries: after network errors, timeouts, 408, 409, 429, 5xx and answers that are no chat completion.
            patience_seconds: no retry starts later than this after the question, whatever the server asks for.

        Raises ConfigError where api.openai.com is asked without a key, or the key cannot be one.
        """
        self.endpoint = endpoint
        self._network = network if network is not None else Network.of_user()
        self.timeout_seconds, self.retries, self.patience_seconds = timeout_seconds, retries, patience_seconds
        key = _key(endpoint, self._network)
        self._redactor = Redactor(key)
        self._unsupported: set[str] = set()
        self._model, self._http = _connect(endpoint, key, timeout_seconds)

    def __repr__(self) -> str:
        return f"OpenAIChat({self.endpoint.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process reads the key from its own environment.
        return _reopened, (self.endpoint, self._network, self.timeout_seconds, self.retries, self.patience_seconds)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def complete(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> ChatReply:
        """The answer; see `Chat.complete`.

        What a server says it does not know is left out from then on: strict schemas (the schema then goes into the
        messages), temperature (reasoning models), seed, a limit of tokens. Where it refuses a question with a schema
        without saying why, weaker forms are tried, and kept if one of them is answered.
        """
        started = time.monotonic()
        schema = options.get("schema")
        wanted: JsonObject = {"temperature": 0.0, **options}
        suspected: dict[str, Failure] = {}
        while True:
            settings = {
                name: wanted[name]
                for name in ("temperature", "seed", "max_tokens")
                if wanted.get(name) is not None and name not in self._unsupported
            }
            form = (
                next((form for form in _FORMS if form not in self._unsupported and form not in suspected), None)
                if schema is not None
                else None
            )
            turns = [(message.role, _sendable(message.content)) for message in messages]
            if schema is not None and form != "json_schema":
                turns = _with_schema(turns, schema)
            response_format = _response_format(form, schema, options.get("schema_name", "answer"))
            outcome = self._patiently(turns, {**self._spelled(settings), **response_format}, has_form=form is not None)
            if not isinstance(outcome, Failure):
                self._unsupported.update(suspected)
                return self._usable(outcome, time.monotonic() - started, is_json=schema is not None)
            sent = {*settings, *([form] if form else [])}
            if refused := outcome.refused_option(sent):
                self._unsupported.add(refused)
            elif suspect := outcome.suspected_form(sent):
                # Nothing said that it was the form: believed only if an answer comes without it.
                suspected[suspect] = outcome
            else:
                raise next(iter(suspected.values()), outcome).error()

    def _spelled(self, options: JsonObject) -> JsonObject:
        """langchain writes max_tokens as max_completion_tokens, which is OpenAI's word and not every server's."""
        if self.endpoint.base_url is None or "max_tokens" not in options:
            return options
        rest = {name: value for name, value in options.items() if name != "max_tokens"}
        return {**rest, "extra_body": {"max_tokens": options["max_tokens"]}}

    def _patiently(self, turns: list[tuple[str, str]], options: JsonObject, *, has_form: bool) -> _Answer | Failure:
        from tenacity import (
            RetryCallState,
            Retrying,
            retry_if_result,
            stop_after_attempt,
            stop_before_delay,
            wait_random_exponential,
        )

        backoff = wait_random_exponential(multiplier=0.5, max=8)

        def wait(state: RetryCallState) -> float:
            outcome = _outcome(state)
            wanted = outcome.wait_seconds if isinstance(outcome, Failure) else None
            return backoff(state) if wanted is None else wanted

        def give_up(state: RetryCallState) -> _Answer | Failure:
            outcome = _outcome(state)
            assert isinstance(outcome, Failure), outcome
            return outcome.after(state.attempt_number, self.patience_seconds)

        def may_pass(outcome: _Answer | Failure) -> bool:
            # A grammar that could not be made of a schema (llama.cpp, vLLM) will not be made of it the next time either.
            return isinstance(outcome, Failure) and outcome.may_pass and not (has_form and outcome.is_about_form)

        retrying = Retrying(
            retry=retry_if_result(may_pass),
            stop=stop_after_attempt(self.retries + 1) | stop_before_delay(self.patience_seconds),
            wait=wait,
            retry_error_callback=give_up,
        )
        answer: _Answer | Failure = retrying(self._once, turns, options)
        return answer

    def _once(self, turns: list[tuple[str, str]], options: JsonObject) -> _Answer | Failure:
        # Caught here and raised anew by `complete`, outside of any handler: foreign errors hold the request with its
        # key, and must not even be the context of ours. An answer is read in here, too: any part of it may be odd.
        def ask() -> _Answer | Failure:
            return self._read(self._model.invoke(turns, **options), turns)

        def explain(error: Exception) -> _Answer | Failure:
            return failure_of(error, self.endpoint.name, self.timeout_seconds, self._redactor)

        def explain_unless_paid(error: Exception) -> _Answer | Failure:
            message = _cut_off(error)
            return self._read(message, turns) if message is not None else explain(error)

        return boundary(lambda: boundary(ask, explain_unless_paid), explain)

    def _read(self, message: AIMessage, turns: list[tuple[str, str]]) -> _Answer:
        metadata = message.response_metadata
        text = self._redactor.in_reply(_sendable(str(message.text)))
        used: Any = message.usage_metadata or {}
        sent = sum(len(content) for _role, content in turns)
        reply = ChatReply(
            text=text,
            model=self._redactor.in_reply(_sendable(str(metadata.get("model_name") or self.endpoint.model))),
            input_tokens=_tokens(used.get("input_tokens"), sent),
            output_tokens=_tokens(used.get("output_tokens"), len(text)),
            seconds=0.0,
            finish_reason=str(metadata.get("finish_reason") or ""),
        )
        return _Answer(reply, self._redactor.in_message(str(message.additional_kwargs.get("refusal") or "")))

    def _usable(self, answer: _Answer, seconds: float, *, is_json: bool) -> ChatReply:
        reply = answer.reply.model_copy(update={"seconds": seconds})
        problem = None
        if answer.refusal:
            problem = f"refused to answer: {answer.refusal}"
        elif reply.finish_reason == "length":
            problem = f"was cut off after {reply.output_tokens} tokens"
        elif reply.finish_reason == "content_filter":
            problem = "was stopped by the server's content filter"
        elif not reply.text.strip():
            problem = "answered nothing"
        if problem is not None:
            raise UnusableReply(f"{self.endpoint.name} {problem}", reply)
        return reply.model_copy(update={"text": _json_text(reply.text)}) if is_json else reply


def _reopened(
    endpoint: Endpoint, network: Network, timeout_seconds: float, retries: int, patience_seconds: float
) -> OpenAIChat:
    return OpenAIChat(
        endpoint, network=network, timeout_seconds=timeout_seconds, retries=retries, patience_seconds=patience_seconds
    )


def _tokens(count: Any, characters: int) -> int:
    """What a server counted, or an estimate where it counted nothing that can be a number of tokens."""
    if isinstance(count, int) and 0 <= count <= MOST_TOKENS:
        return count
    return characters // CHARACTERS_PER_TOKEN + 1


def _outcome(state: Any) -> Any:
    return state.outcome.result()


def _cut_off(error: Exception) -> AIMessage | None:
    """The answer behind the openai package's error about one that was cut off or filtered: it was paid for."""
    import openai
    from langchain_core.messages import AIMessage

    if not isinstance(error, openai.LengthFinishReasonError | openai.ContentFilterFinishReasonError):
        return None
    completion = getattr(error, "completion", None)  # older versions of the package keep none of a filtered answer
    if completion is None or not completion.choices:
        return None
    used = completion.usage
    message = AIMessage(
        content=completion.choices[0].message.content or "",
        response_metadata={"model_name": completion.model, "finish_reason": completion.choices[0].finish_reason},
    )
    if used is not None:
        input_tokens, output_tokens = used.prompt_tokens, used.completion_tokens
        message.usage_metadata = {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        }
    return message


# -------------------------------------------------------------------------------------------- connecting


def check_key(endpoint: Endpoint, network: Network) -> None:
    """Raise ConfigError where an endpoint cannot be asked with what the environment holds."""
    _key(endpoint, network)


def _key(endpoint: Endpoint, network: Network) -> str | None:
    key = network.secret(endpoint.address)
    if not key and endpoint.base_url is None:
        raise ConfigError(f"{endpoint.name} needs a key; export {OPENAI_KEY}=..., or use --llm none")
    return key or None


def _connect(endpoint: Endpoint, key: str | None, timeout_seconds: float) -> tuple[Any, Any]:
    from langchain_openai import ChatOpenAI

    from rlar.llm.http import bounded_client, timeout

    without = () if endpoint.base_url is None else ("openai-organization", "openai-project")
    http = bounded_client(timeout_seconds, without=without if key else (*without, "authorization"))
    model = ChatOpenAI(
        model=endpoint.model,
        base_url=endpoint.address,
        api_key=key or "none",  # type: ignore[arg-type]
        timeout=timeout(timeout_seconds),
        max_retries=0,  # ours also cover bodies that cannot be read, and end
        http_client=http,
        use_responses_api=False,
        cache=False,
    )
    return model, http


# -------------------------------------------------------------------------------------------- structured output

_FORMS = ("json_schema", "json_object")
"""How a schema can be sent, best first; where a server knows neither, the messages alone ask for JSON."""


def _response_format(form: str | None, schema: JsonObject | None, name: str) -> JsonObject:
    if form == "json_schema":
        body = {"name": name, "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": body}}
    return {"response_format": {"type": form}} if form is not None else {}


def _with_schema(turns: list[tuple[str, str]], schema: JsonObject) -> list[tuple[str, str]]:
    text = (
        "Answer with one JSON object and nothing else: no prose, no code fence. It must follow this JSON schema:\n"
        + json.dumps(schema, ensure_ascii=False)
    )
    if turns and turns[0][0] == "system":
        return [("system", f"{turns[0][1]}\n\n{text}"), *turns[1:]]
    return [("system", text), *turns]


_FENCED = re.compile(r"\A\s*```[a-zA-Z]*[ \t]*\n(.*)\n[ \t]*```\s*\Z", re.DOTALL)


def _json_text(text: str) -> str:
    """The JSON of an answer that was asked for JSON: without a reasoning block before it and a fence around it."""
    rest = text if text.lstrip().startswith(("{", "[")) else (without_thoughts(text).text or text)
    fenced = _FENCED.match(rest)
    return (fenced.group(1) if fenced else rest).strip()


def _sendable(text: str) -> str:
    """Lone surrogates cannot be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")
