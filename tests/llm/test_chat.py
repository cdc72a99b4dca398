"""The chat client over real HTTP: every fault ends in a retry or a clear error, and the key is in none of them."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from rlar.errors import ChatDenied, ChatError, ChatUnavailable, ChatUnreadable, ConfigError
from rlar.llm.chat import ChatReply, Endpoint, OpenAIChat, UnusableReply, parse_endpoint
from rlar.llm.faults import Redactor
from rlar.llm.http_body import LARGEST_ANSWER
from rlar.network import Network
from rlar.types import Message

pytest.importorskip("uvicorn", reason="the scripted server needs rlar[serve]")

from rlar.testing.openai_server import Fault, Reply, ScriptedOpenAI

KEY = "rk-4fQ9zT7xLm2Vw8Bn5Ys1"
HELLO = (Message(role="system", content="Be brief."), Message(role="user", content="hello"))
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "LANGCHAIN_", "LANGSMITH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RLAR_LLM_KEY", KEY)


@pytest.fixture(scope="module")
def one_server() -> Iterator[ScriptedOpenAI]:
    with ScriptedOpenAI(key=KEY) as running:
        yield running


@pytest.fixture
def server(one_server: ScriptedOpenAI) -> ScriptedOpenAI:
    one_server.clear()
    return one_server


def chat_with(server: ScriptedOpenAI, **options: float) -> OpenAIChat:
    settings: dict[str, float] = {"timeout_seconds": 5.0, "retries": 2, **options}
    return chat_at(server.endpoint, **settings)


def chat_at(endpoint: str, **settings: Any) -> OpenAIChat:
    """As a build asks the server that --llm names."""
    return OpenAIChat(parse_endpoint(endpoint), network=Network.of_user(llm=endpoint), **settings)


def problem(chat: OpenAIChat, **options: object) -> ChatError:
    with pytest.raises(ChatError) as caught:
        chat.complete(HELLO, **options)
    return caught.value


# ------------------------------------------------------------------------------------------ endpoints


@pytest.mark.parametrize(
    ("text", "model", "base_url"),
    [
        ("openai:gpt-4.1-mini", "gpt-4.1-mini", None),
        ("http://host:8000/v1#Qwen/Qwen3-8B", "Qwen/Qwen3-8B", "http://host:8000/v1"),
        ("https://host/v1/#m#2", "m#2", "https://host/v1"),
        (" http://[::1]:80/v1#m ", "m", "http://[::1]:80/v1"),
        ("https://api.openai.com/v1#gpt", "gpt", None),
    ],
)
def test_an_endpoint_is_read_from_one_text(text: str, model: str, base_url: str | None):
    found = parse_endpoint(text)
    assert (found.model, found.base_url) == (model, base_url)
    assert parse_endpoint(found.name) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "gpt-4.1",
        "openai:",
        "openai: gpt",
        "http://host/v1",
        "http://host/v1#",
        "http://#m",
        "http://host:port/v1#m",
        "http://host:99999/v1#m",
        "ftp://host/v1#m",
        "http://ho st/v1#m",
        f"http://user:{KEY}@host/v1#m",
        f"http://{KEY}@host/v1#m",
        f"http://host/v1?key={KEY}#m",
        "openai:sk-proj-abcdef",
        f"sk-{KEY}",
    ],
)
def test_what_is_no_endpoint_is_refused_without_being_repeated(text: str):
    with pytest.raises(ConfigError, match="openai:MODEL") as caught:
        parse_endpoint(text)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert "abcdef" not in str(caught.value)


def test_an_endpoint_names_a_host_and_never_a_secret():
    old = Endpoint.model_validate({"model": "m", "base_url": "http://elsewhere/v1", "key_variable": "RLAR_JUDGE_KEY"})
    assert old == Endpoint(model="m", base_url="http://elsewhere/v1")
    assert "JUDGE_KEY" not in old.model_dump_json()
    with pytest.raises(ValueError) as caught:
        Endpoint(model="m", base_url=f"http://user:{KEY}@host/v1")
    assert KEY not in str(caught.value)


def test_openai_without_a_key_says_which_variable():
    with pytest.raises(ConfigError, match="export OPENAI_API_KEY"):
        OpenAIChat(parse_endpoint("openai:gpt-4.1-mini"))


@pytest.mark.parametrize("bad", ["schlüssel-ganz-geheim", "two words-secret", "line\nbreak-secret"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(bad: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RLAR_LLM_KEY", bad)
    with pytest.raises(ConfigError, match="RLAR_LLM_KEY") as caught:
        chat_at("http://127.0.0.1:1/v1#m")
    assert "secret" not in str(caught.value) and "geheim" not in str(caught.value)


# ------------------------------------------------------------------------------------------ asking


def test_an_answer_comes_with_what_it_took(server: ScriptedOpenAI):
    server.script(Reply("hi there", usage=(11, 3)))
    reply = chat_with(server).complete(HELLO, temperature=0.5, max_tokens=40, seed=7)
    assert reply == ChatReply(
        text="hi there", model="scripted", input_tokens=11, output_tokens=3, seconds=reply.seconds, finish_reason="stop"
    )
    assert 0 < reply.seconds < 5
    (asked,) = server.requests
    assert [(message["role"], message["content"]) for message in asked.messages] == [
        ("system", "Be brief."),
        ("user", "hello"),
    ]
    body = asked.body
    assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == ("scripted", 0.5, 40, 7)
    assert "response_format" not in body


def test_a_schema_goes_over_the_wire_as_strict(server: ScriptedOpenAI):
    server.script(Reply(json={"n": 1}))
    assert chat_with(server).complete(HELLO, schema=SCHEMA, schema_name="Count").text == '{"n": 1}'
    sent = server.requests[0].body["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "Count", "schema": SCHEMA, "strict": True}}


def test_an_invalid_answer_is_handed_over_as_it_is(server: ScriptedOpenAI):
    server.script(Reply("Sure! n is 1"))
    assert chat_with(server).complete(HELLO, schema=SCHEMA).text == "Sure! n is 1"


@pytest.mark.parametrize(
    "text",
    ['```json\n{"n": 1}\n```', '<think>is it 2? {"n": 2}</think>\n{"n": 1}', '  {"n": 1}\n', '```\n{"n": 1}\n```\n'],
)
def test_json_is_taken_out_of_its_wrapping(server: ScriptedOpenAI, text: str):
    server.script(Reply(text))
    assert chat_with(server).complete(HELLO, schema=SCHEMA).text == '{"n": 1}'


def test_a_server_that_counts_no_tokens_is_estimated(server: ScriptedOpenAI):
    server.script(Reply("x" * 30, has_usage=False))
    reply = chat_with(server).complete(HELLO)
    # 9 + 5 characters asked, 30 answered, 3 a token, rounded up past the last whole one.
    assert (reply.input_tokens, reply.output_tokens) == (14 // 3 + 1, 30 // 3 + 1)


def test_text_that_utf8_cannot_hold_is_sent_all_the_same(server: ScriptedOpenAI):
    server.script(Reply("ok"))
    chat_with(server).complete((Message(role="user", content="a\ud800b\x00\U0001f600"),))
    assert server.requests[0].text == "a?b\x00\U0001f600"


def test_threads_share_one_client(server: ScriptedOpenAI):
    server.otherwise = lambda asked: Reply(asked.last.upper(), delay=0.02)
    chat = chat_with(server)
    found: dict[str, str] = {}

    def ask(text: str) -> None:
        found[text] = chat.complete((Message(role="user", content=text),)).text

    threads = [threading.Thread(target=ask, args=(f"word {number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {f"word {number}": f"WORD {number}" for number in range(12)}


# ------------------------------------------------------------------------------------------ what a server does not know


def test_a_server_without_schemas_gets_them_in_words_and_is_remembered(server: ScriptedOpenAI):
    server.when(
        lambda asked: asked.schema_name is not None,
        Fault(400, "response_format of type json_schema is not supported", param="response_format"),
    )
    server.otherwise = Reply(json={"n": 1})
    chat = chat_with(server)
    assert [chat.complete(HELLO, schema=SCHEMA).text for _ in range(2)] == ['{"n": 1}', '{"n": 1}']
    assert [asked.body["response_format"]["type"] for asked in server.requests] == [
        "json_schema",
        "json_object",
        "json_object",
    ]
    assert '"additionalProperties": false' in server.requests[1].messages[0]["content"]
    assert server.requests[1].messages[0]["content"].startswith("Be brief.")


def test_a_server_that_knows_no_response_format_is_asked_in_words_alone(server: ScriptedOpenAI):
    server.when(
        lambda asked: "response_format" in asked.body, Fault(422, "extra fields not permitted: response_format")
    )
    server.otherwise = Reply('```json\n{"n": 1}\n```')
    chat = chat_with(server)
    assert [chat.complete(HELLO, schema=SCHEMA).text for _ in range(2)] == ['{"n": 1}', '{"n": 1}']
    assert len(server.requests) == 3 + 1


def test_a_model_that_takes_no_temperature_is_asked_without(server: ScriptedOpenAI):
    server.when(
        lambda asked: "temperature" in asked.body,
        Fault(400, "Unsupported value: 'temperature' does not support 0 with this model.", param="temperature"),
    )
    server.otherwise = Reply("ok")
    chat = chat_with(server)
    assert [chat.complete(HELLO).text for _ in range(2)] == ["ok", "ok"]
    assert len(server.requests) == 3


def body(value: Any) -> str:
    return json.dumps(value)


REFUSALS = {
    "vLLM, its grammar backend": Fault(400, body=body({"object": "error", "message": "The provided JSON schema contains features not supported by xgrammar.", "type": "BadRequestError", "param": None, "code": 400})),
    "vLLM, guided decoding": Fault(400, body=body({"error": {"message": "Guided decoding is not available with this model", "type": "BadRequestError", "code": 400}})),
    "vLLM, at the engine": Fault(500, body=body({"error": {"message": "Failed to compile the grammar for the request", "type": "InternalServerError", "code": 500}})),
    "llama.cpp, samplers": Fault(400, body=body({"error": {"code": 400, "message": "Failed to initialize samplers: failed to parse grammar", "type": "invalid_request_error"}})),
    "llama.cpp, schema": Fault(500, body=body({"error": {"code": 500, "message": "JSON schema conversion failed:\nUnrecognized schema: {}", "type": "server_error"}})),
    "Gemini, a list": Fault(400, body=body([{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"additionalProperties\" at 'generation_config.response_schema': Cannot find field.", "status": "INVALID_ARGUMENT"}}])),
    "Gemini, without a reason": Fault(400, body=body([{"error": {"code": 400, "message": "Request contains an invalid argument.", "status": "INVALID_ARGUMENT"}}])),
    "FastAPI, a detail": Fault(422, body=body({"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format", "json_schema"], "msg": "Extra inputs are not permitted", "input": {"x": "y" * 900}}]})),
    "FastAPI, a text": Fault(400, body=body({"detail": "This backend can't constrain its output"})),
    "a message alone": Fault(400, body=body({"message": "bad request"})),
    "no words at all": Fault(400, body=""),
    "a page": Fault(400, body="<html>Bad Request</html>", content_type="text/html"),
    "not implemented": Fault(501, body=body({"detail": "grammar support was not built in"})),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_whatever_a_server_says_when_it_refuses_a_schema_it_is_asked_in_words(server: ScriptedOpenAI, name: str):
    server.when(lambda asked: "response_format" in asked.body, REFUSALS[name])
    server.otherwise = Reply(json={"n": 1})
    chat = chat_with(server)
    assert [chat.complete(HELLO, schema=SCHEMA).text for _ in range(2)] == ['{"n": 1}', '{"n": 1}']
    # Both forms are refused once; then the server is known.
    assert len(server.requests) == 3 + 1


def test_a_passing_fault_that_names_a_schema_is_retried_where_none_was_sent(server: ScriptedOpenAI):
    server.script(Fault(500, "the schema of the database is locked", retry_after=0.01), Reply("fine"))
    assert chat_with(server).complete(HELLO).text == "fine"
    assert len(server.requests) == 2


def test_a_refusal_without_a_reason_is_told_as_it_came_first_where_no_form_helps(server: ScriptedOpenAI):
    server.otherwise = Fault(400, body=body({"detail": "the moon is full"}))
    chat = chat_with(server)
    assert "the moon is full" in str(problem(chat, schema=SCHEMA))
    assert len(server.requests) == 3
    server.clear()
    server.otherwise = Reply(json={"n": 1})
    assert chat.complete(HELLO, schema=SCHEMA).text == '{"n": 1}'
    assert server.requests[0].body["response_format"]["type"] == "json_schema"  # nothing was learnt from it


@pytest.mark.parametrize(
    "fault",
    [
        Fault(400, "This model's maximum context length is 8192 tokens"),
        Fault(404, "The model `m` does not exist", code="model_not_found"),
        Fault(400, "Your request was rejected by our safety system"),
        Fault(429, body=body({"detail": "insufficient_quota for this schema"})),
        Fault(401, body=body({"detail": "no key for response_format"})),
    ],
    ids=["length", "model", "safety", "quota", "key"],
)
def test_what_no_other_form_cures_is_asked_once(server: ScriptedOpenAI, fault: Fault):
    server.otherwise = fault
    problem(chat_with(server), schema=SCHEMA)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "told",
    [
        [{"error": {"message": "the stars are wrong"}}],
        {"detail": "the stars are wrong"},
        {"detail": [{"loc": ["body", "messages"], "msg": "the stars are wrong"}]},
        {"error": "the stars are wrong"},
        {"error": {"message": {"detail": "the stars are wrong"}}},
        {"errors": [{"message": "the stars are wrong"}]},
        "the stars are wrong",
    ],
    ids=str,
)
def test_the_servers_words_are_shown_whatever_its_error_looks_like(server: ScriptedOpenAI, told: Any):
    server.otherwise = Fault(400, body=body(told))
    error = str(problem(chat_with(server)))
    assert "the stars are wrong" in error and "{" not in error


def test_a_body_nested_without_end_is_no_error_of_ours(server: ScriptedOpenAI):
    server.otherwise = Fault(400, body='{"detail":' * 200 + '"deep"' + "}" * 200)
    assert "HTTP 400" in str(problem(chat_with(server)))


def test_a_server_that_complains_for_ever_is_not_asked_for_ever(server: ScriptedOpenAI):
    server.otherwise = Fault(400, "response_format, temperature, 'seed', max_tokens: not supported")
    assert "does not accept the question" in str(problem(chat_with(server), schema=SCHEMA, max_tokens=5, seed=1))
    assert len(server.requests) == 1 + 5


# ------------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, retry_after=0.02),
        Fault(500, retry_after=0.02),
        Fault(503, retry_after=0.0),
        Fault(408, retry_after=0.02),
        Fault(409, retry_after=0.02),
    ],
    ids=lambda fault: str(fault.status),
)
def test_a_passing_fault_is_retried_after_the_wait_that_the_server_asks_for(server: ScriptedOpenAI, fault: Fault):
    server.script(fault, fault, Reply("ok"))
    started = time.monotonic()
    assert chat_with(server).complete(HELLO).text == "ok"
    assert len(server.requests) == 3
    assert time.monotonic() - started < 3


def test_a_retry_waits_as_long_as_the_server_asks(server: ScriptedOpenAI):
    server.script(Fault(429, retry_after=0.3), Reply("ok"), Fault(429, retry_after=1, retry_after_header="retry-after"))
    server.otherwise = Reply("ok")
    chat = chat_with(server)
    chat.complete(HELLO)
    chat.complete(HELLO)
    times = [asked.at for asked in server.requests]
    assert times[1] - times[0] >= 0.3
    assert times[3] - times[2] >= 1.0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(200, cut=True, body='{"choices": [{"mess'),
        Fault(200, body='{"choices": [{"mess'),
        Fault(200, body="<html>busy</html>", content_type="text/html"),
        Fault(200, body="busy", content_type="text/plain"),
        Fault(200, body=""),
        Fault(200, body="[]"),
        Fault(200, body="null"),
        Fault(200, body='{"choices": null}'),
        Fault(200, body='{"choices": []}'),
        Fault(200, body='{"choices": [{"index": 0, "message": null, "finish_reason": "stop"}]}'),
        Fault(200, body='{"error": {"message": "overloaded"}}'),
        Fault(
            200,
            body='{"choices": [{"message": {"role": "assistant", "content": "x"}}], "usage": {"prompt_tokens": "y"}}',
        ),
    ],
    ids=lambda fault: "cut" if fault.cut else fault.body or "empty",
)
@pytest.mark.parametrize("schema", [None, SCHEMA], ids=["text", "schema"])
def test_a_body_that_is_no_chat_completion_is_retried_and_then_unavailable(
    server: ScriptedOpenAI, fault: Fault, schema: dict[str, object] | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)
    server.script(fault, Reply(json={"n": 1}))
    assert chat_with(server).complete(HELLO, schema=schema).text == '{"n": 1}'
    server.script(fault, fault, fault)
    error = problem(chat_with(server), schema=schema)
    assert type(error) is ChatUnavailable
    assert "no chat completion" in str(error) or "broke" in str(error)
    assert "3 attempts" in str(error)
    assert len(server.requests) == 5


def test_json_with_a_wrong_content_type_is_read_all_the_same(server: ScriptedOpenAI):
    body = '{"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}]}'
    server.script(Fault(200, body=body, content_type="text/plain"))
    assert chat_with(server).complete(HELLO).text == "fine"


ODD = (None, 3, -1, 1.5, "x", [], {}, [{"type": "text"}], 10**30, "\ud800")
PARTS = (
    "choices",
    "choices.0",
    "choices.0.message",
    "choices.0.message.content",
    "choices.0.message.role",
    "choices.0.message.refusal",
    "choices.0.message.tool_calls",
    "choices.0.finish_reason",
    "usage",
    "usage.prompt_tokens",
    "usage.completion_tokens",
    "model",
    "error",
)


def test_any_part_of_an_answer_may_be_odd_and_nothing_foreign_is_raised(server: ScriptedOpenAI):
    chat = chat_with(server, retries=0)
    outcomes: dict[str, int] = {}
    for part in PARTS:
        for odd in ODD:
            message = {"role": "assistant", "content": "fine"}
            usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
            body: Any = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "usage": usage}
            body["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
            place = body
            *way, last = [int(name) if name.isdigit() else name for name in part.split(".")]
            for name in way:
                place = place[name]
            place[last] = odd
            server.otherwise = Fault(200, body=json.dumps(body))
            try:
                reply = chat.complete(HELLO)
                assert 0 <= reply.input_tokens <= 10**9 and 0 <= reply.output_tokens <= 10**9
                outcomes["ok"] = outcomes.get("ok", 0) + 1
            except ChatError as error:
                outcomes[type(error).__name__] = outcomes.get(type(error).__name__, 0) + 1
    assert sum(outcomes.values()) == len(PARTS) * len(ODD)
    assert set(outcomes) == {"ok", "ChatUnavailable", "UnusableReply"}


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(401, f"Incorrect API key provided: {KEY[:9]}***{KEY[-4:]}"), ChatDenied, "does not accept the key"),
        (Fault(403, "Country not supported"), ChatDenied, "does not accept the key"),
        (Fault(404, "The model `m` does not exist", code="model_not_found"), ChatDenied, "no such model"),
        (Fault(402, "Insufficient balance"), ChatDenied, "quota"),
        (Fault(429, "You exceeded your current quota", code="insufficient_quota"), ChatDenied, "quota"),
        (Fault(400, "maximum context length is 8192 tokens"), ChatUnreadable, "maximum context length"),
        (Fault(413, "too large"), ChatUnreadable, "HTTP 413"),
        (Fault(302, location="http://127.0.0.1:1/v1/chat/completions"), ChatUnavailable, "redirects elsewhere"),
        (Fault(400, body="<html>nginx</html>", content_type="text/html"), ChatUnreadable, "HTTP 400"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Fault) else None,
)
def test_a_fault_that_will_not_pass_is_asked_once(server: ScriptedOpenAI, fault: Fault, kind: type, words: str):
    server.otherwise = fault
    error = problem(chat_with(server))
    assert type(error) is kind
    assert words in str(error) and server.endpoint in str(error)
    assert len(server.requests) == 1


def test_retries_end_with_what_the_server_said_and_how_often_it_was_asked(server: ScriptedOpenAI):
    server.otherwise = Fault(503, "the model is loading", retry_after=0.0)
    error = problem(chat_with(server, retries=3))
    assert type(error) is ChatUnavailable
    assert "the model is loading" in str(error) and "gave up after 4 attempts" in str(error)
    assert len(server.requests) == 4


@pytest.mark.parametrize("header", ["retry-after", "retry-after-ms"])
def test_an_hours_wait_is_not_waited(server: ScriptedOpenAI, header: str):
    server.otherwise = Fault(429, "slow down", retry_after=3600, retry_after_header=header)
    started = time.monotonic()
    error = problem(chat_with(server))
    assert time.monotonic() - started < 3
    assert type(error) is ChatUnavailable and "asks to wait 3600 s" in str(error)
    assert len(server.requests) == 1


def test_waits_that_add_up_past_the_patience_end(server: ScriptedOpenAI):
    server.otherwise = Fault(503, retry_after=0.2)
    started = time.monotonic()
    assert type(problem(chat_with(server, retries=1000, patience_seconds=1.0))) is ChatUnavailable
    assert time.monotonic() - started < 4
    assert 2 <= len(server.requests) <= 5


@pytest.mark.parametrize(
    "fault", [Fault(200, body=" " * 200, drip=0.05), Fault(200, delay=3.0)], ids=["drip", "silence"]
)
def test_an_answer_that_never_ends_is_given_up_at_the_time_limit(server: ScriptedOpenAI, fault: Fault):
    server.otherwise = fault
    started = time.monotonic()
    error = problem(chat_with(server, timeout_seconds=0.5, retries=0))
    assert type(error) is ChatUnavailable and "no answer within 0.5 s" in str(error)
    assert time.monotonic() - started < 2.5


def test_an_endless_body_does_not_fill_the_memory(server: ScriptedOpenAI):
    server.otherwise = Reply("x" * (LARGEST_ANSWER + 1))
    assert f"more than {LARGEST_ANSWER:,} bytes" in str(problem(chat_with(server, retries=0)))


def test_a_server_that_is_not_there_is_named_with_the_way_out():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    error = problem(chat_at(f"http://127.0.0.1:{port}/v1#m", retries=1))
    assert type(error) is ChatUnavailable
    assert f"cannot reach http://127.0.0.1:{port}/v1#m" in str(error)
    assert "refused" in str(error) and "is the server running" in str(error)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(refusal="I cannot help with that", usage=(9, 4)), "refused to answer: I cannot help"),
        (Reply('{"n": ', finish_reason="length", usage=(9, 4)), "cut off after 4 tokens"),
        (Reply("", finish_reason="content_filter", usage=(9, 4)), "content filter"),
        (Reply("", usage=(9, 4)), "answered nothing"),
        (Reply(usage=(9, 4)), "answered nothing"),
        (Reply(tool_calls=(("f", {}),), usage=(9, 4)), "answered nothing"),
    ],
    ids=["refusal", "length", "filter", "empty", "null", "tool call"],
)
@pytest.mark.parametrize("schema", [None, SCHEMA], ids=["text", "schema"])
def test_an_answer_that_cannot_be_used_says_why_and_what_it_cost(
    server: ScriptedOpenAI, reply: Reply, words: str, schema: dict[str, object] | None
):
    server.otherwise = reply
    error = problem(chat_with(server), schema=schema)
    assert type(error) is UnusableReply and words in str(error)
    assert (error.reply.input_tokens, error.reply.output_tokens) == (9, 4)
    assert len(server.requests) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


# ------------------------------------------------------------------------------------------ keys

EVERYTHING = (
    Fault(401, f"Incorrect API key provided: {KEY[:9]}***{KEY[-4:]}. Find it at ..."),
    Fault(400, f"bad header 'Authorization: Bearer {KEY}'"),
    Fault(404, f"no model for {KEY}"),
    Fault(500, f"key {KEY} crashed; prefix {KEY[:6]}, suffix {KEY[-6:]}", retry_after=0.0),
    Fault(200, body=f'{{"error": {{"message": "key {KEY} is odd"}}}}'),
    Fault(200, body=f"<html>{KEY}</html>", content_type="text/html"),
    Fault(200, cut=True, body=KEY),
    Fault(302, f"moved, {KEY}", location="http://elsewhere/"),
    Reply(refusal=f"I will not use {KEY}"),
    Reply(f"your key is {KEY}", finish_reason="length"),
)


def test_no_piece_of_the_key_is_in_an_error_a_log_or_a_repr(server: ScriptedOpenAI, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    chat = chat_with(server, retries=1)
    texts = [repr(chat), str(vars(chat)), repr(chat.endpoint), pickle.dumps(chat).decode("latin-1")]
    try:
        for fault in EVERYTHING:
            server.otherwise = fault
            for schema in (None, SCHEMA):
                error = problem(chat, schema=schema)
                assert error.__cause__ is None and error.__context__ is None
                texts += [
                    "".join(traceback.format_exception(error)),
                    repr(error),
                    pickle.dumps(error).decode("latin-1"),
                ]
        server.otherwise = Reply(f"your key is {KEY}!")
        texts.append(chat.complete(HELLO).model_dump_json())
        assert "your key is [key]!" in texts[-1]
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert {asked.key for asked in server.requests} == {KEY}
    pieces = {KEY[start : start + 5] for start in range(len(KEY) - 4)}
    assert [text for text in (*texts, log.getvalue()) for piece in pieces if piece in text] == []
    assert "HTTP" in log.getvalue()


def test_a_short_key_does_not_blot_out_answers():
    assert Redactor("EMPTY").in_reply("EMPTY is a word") == "EMPTY is a word"
    assert Redactor("EMPTY").in_message("key EMPTY refused") == "key [key] refused"
    assert Redactor(None).in_message("a  b\nc") == "a b c"
    assert Redactor(KEY).in_message(f"a{KEY}b {KEY[3:9]} c") == "a[key]b [key] c"


def test_a_pickled_chat_reads_the_key_where_it_lands(server: ScriptedOpenAI):
    server.otherwise = Reply("ok")
    again = pickle.loads(pickle.dumps(chat_with(server, timeout_seconds=4.0)))
    assert again.complete(HELLO).text == "ok"
    assert (again.timeout_seconds, again.retries) == (4.0, 2)


def test_what_belongs_to_openai_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch):
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "BASE_URL", "API_BASE", "ORGANIZATION"):
        monkeypatch.setenv(
            f"OPENAI_{name}", f"https://openai-{name}.example/v1" if "BASE" in name else f"openai-{name}"
        )
    for key in (KEY, ""):
        monkeypatch.setenv("RLAR_LLM_KEY", key)
        with ScriptedOpenAI() as server:
            server.otherwise = Reply("ok")
            assert chat_with(server).complete(HELLO).text == "ok"
            (asked,) = server.requests
        assert asked.key == (key or None)
        assert [value for value in asked.headers.values() if "openai-" in value.lower()] == []
        assert [name for name in asked.headers if name.startswith("openai")] == []


def test_openais_key_goes_to_openai_whatever_the_environment_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ScriptedOpenAI() as server:
        server.otherwise = Reply("ok")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        error = problem(OpenAIChat(parse_endpoint("openai:gpt-4.1-mini"), retries=0))
        assert server.requests == []
    assert type(error) is ChatUnavailable and "openai:gpt-4.1-mini" in str(error)
