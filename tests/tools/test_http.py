"""Scores from model servers over real HTTP: the shapes they speak, and everything that can go wrong on the way."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rlar.errors import ToolError
from rlar.gate import certify
from rlar.gate.policy import load_policy
from rlar.llm.http_body import LARGEST_ANSWER
from rlar.network import Network
from rlar.scoring.runner import Runner
from rlar.tool import Resources
from rlar.tools.http import http_spec
from rlar.tools.load import load_tool
from rlar.types import Sample, Score, ToolSpec
from tests.fakes.model_server import Answer, Handler, ModelServer, tei, vllm
from tests.fakes.probing_tasks import long_text_task
from tests.fakes.scripted_judges import shares


def said(completion: str, prompt: str = "Why?", reference: str | None = None) -> Sample:
    references = (reference,) if reference else ()
    return Sample(prompt=prompt, completion=completion, reference=reference, references=references)


def scored(told: ToolSpec, samples: Sequence[Sample]) -> list[Score]:
    with allowing(told.source) as resources:
        return load_tool(told, resources).score(samples)


def allowing(address: str) -> Resources:
    return Resources(network=Network.of_user([address]))


def outcomes(scores: Sequence[Score]) -> list[tuple[float | None, str]]:
    return [(score.value, score.status) for score in scores]


def length(prompt: str, completion: str) -> float:
    return len(completion) - 10.0


# ------------------------------------------------------------------------------------------ what servers speak


@pytest.mark.parametrize(
    ("protocol", "form"), [("vllm", "messages"), ("vllm", "text"), ("vllm", "pair"), ("tei", "pair"), ("tei", "text")]
)
def test_raw_scores_come_back_in_order(protocol: Any, form: Any):
    def by_text(prompt: str, completion: str = "") -> float:
        return len(completion or prompt.split("\n\n", 1)[1]) - 10.0

    with ModelServer(vllm(length) if protocol == "vllm" else tei(by_text)) as server:
        told = http_spec(server.url, protocol, form=form, batch=2)
        scores = scored(told, [said("x" * size) for size in (3, 14, 1, 20, 7)])
    assert [score.value for score in scores] == [-7.0, 4.0, -9.0, 10.0, -3.0]


def test_thoughts_and_unseen_characters_do_not_reach_the_model():
    with ModelServer(vllm(length)) as server:
        scored(http_spec(server.url, "vllm"), [said("<think>hm</think>ga\u200bs")])
        assert server.requests[-1][1]["messages"][1] == {"role": "assistant", "content": "gas"}


def test_text_in_a_template_is_not_a_template():
    with ModelServer(vllm(lambda prompt, completion: 1.0)) as server:
        told = http_spec(server.url, "vllm", form="text", template="Q: {prompt}\n\nA: {completion}")
        scored(told, [said("{prompt}", "{completion}?")])
        assert server.requests[-1][1]["input"] == ["Q: {completion}?\n\nA: {prompt}"]


def rlar_server(rewards: Callable[[dict[str, Any]], dict[str, Any]]) -> Handler:
    def handler(path: str, body: Any, headers: Any) -> Answer:
        if path == "/healthz":
            return Answer({"status": "ok"})
        assert path == "/score"
        return Answer({"rewards": [rewards(row) for row in body["rows"]]})

    return handler


def test_the_three_outcomes_of_another_rlar_stay_apart():
    told = {
        "right": {"reward": 0.75, "status": "ok", "fingerprint": "f1-x", "scores": []},
        "unsure": {"reward": None, "status": "abstain"},
        "who": {"reward": None, "status": "unknown"},
        "alone": {"reward": None, "status": "uncovered"},
        "broken": {"reward": None, "status": "failed"},
        "slow": {"reward": None, "status": "timeout"},
    }
    with ModelServer(rlar_server(lambda row: told[row["completion"]])) as server:
        scores = scored(http_spec(server.url, "rlar"), [said(each, reference="it") for each in told])
        rows = [row for path, body, _headers in server.requests if path == "/score" for row in body["rows"]]
    assert outcomes(scores) == [
        (0.75, "ok"),
        (None, "abstain"),
        (None, "abstain"),
        (None, "abstain"),
        (None, "failed"),
        (None, "timeout"),
    ]
    assert rows[0] == {"prompt": "Why?", "completion": "right", "reference": "it"}


@pytest.mark.parametrize(
    "reward",
    [
        {"reward": 1.5, "status": "ok"},
        {"reward": None, "status": "ok"},
        {"reward": True, "status": "ok"},
        {"reward": 1.0, "status": "failed"},
        {"reward": 1.0, "status": "unknown"},
        {"reward": 1.0},
        {"reward": 1.0, "status": "ok", "row": 3},
        {"score": 1.0},
        1.0,
    ],
)
def test_a_reward_that_is_none_is_failed(reward: Any):
    with ModelServer(rlar_server(lambda row: reward)) as server:
        assert outcomes(scored(http_spec(server.url, "rlar"), [said("gas")])) == [(None, "failed")]


# ------------------------------------------------------------------------------------------ garbage

ONE = {"index": 0, "label": "L", "num_classes": 1}
GARBAGE: dict[str, Answer] = {
    "html": Answer(text="<html>It works!</html>"),
    "nothing": Answer(text=""),
    "a number": Answer(0.9),
    "null": Answer(None),
    "no data": Answer({"model": "org/reward"}),
    "an empty list": Answer({"data": []}),
    "one too many": Answer({"data": [{**ONE, "probs": [0.5]}, {**ONE, "index": 1, "probs": [0.5]}]}),
    "two labels": Answer({"data": [{**ONE, "probs": [0.4, 0.6], "num_classes": 2}]}),
    "no labels": Answer({"data": [{**ONE, "probs": []}]}),
    "NaN": Answer(text='{"data": [{"index": 0, "probs": [NaN]}]}'),
    "infinity": Answer(text='{"data": [{"index": 0, "probs": [1e999]}]}'),
    "a giant integer": Answer(text='{"data": [{"index": 0, "probs": [1' + "0" * 400 + "]}]}"),
    "a word": Answer({"data": [{**ONE, "probs": ["0.9"]}]}),
    "a bool": Answer({"data": [{**ONE, "probs": [True]}]}),
    "null as score": Answer({"data": [{**ONE, "probs": [None]}]}),
    "a bare number as probs": Answer({"data": [{**ONE, "probs": 0.9}]}),
    "another index": Answer({"data": [{**ONE, "index": 3, "probs": [0.9]}]}),
    "another model": Answer({"model": "org/other", "data": [{**ONE, "probs": [0.9]}]}),
    "bottomless": Answer(text="[" * 200_000),
    "not utf-8": Answer(text="\udcff".encode("utf-8", "surrogatepass").decode("latin-1")),
    "a cut body": Answer(text='{"data": [', headers={"content-length": "5000", "connection": "close"}),
    "a redirect": Answer({}, status=302, headers={"location": "http://127.0.0.1:9/"}),
    "404": Answer({"detail": "Not Found"}, status=404),
    "500": Answer({"error": "CUDA out of memory"}, status=500),
    "401": Answer({"error": "no"}, status=401),
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_failed_and_never_a_number(answer: Answer):
    with ModelServer(lambda path, body, headers: answer) as server:
        told = http_spec(server.url, "vllm", model="org/reward", ask_server=False, seconds=5, retries=1)
        (score,) = scored(told, [said("gas")])
    assert (score.value, score.status) == (None, "failed")
    assert score.error


def test_a_body_without_end_is_cut():
    with ModelServer(lambda path, body, headers: Answer(text="[" + " " * LARGEST_ANSWER + "1]")) as server:
        (score,) = scored(http_spec(server.url, "tei", ask_server=False), [said("gas")])
    assert score.status == "failed" and f"more than {LARGEST_ANSWER:,} bytes" in (score.error or "")


@pytest.mark.parametrize(
    "answer", [Answer({}, delay=3), Answer({"data": "x" * 200}, drip=0.05)], ids=["silent", "dripping"]
)
def test_a_slow_server_is_a_timeout(answer: Answer):
    with ModelServer(lambda path, body, headers: answer) as server:
        started = time.monotonic()
        (score,) = scored(http_spec(server.url, "vllm", ask_server=False, seconds=0.4), [said("gas")])
    assert (score.value, score.status) == (None, "timeout")
    assert time.monotonic() - started < 2.5


def test_a_server_that_is_down_is_failed_after_its_retries():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (score,) = scored(http_spec(address, "vllm", ask_server=False, retries=1), [said("gas")])
    assert score.status == "failed" and "cannot be reached" in (score.error or "")


# ------------------------------------------------------------------------------------------ retries


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (Answer({}, status=503), 2),
        (Answer({}, status=429, headers={"retry-after": "0"}), 2),
        (Answer(drop=True), 2),
        (Answer({}, status=500), 1),
        (Answer({}, status=400), 1),
        (Answer(text="{"), 1),
    ],
    ids=["503", "429", "dropped", "500", "400", "garbage"],
)
def test_only_what_may_pass_is_tried_again(fault: Answer, tries: int):
    good = vllm(length)
    count = 0

    def handler(path: str, body: Any, headers: Any) -> Answer:
        nonlocal count
        count += 1
        return fault if count == 1 else good(path, body, headers)

    with ModelServer(handler) as server:
        (score,) = scored(http_spec(server.url, "vllm", ask_server=False), [said("x" * 12)])
    assert count == tries
    assert outcomes([score]) == ([(2.0, "ok")] if tries == 2 else [(None, "failed")])


def test_retries_end():
    with ModelServer(lambda path, body, headers: Answer({}, status=503, headers={"retry-after": "0"})) as server:
        (score,) = scored(http_spec(server.url, "vllm", ask_server=False, retries=2), [said("gas")])
        assert len(server.requests) == 3
    assert score.status == "failed" and "503" in (score.error or "")


def test_a_wait_of_an_hour_is_not_waited_for():
    with ModelServer(lambda path, body, headers: Answer({}, status=429, headers={"retry-after": "3600"})) as server:
        started = time.monotonic()
        scored(http_spec(server.url, "vllm", ask_server=False, retries=1, seconds=5), [said("gas")])
    assert time.monotonic() - started < 10


def test_one_completion_that_is_too_long_costs_only_itself():
    good = vllm(length)

    def handler(path: str, body: Any, headers: Any) -> Answer:
        if any(len(text) > 500 for text in body.get("input", ())):
            return Answer({"error": {"message": "maximum context length is 500"}}, status=400)
        return good(path, body, headers)

    with ModelServer(handler) as server:
        told = http_spec(server.url, "vllm", form="text")
        scores = scored(told, [said("x" * 12), said("x" * 600), said("x" * 14)])
    assert outcomes(scores) == [(2.0, "ok"), (None, "failed"), (4.0, "ok")]
    assert "context length" in (scores[1].error or "")


def test_calls_run_beside_each_other_up_to_the_limit():
    def slow(prompt: str, completion: str) -> float:
        time.sleep(0.05)
        return 1.0

    with ModelServer(vllm(slow)) as server:
        told = http_spec(server.url, "vllm", at_once=3)
        with allowing(server.url) as resources:
            runner = Runner(resources, workers=0, plugins=(), deadline_seconds=5, quarantine_after=16)
            (scores,) = runner.run([(told, [said(f"text {number}") for number in range(12)])])
        assert {score.value for score in scores} == {1.0}
        assert server.most_at_once == 3


# ------------------------------------------------------------------------------------------ who is served


@pytest.mark.parametrize("protocol", ["vllm", "tei"])
def test_another_model_at_the_same_address_is_noticed(protocol: Any):
    def make(version: str) -> Handler:
        return vllm(length, root=f"/m/{version}") if protocol == "vllm" else tei(length, sha=version)

    with ModelServer(make("v1")) as server:
        told = http_spec(server.url, protocol)
        assert told.params["model"] == "org/reward" and "v1" in told.params["served"]
        server.handler = make("v2")
        assert http_spec(server.url, protocol).id != told.id
        (score,) = scored(told, [said("gas")])
        assert score.status == "failed" and "v2" in (score.error or "")
        checked = told.model_copy(update={"params": {**told.params, "check_on_load": True}})
        with pytest.raises(ToolError, match="v2"), allowing(server.url) as resources:
            load_tool(checked, resources)


def test_a_model_that_is_changed_while_scoring_is_noticed_after_the_connection_was_lost():
    with ModelServer(vllm(length)) as server, allowing(server.url) as resources:
        told = http_spec(server.url, "vllm", retries=0)
        tool = load_tool(told, resources)
        assert tool.score([said("x" * 12)])[0].value == 2.0
        server.handler = lambda path, body, headers: Answer(drop=True)
        assert tool.score([said("x" * 12)])[0].status == "failed"
        server.handler = vllm(lambda prompt, completion: 99.0, root="/models/other")
        (score,) = tool.score([said("x" * 12)])
        assert (score.value, score.status) == (None, "failed") and "another tool" in (score.error or "")


def test_check_on_load_names_a_server_that_is_down():
    with ModelServer(vllm(length)) as server:
        told = http_spec(server.url, "vllm", check_on_load=True, retries=0, seconds=2)
        assert scored(told, [said("x" * 12)])[0].value == 2.0
    with pytest.raises(ToolError, match="cannot"), allowing(told.source) as resources:
        load_tool(told, resources)


# ------------------------------------------------------------------------------------------ tokens and addresses

SECRET = "secret-token-0123456789"


def test_the_token_is_sent_and_stored_nowhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REWARD_TOKEN", SECRET)

    def handler(path: str, body: Any, headers: dict[str, str]) -> Answer:
        return Answer({"error": f"bad token {headers['authorization']}"}, status=401)

    with ModelServer(handler) as server:
        monkeypatch.setenv("RLAR_TOKEN_FOR", f"{server.url}=REWARD_TOKEN")
        told = http_spec(server.url, "vllm", ask_server=False)
        (score,) = scored(told, [said("gas")])
        assert server.requests[0][2]["authorization"] == f"Bearer {SECRET}"
    assert score.status == "failed" and "RLAR_TOKEN_FOR=http://127.0.0.1:" in (score.error or "")
    assert SECRET not in told.model_dump_json() + score.model_dump_json()


def test_a_tool_that_names_a_token_is_told_who_does():
    with pytest.raises(ToolError, match="export RLAR_TOKEN_FOR="):
        http_spec("http://127.0.0.1:9", "vllm", ask_server=False, token_variable="RLAR_REWARD_TOKEN")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "host:8000",
        "ftp://host",
        "http://",
        "http://me:pass@host",
        "http://host/?key=1",
        "http://host:x",
        "http://a b",
    ],
)
def test_an_address_that_cannot_be_one_is_refused_without_repeating_it(address: str):
    with pytest.raises(ToolError, match="base URL") as caught:
        http_spec(address, "vllm", ask_server=False)
    assert "pass" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"form": "rows"}, "no form 'rows'"), ({"template": "{prompt}"}, "template"), ({"colour": 1}, "colour")],
)
def test_settings_that_do_not_fit_are_named(change: dict[str, Any], message: str):
    with pytest.raises(ToolError, match=message):
        http_spec("http://127.0.0.1:9", "vllm", ask_server=False, **change)


# ------------------------------------------------------------------------------------------ the gate


def test_the_gate_admits_a_good_model_and_rejects_an_inverted_one_behind_http():
    task = long_text_task()
    good = {row.text: row.reference or "" for row in task.examples}

    def quality(prompt: str, completion: str) -> float:
        found = shares(completion, good.get(prompt, ""))
        # Raw logits have no range that anybody knows.
        return 9 * sum(found) / len(found) - 6 if found[0] > 0.2 else -6.0

    verdicts = {}
    for name, score in {"good": quality, "inverted": lambda prompt, completion: -quality(prompt, completion)}.items():
        with ModelServer(vllm(score)) as server, allowing(server.url) as resources:
            told = http_spec(server.url, "vllm")
            verdicts[name] = certify(load_tool(told, resources), task, policy=load_policy(), seed=0)
    assert verdicts["good"].admitted, verdicts["good"].reasons
    assert not verdicts["inverted"].admitted
    assert any(reason.startswith("discrimination") for reason in verdicts["inverted"].reasons)
    assert json.loads(verdicts["good"].model_dump_json())
