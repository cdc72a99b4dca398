"""A scripted server that speaks OpenAI's chat completions over real HTTP on loopback; no model is behind it.

In a test:

    with ScriptedOpenAI() as server:
        server.when("name the task", Reply(json={"name": "sums"}))        # every message that holds these words
        server.when(["write", "compute"], Reply("prose"), Reply(json={"code": "..."}))  # in turn; the last one stays
        server.script(Fault(429, retry_after=0.01), Reply("hello"))        # what no rule answers, in order
        OpenAIChat(parse_endpoint(server.endpoint)).complete(...)
        server.requests[0].text, server.requests[0].body                   # everything it was asked

From the shell, to try a build without a model:

    python -m rlar.testing.openai_server --script script.json --port 8123
    rlar agent build-tools --dataset mix.jsonl --llm http://127.0.0.1:8123/v1#scripted

`script.json` is a list of rules; the first that fits answers:

    [{"when": "name the task", "json": {"name": "sums"}},
     {"when": ["write", "compute"], "steps": [{"reply": "prose"}, {"json": {"code": "..."}}]},
     {"when": "flaky", "steps": [{"fault": {"status": 429, "retry_after": 0.5}}, {"reply": "hello"}]},
     {"reply": "anything else"}]

| key | meaning |
|---|---|
| `when` | a text, or a list of texts that must all be there, in the messages; left out: every request |
| `reply`, `json`, `refusal` | the answer's text; any JSON value as its text; a refusal |
| `tool_calls` | list of [name, {argument: value}] |
| `usage` | [input tokens, output tokens]; left out: a quarter of the characters |
| `finish_reason` | "stop" unless given; "length" for an answer that was cut off |
| `delay` | seconds before the answer |
| `fault` | {"status", "message", "code", "param", "retry_after", "retry_after_header", "body", "content_type", "cut", "drip", "delay"}, see Fault |
| `steps` | a list of such answers, one a request; the last one stays |

The model that it names in its replies is always "scripted": a script is not a model's answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from rlar.errors import ConfigError, first_problem
from rlar.types import JsonObject

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MODEL = "scripted"


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Reply:
    """An answer. Exactly one of text, json, tool_calls and refusal is usual; none is an empty answer."""

    text: str | None = None
    json: Any = None
    """Becomes the text, as JSON."""
    tool_calls: tuple[tuple[str, JsonObject], ...] = ()
    refusal: str | None = None
    usage: tuple[int, int] | None = None
    """Input and output tokens; None: a quarter of the characters."""
    has_usage: bool = True
    """False: the answer tells no token counts, as some servers do."""
    finish_reason: str | None = None
    delay: float = 0.0

    @property
    def content(self) -> str | None:
        """The text that goes over the wire."""
        return self.text if self.json is None else json.dumps(self.json, ensure_ascii=False)


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Fault:
    """Something that goes wrong: an error status, or with status 200 a body that is none."""

    status: int = 500
    message: str = "scripted fault"
    code: str | None = None
    """The error's code, e.g. "insufficient_quota"."""
    param: str | None = None
    """The parameter that the error is about."""
    retry_after: float | None = None
    """Seconds, sent as `retry_after_header`."""
    retry_after_header: str = "retry-after-ms"
    """Or "retry-after" (whole seconds)."""
    body: str | None = None
    """Sent as it is, in the place of an error object: "{", "<html>" ..."""
    content_type: str = "application/json"
    location: str | None = None
    """Where a redirect (status 3xx) leads to."""
    cut: bool = False
    """Announce more bytes than are sent, then close the connection."""
    drip: float = 0.0
    """Seconds between the bytes of the body."""
    delay: float = 0.0


Step = Reply | Fault

UNSCRIPTED = Fault(400, "the script has no answer to this", code="no_scripted_answer")
"""What a new server says to everything; not worth a retry."""


@dataclass(frozen=True)
class Asked:
    """One request that came in."""

    body: JsonObject
    headers: dict[str, str] = field(repr=False)
    """With the key, if one was sent."""
    at: float
    """Seconds of a monotonic clock."""

    @property
    def text(self) -> str:
        """All messages, one after another."""
        return "\n".join(_text_of(message.get("content")) for message in self.messages)

    @property
    def messages(self) -> list[JsonObject]:
        """The messages of the request; [] where it has none."""
        messages = self.body.get("messages", [])
        return messages if isinstance(messages, list) else []

    @property
    def last(self) -> str:
        """The newest message."""
        return _text_of(self.messages[-1].get("content")) if self.messages else ""

    @property
    def schema_name(self) -> str | None:
        """Name of the JSON schema that the answer has to follow; None where none was sent."""
        wanted = self.body.get("response_format") or {}
        return (wanted.get("json_schema") or {}).get("name") if wanted.get("type") == "json_schema" else None

    @property
    def key(self) -> str | None:
        """The key that was sent."""
        sent = self.headers.get("authorization")
        return sent.removeprefix("Bearer ") if sent is not None else None


Condition = str | Sequence[str] | Callable[[Asked], bool]
Answering = Step | Callable[[Asked], Step]


class ScriptedOpenAI:
    """The server; as a context manager it runs in a thread. Rules come first, then the script, then `otherwise`."""

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, key: str | None = None, models: Sequence[str] | None = None
    ) -> None:
        """A server that is not running yet.

        Args:
            port: 0 takes a free one.
            key: refuse requests without it (401).
            models: refuse other models (404); None: any name will do.
        """
        self.host, self.port = host, port
        self.requests: list[Asked] = []
        """Everything it was asked, refused requests included."""
        self.otherwise: Answering = UNSCRIPTED
        self._key, self._models = key, models
        self._rules: list[tuple[Callable[[Asked], bool], deque[Answering]]] = []
        self._script: deque[Answering] = deque()
        self._lock = threading.Lock()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    # ---------------------------------------------------------------------------------------- the script

    def when(self, condition: Condition, *steps: Answering) -> Self:
        """Answer requests that fit with these steps, one a request; the last one stays. The first rule that fits wins.

        Args:
            condition: a text, or several that must all be in the messages, or a function of the request.
            steps: replies, faults, or functions of the request that give one (they run beside each other).
        """
        if not steps:
            raise ValueError("a rule needs at least one step")
        self._rules.append((_test_of(condition), deque(steps)))
        return self

    def script(self, *steps: Answering) -> Self:
        """Answer what no rule fits with these, in order, once each."""
        self._script.extend(steps)
        return self

    def clear(self) -> None:
        """Forget rules, script and requests: as good as new, on the same port."""
        self._rules.clear()
        self._script.clear()
        self.requests.clear()
        self.otherwise = UNSCRIPTED

    def _next(self, request: Asked) -> Answering:
        for fits, steps in self._rules:
            if fits(request):
                with self._lock:
                    return steps.popleft() if len(steps) > 1 else steps[0]
        with self._lock:
            return self._script.popleft() if self._script else self.otherwise

    # ---------------------------------------------------------------------------------------- running

    @property
    def url(self) -> str:
        """Where it listens: "http://127.0.0.1:PORT/v1"."""
        return f"http://{self.host}:{self.port}/v1"

    @property
    def endpoint(self) -> str:
        """What to give `--llm`."""
        return f"{self.url}#{MODEL}"

    def start(self) -> None:
        """Listen, in a thread of this process."""
        uvicorn = _uvicorn()
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self.host, self.port))
        self.port = listening.getsockname()[1]
        # A cut body is an error to uvicorn, too; here it is meant.
        settings = uvicorn.Config(self._app(), log_level=60, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise ConfigError(f"the scripted server did not start on {self.host}:{self.port}")
            time.sleep(0.005)

    def wait(self) -> None:
        """Until it ends (Ctrl-C)."""
        assert self._thread is not None, "not started"
        while self._thread.is_alive():
            self._thread.join(0.5)

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(5)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    # ---------------------------------------------------------------------------------------- answering

    def _app(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._list_models),
            ]
        )

    async def _list_models(self, request: Request) -> Response:
        from starlette.responses import JSONResponse

        names = self._models or (MODEL,)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "rlar.testing"} for name in names]
        return JSONResponse({"object": "list", "data": data})

    async def _chat(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        raw = await request.body()
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return _error(Fault(400, "the body is no chat completion request", code="invalid_json"))
        question = Asked(body, dict(request.headers), time.monotonic())
        self.requests.append(question)
        number = len(self.requests)
        if self._key is not None and question.key != self._key:
            # The real server shows part of the key in this message; so must one that tests what becomes of it.
            shown = f"{(question.key or '')[:8]}***{(question.key or '')[-4:]}"
            return _error(Fault(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key"))
        if self._models is not None and body.get("model") not in self._models:
            return _error(Fault(404, f"The model {body.get('model')!r} does not exist", code="model_not_found"))
        step = self._next(question)
        if callable(step):
            step = await run_in_threadpool(step, question)
        if step.delay:
            await asyncio.sleep(step.delay)
        if isinstance(step, Fault):
            return _error(step)
        return _stream(step, body, number) if body.get("stream") else _whole(step, body, number)


def read_script(path: str | Path) -> ScriptedOpenAI:
    """A server, not running yet, with the rules of a JSON file (format: see this module). Raises ConfigError."""
    try:
        rules = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: no script: {error}") from error
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ConfigError(
            f'{path}: a script is a JSON list of rules, each an object: [{{"when": "...", "reply": "..."}}]'
        )
    server = ScriptedOpenAI()
    for number, rule in enumerate(rules, 1):
        where = f"{path}: rule {number}"
        wanted = rule.pop("when", [])
        texts = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ConfigError(f"{where}: `when` is a text or a list of texts, not {wanted!r}")
        steps = rule.pop("steps") if "steps" in rule and len(rule) == 1 else [rule]
        if not isinstance(steps, list) or not steps:
            raise ConfigError(f"{where}: `steps` is a list of at least one answer")
        server.when(texts, *(_read_step(step, where) for step in steps))
    return server


def _read_step(step: Any, where: str) -> Step:
    if not isinstance(step, dict):
        raise ConfigError(f"{where}: an answer is an object, not {step!r}")
    is_fault = "fault" in step and len(step) == 1
    values = step["fault"] if is_fault else {{"reply": "text"}.get(name, name): value for name, value in step.items()}
    kind: type[Step] = Fault if is_fault else Reply
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {first_problem(error, 'the answer')}") from error


# -------------------------------------------------------------------------------------------- on the wire


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "" if content is None else json.dumps(content, ensure_ascii=False)


def _test_of(condition: Condition) -> Callable[[Asked], bool]:
    if callable(condition):
        return condition
    texts = (condition,) if isinstance(condition, str) else tuple(condition)
    return lambda request: all(text in request.text for text in texts)


def _error(fault: Fault) -> Response:
    from starlette.responses import Response, StreamingResponse

    headers: dict[str, str] = {}
    if fault.retry_after is not None:
        in_milliseconds = fault.retry_after_header.endswith("-ms")
        headers[fault.retry_after_header] = f"{fault.retry_after * (1000 if in_milliseconds else 1):.0f}"
    if fault.location is not None:
        headers["location"] = fault.location
    error = {"message": fault.message, "type": _error_type(fault.status), "code": fault.code, "param": fault.param}
    body = (fault.body if fault.body is not None else json.dumps({"error": error})).encode()
    if not fault.cut and not fault.drip:
        return Response(body, fault.status, headers=headers, media_type=fault.content_type)

    async def bytes_of() -> AsyncIterator[bytes]:
        if not fault.drip:
            yield body
            return
        for index in range(len(body)):
            yield body[index : index + 1]
            await asyncio.sleep(fault.drip)

    headers["content-length"] = str(len(body) + (5000 if fault.cut else 0))
    return StreamingResponse(bytes_of(), fault.status, headers=headers, media_type=fault.content_type)


def _error_type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"


def _message(reply: Reply) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": reply.content, "refusal": reply.refusal}
    if reply.tool_calls:
        message["tool_calls"] = [
            {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for index, (name, arguments) in enumerate(reply.tool_calls)
        ]
    return message


def _usage(reply: Reply, body: JsonObject) -> JsonObject | None:
    if not reply.has_usage:
        return None
    input_tokens, output_tokens = reply.usage or (
        len(json.dumps(body["messages"], ensure_ascii=False)) // 4 + 1,
        len(reply.content or reply.refusal or "") // 4 + 1,
    )
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }


def _finish_reason(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")


def _whole(reply: Reply, body: JsonObject, number: int) -> Response:
    from starlette.responses import JSONResponse

    choice = {"index": 0, "message": _message(reply), "finish_reason": _finish_reason(reply), "logprobs": None}
    answer = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": int(time.time()), "model": MODEL}
    headers = {"x-request-id": f"req_{number}"}
    return JSONResponse({**answer, "choices": [choice], "usage": _usage(reply, body)}, headers=headers)


def _stream(reply: Reply, body: JsonObject, number: int) -> Response:
    from starlette.responses import StreamingResponse

    base = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": int(time.time()), "model": MODEL}

    def event(choices: list[JsonObject], **more: Any) -> str:
        return "data: " + json.dumps({**base, "choices": choices, **more}) + "\n\n"

    def delta(change: JsonObject, finish_reason: str | None = None) -> str:
        return event([{"index": 0, "delta": change, "finish_reason": finish_reason}])

    async def events() -> AsyncIterator[str]:
        message = _message(reply)
        yield delta({"role": "assistant", "content": ""})
        text = message["content"] or ""
        for start in range(0, len(text), 16):
            yield delta({"content": text[start : start + 16]})
        if reply.refusal:
            yield delta({"refusal": reply.refusal})
        for index, call in enumerate(message.get("tool_calls", [])):
            yield delta({"tool_calls": [{"index": index, **call}]})
        yield delta({}, _finish_reason(reply))
        if (body.get("stream_options") or {}).get("include_usage"):
            yield event([], usage=_usage(reply, body))
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def _uvicorn() -> Any:
    try:
        import starlette
        import uvicorn
    except ModuleNotFoundError as error:
        raise ConfigError(f"the scripted server needs {error.name}: `pip install 'rlar[serve]'`") from error
    del starlette
    return uvicorn


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a script until Ctrl-C; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m rlar.testing.openai_server",
        description="A scripted OpenAI-compatible server; no model behind it.",
    )
    parser.add_argument("--script", required=True, help="JSON list of rules; the format is in this module's docstring")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args(arguments)
    try:
        server = read_script(given.script)
        server.host, server.port = given.host, given.port
        server.start()
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"scripted replies, no model: use --llm {server.endpoint}", flush=True)
    try:
        server.wait()
    except KeyboardInterrupt:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
