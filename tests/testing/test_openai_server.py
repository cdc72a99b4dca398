"""The scripted server speaks the real protocol, to the real client; its command serves a JSON script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from rlar.errors import ConfigError

pytest.importorskip("uvicorn", reason="the scripted server needs rlar[serve]")

from rlar.testing.openai_server import Fault, Reply, ScriptedOpenAI, read_script

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def one_server() -> Iterator[ScriptedOpenAI]:
    with ScriptedOpenAI() as running:
        yield running


@pytest.fixture
def server(one_server: ScriptedOpenAI) -> ScriptedOpenAI:
    one_server.clear()
    return one_server


def client_of(server: ScriptedOpenAI, key: str = "any") -> Any:
    return openai.OpenAI(base_url=server.url, api_key=key, max_retries=0, timeout=10)


def ask(server: ScriptedOpenAI, text: str = "hello", **options: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return client_of(server).chat.completions.create(model="whatever", messages=messages, **options)


def test_rules_come_first_then_the_script_then_the_rest(server: ScriptedOpenAI):
    server.when("apple", Reply("rule")).when(["pear", "plum"], Reply("first"), Reply("second"))
    server.script(Reply("scripted once"))
    server.otherwise = Reply("the rest")
    texts = ["apple", "pear", "a plum, a pear", "pear plum", "pear and plum", "x"]
    said = [ask(server, text).choices[0].message.content for text in texts]
    assert said == ["rule", "scripted once", "first", "second", "second", "the rest"]
    assert [asked.last for asked in server.requests] == texts


def test_a_rule_may_be_a_function_of_the_request(server: ScriptedOpenAI):
    server.when(lambda asked: asked.body["temperature"] == 1, lambda asked: Reply(asked.last[::-1]))
    assert ask(server, "abc", temperature=1).choices[0].message.content == "cba"


def test_the_model_is_never_said_to_be_another(server: ScriptedOpenAI):
    server.otherwise = Reply("x", usage=(3, 4))
    answer = ask(server)
    assert answer.model == "scripted"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (3, 4, 7)
    assert [model.id for model in client_of(server).models.list()] == ["scripted"]


def test_tool_calls_refusals_and_schemas_are_the_protocols(server: ScriptedOpenAI):
    server.script(Reply(tool_calls=(("add", {"a": 1}),)), Reply(refusal="no"), Reply(json={"n": 1}))
    first = ask(server).choices[0]
    assert (first.finish_reason, first.message.tool_calls[0].function.name) == ("tool_calls", "add")
    assert json.loads(first.message.tool_calls[0].function.arguments) == {"a": 1}
    assert ask(server).choices[0].message.refusal == "no"
    wanted = {"type": "json_schema", "json_schema": {"name": "Count", "schema": {"type": "object"}, "strict": True}}
    assert json.loads(ask(server, response_format=wanted).choices[0].message.content) == {"n": 1}
    assert [asked.schema_name for asked in server.requests] == [None, None, "Count"]


def test_a_stream_gives_the_same_text_and_usage(server: ScriptedOpenAI):
    text = "a long answer in several pieces, é and \U0001f600"
    server.otherwise = Reply(text, usage=(5, 6))
    chunks = list(ask(server, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert chunks[-1].usage.total_tokens == 11
    assert all(chunk.usage is None for chunk in ask(server, stream=True))
    server.otherwise = Reply(tool_calls=(("add", {"a": 1}),))
    calls = [chunk.choices[0].delta.tool_calls for chunk in ask(server, stream=True)]
    assert [call[0].function.name for call in calls if call] == ["add"]
    server.otherwise = Reply(refusal="no")
    assert "no" in [chunk.choices[0].delta.refusal for chunk in ask(server, stream=True)]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(401), openai.AuthenticationError),
        (Fault(404), openai.NotFoundError),
        (Fault(429, retry_after=2), openai.RateLimitError),
        (Fault(500), openai.InternalServerError),
        (Fault(200, cut=True), openai.APIConnectionError),
        (Fault(200, body="{"), json.JSONDecodeError),
    ],
    ids=["401", "404", "429", "500", "cut", "malformed"],
)
def test_faults_are_what_the_real_client_takes_them_for(server: ScriptedOpenAI, fault: Fault, kind: type):
    server.otherwise = fault
    with pytest.raises(kind) as caught:
        ask(server)
    if fault.retry_after:
        assert caught.value.response.headers["retry-after-ms"] == "2000"


def test_a_key_and_models_are_asked_for_if_wanted():
    with ScriptedOpenAI(key="right", models=["m"]) as server:
        server.otherwise = Reply("x")
        ask_for = {"messages": [{"role": "user", "content": "x"}]}
        with pytest.raises(openai.AuthenticationError):
            client_of(server, "wrong").chat.completions.create(model="m", **ask_for)
        with pytest.raises(openai.NotFoundError):
            client_of(server, "right").chat.completions.create(model="n", **ask_for)
        client_of(server, "right").chat.completions.create(model="m", **ask_for)
        assert [asked.key for asked in server.requests] == ["wrong", "right", "right"]
        assert "right" not in repr(server.requests[-1])


def test_what_has_no_answer_says_so_and_is_not_worth_a_retry(server: ScriptedOpenAI):
    with pytest.raises(openai.BadRequestError, match="the script has no answer"):
        ask(server)


SCRIPT = [
    {"when": "name", "json": {"name": "sums"}, "usage": [5, 6]},
    {"when": ["write", "compute"], "steps": [{"fault": {"status": 503, "retry_after": 0}}, {"reply": "prose"}]},
    {"when": "tools", "tool_calls": [["add", {"a": 1}]]},
    {"reply": "anything", "finish_reason": "length"},
]


def test_a_script_from_a_file_answers_like_one_from_python(tmp_path: Path):
    path = tmp_path / "script.json"
    path.write_text(json.dumps(SCRIPT))
    with read_script(path) as server:
        named = ask(server, "name it")
        assert (json.loads(named.choices[0].message.content), named.usage.total_tokens) == ({"name": "sums"}, 11)
        with pytest.raises(openai.InternalServerError):
            ask(server, "write compute")
        assert ask(server, "write compute").choices[0].message.content == "prose"
        assert ask(server, "tools").choices[0].message.tool_calls[0].function.name == "add"
        assert ask(server, "x").choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no script"),
        ('{"when": "x"}', "JSON list of rules"),
        ("[3]", "JSON list of rules"),
        ('[{"when": 3, "reply": "x"}]', "rule 1: `when`"),
        ('[{"reply": "x", "repl": "y"}]', "rule 1: repl: Unexpected"),
        ('[{"when": "x", "steps": []}]', "at least one answer"),
        ('[{"fault": {"stat": 1}}]', "stat"),
        ('[{"fault": 3}]', "rule 1: the answer: "),
        ('[{"fault": {"status": 500}, "reply": "x"}]', "rule 1: fault: Unexpected"),
        ('[{"usage": [1]}]', "usage"),
        ('[{"usage": 3}]', "usage"),
        ('[{"delay": "long"}]', "delay"),
        ('[{"tool_calls": [["f"]]}]', "tool_calls"),
    ],
)
def test_a_script_that_cannot_be_meant_is_refused_with_the_rule(tmp_path: Path, text: str, words: str):
    path = tmp_path / "script.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_script(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_the_command_serves_a_script_until_it_is_ended(tmp_path: Path):
    path = tmp_path / "script.json"
    path.write_text('[{"reply": "from the command"}]')
    command = [sys.executable, "-m", "rlar.testing.openai_server", "--script", str(path), "--port", "0"]
    search = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": search})
    try:
        line = running.stdout.readline()
        assert line.startswith("scripted replies, no model: use --llm http://127.0.0.1:") and line.endswith(
            "#scripted\n"
        )
        client = openai.OpenAI(base_url=line.split()[-1].partition("#")[0], api_key="x", max_retries=0, timeout=10)
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert answer.choices[0].message.content == "from the command"
    finally:
        running.terminate()
        running.wait(10)
    missing = subprocess.run(
        [*command[:4], str(tmp_path / "none.json")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    )
    assert (missing.returncode, "no script" in missing.stderr) == (2, True)
