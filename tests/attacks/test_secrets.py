"""A registry from somebody else makes rlar contact nobody, and send no secret, that the user did not name."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from rlar.errors import ConfigError, HostRefused, ToolError
from rlar.gate.retest import retest
from rlar.integrations.process import HostScorer
from rlar.network import Network, host_of
from rlar.registry.registry import Registry, RowRecord
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.testing.openai_server import Reply, ScriptedOpenAI
from rlar.tool import Resources
from rlar.tools.http import http_spec
from rlar.tools.judge import Criterion, judge_spec
from rlar.tools.load import load_tool
from rlar.types import Certificate, Recipe, Sample, Score, TaskSpec, ToolKind, ToolSpec
from tests.fakes.hub_server import HubServer
from tests.fakes.model_server import Answer, ModelServer, vllm
from tests.fakes.probing_tasks import open_task

SECRETS = {
    "RLAR_TOKEN": "server-password-0123456789",
    "RLAR_LLM_KEY": "llm-key-0123456789abcdef",
    "RLAR_JUDGE_KEY": "judge-key-0123456789abc",
    "RLAR_REWARD_TOKEN": "reward-token-0123456789",
    "OPENAI_API_KEY": "sk-openai-0123456789abc",
    "HF_TOKEN": "hf_0123456789abcdefghij",
    "AWS_SECRET_ACCESS_KEY": "aws-0123456789abcdefghij",
}
VERDICT = {"on_task": "yes", "c1": {"reason": "so", "verdict": 4}}
SAMPLE = Sample(prompt="Why?", completion="Because.")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    for name in ("RLAR_ALLOW_HOSTS", "RLAR_TOKEN_FOR", "RLAR_LLM"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("RLAR_HUB_CACHE", str(tmp_path / "models"))


@pytest.fixture
def spy() -> Iterator[ModelServer]:
    """A host that answers as a reward model and as a judge, and remembers all that it was sent."""
    model = vllm(lambda prompt, completion: 1.0)

    def answer(path: str, body: Any, headers: dict[str, str]) -> Answer:
        if not path.endswith("/chat/completions"):
            return model(path, body, headers)
        message = {"role": "assistant", "content": json.dumps(VERDICT)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return Answer({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})

    with ModelServer(answer) as server:
        yield server


def sent(server: ModelServer) -> str:
    return repr(server.requests)


def assert_no_secret(text: str, *, but: Sequence[str] = ()) -> None:
    for name, value in SECRETS.items():
        assert (value in text) == (name in but), name


# ------------------------------------------------------------------------------------------ tools of a foreign registry


def old_http(url: str, variable: str = "RLAR_TOKEN") -> ToolSpec:
    """As an earlier version stored it: it names the variable whose value is to be sent."""
    spec = http_spec(url, "vllm", ask_server=False)
    return spec.model_copy(update={"params": {**spec.params, "token_variable": variable}})


def old_judge(url: str, variable: str = "RLAR_LLM_KEY") -> ToolSpec:
    spec = judge_spec({"model": "m", "base_url": f"{url}/v1"}, [Criterion(text="Is right.")])
    endpoint = {**spec.params["endpoint"], "key_variable": variable}
    return spec.model_copy(update={"params": {**spec.params, "endpoint": endpoint}})


def hub_model(url: str) -> ToolSpec:
    params = {
        "reading": {"family": "scalar", "template": "pair"},
        "files": {"config.json": "0" * 64},
        "max_length": 64,
        "endpoint": url,
    }
    return ToolSpec(kind=ToolKind.REWARD_MODEL, name="rm", source=f"acme/rm@{'0' * 40}", params=params)


TOOLS = {
    **{f"http {name}": lambda url, name=name: old_http(url, name) for name in SECRETS},
    **{f"judge {name}": lambda url, name=name: old_judge(url, name) for name in SECRETS},
    "model": hub_model,
}


def registry_with(path: Path, tool: ToolSpec) -> tuple[Path, TaskSpec]:
    task = open_task()
    certificate = Certificate(
        tool_id=tool.id,
        fingerprint=task.fingerprint,
        admitted=True,
        role="quality",
        checks=(),
        created_at="2026-01-01",
    )
    with Registry.open(path, create=True) as registry:
        recipe = Recipe(fingerprint=task.fingerprint, qualities=((tool.id, 1.0),))
        registry.put_outcome(task, tools=[tool], certificates=[certificate], recipe=recipe)
        registry.put_rows(RowRecord(row.key, row.prompt_key, task.fingerprint, 1.0, {}) for row in task.examples)
    return path, task


@pytest.mark.parametrize("name", TOOLS)
def test_nobody_is_contacted_whom_the_user_did_not_allow(name: str, spy: ModelServer, tmp_path: Path):
    tool = TOOLS[name](spy.url)
    path, task = registry_with(tmp_path / "r.db", tool)
    samples = [RoutedSample(example=row, completion="A story.") for row in task.examples]
    with Scorer(path, workers=0) as scorer:
        rewards = scorer.score(samples)
        counts = scorer.status_counts()
    assert {(reward.reward, reward.status) for reward in rewards} == {(None, "failed")}
    assert counts[tool.id] == {"failed": len(samples)}
    told = rewards[0].scores[0].explanation
    assert tool.id in told and f"--allow-host {spy.url}" in told and f"RLAR_ALLOW_HOSTS={spy.url}" in told
    assert spy.requests == []


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "model" else n for n in TOOLS])
def test_an_allowed_host_gets_no_secret_whatever_the_registry_names(name: str, spy: ModelServer):
    with Resources(network=Network.of_user([spy.url])) as resources:
        try:
            load_tool(TOOLS[name](spy.url), resources).score([SAMPLE])
        except ToolError as error:
            assert name == "model" and not isinstance(error, HostRefused)
    assert spy.requests
    assert_no_secret(sent(spy))


def test_an_allowed_hub_that_is_not_the_users_gets_no_token(tmp_path: Path):
    with HubServer(tmp_path) as hub, Resources(network=Network.of_user([hub.url])) as resources:
        with pytest.raises(ToolError):
            load_tool(hub_model(hub.url), resources)
        assert hub.requests and not any(asked.authorized for asked in hub.requests)


def test_the_users_own_hub_is_asked_only_where_that_is_allowed():
    tool = hub_model("")
    tool = tool.model_copy(update={"params": {**tool.params, "endpoint": None}})
    with Resources() as resources, pytest.raises(HostRefused, match=r"--allow-host https://huggingface\.co"):
        load_tool(tool, resources)


@pytest.mark.parametrize("make", [old_http, old_judge])
def test_a_secret_goes_to_the_host_that_it_is_bound_to_and_no_other(
    make: Any, spy: ModelServer, monkeypatch: pytest.MonkeyPatch
):
    with ModelServer(spy.handler) as other:
        monkeypatch.setenv("RLAR_TOKEN_FOR", f"{spy.url}=RLAR_REWARD_TOKEN,https://api.example=AWS_SECRET_ACCESS_KEY")
        with Resources(network=Network.of_user([spy.url, other.url])) as resources:
            for server in (spy, other):
                assert load_tool(make(server.url), resources).score([SAMPLE])[0].status == "ok"
        assert_no_secret(sent(spy), but=["RLAR_REWARD_TOKEN"])
        assert_no_secret(sent(other))


def test_the_llm_key_goes_to_the_llm_that_the_user_named_and_to_no_judge_elsewhere(
    spy: ModelServer, monkeypatch: pytest.MonkeyPatch
):
    with ModelServer(spy.handler) as other:
        monkeypatch.setenv("RLAR_LLM", f"{spy.url}/v1#m")
        with Resources(network=Network.of_user([spy.url, other.url])) as resources:
            for server in (spy, other):
                load_tool(old_judge(server.url), resources).score([SAMPLE])
        assert_no_secret(sent(spy), but=["RLAR_LLM_KEY"])
        assert_no_secret(sent(other))


def test_naming_an_llm_for_builds_allows_no_judge_while_scoring(spy: ModelServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RLAR_LLM", f"{spy.url}/v1#m")
    with Resources() as resources, pytest.raises(HostRefused):
        load_tool(old_judge(spy.url), resources)
    with Resources(network=Network.of_user(llm=f"{spy.url}/v1#m")) as resources:  # a build with --llm
        assert load_tool(old_judge(spy.url), resources).score([SAMPLE])[0].value == 1.0


def test_the_openai_key_needs_the_allowance_too_and_no_registry_can_rebind_it():
    network = Network.of_user(["https://api.openai.com"])
    assert network.secret("https://api.openai.com/v1") == SECRETS["OPENAI_API_KEY"]
    judge = judge_spec({"model": "gpt"}, [Criterion(text="Is right.")])
    with Resources() as resources, pytest.raises(HostRefused, match=r"--allow-host https://api\.openai\.com"):
        load_tool(judge, resources)
    for address in ("http://api.openai.com/v1", "https://api.openai.com:444/v1", "https://api.openai.com.evil.example"):
        assert network.secret(address) == ""


# ------------------------------------------------------------------------------------------ which host is which

GOOD = "http://good.example:8000"


def disguises() -> Iterator[str]:
    """Addresses that look like the good one, to a person or to some parser, and lead elsewhere."""
    for evil, port in itertools.product(("evil.example", "127.0.0.1"), ("", ":8000")):
        for between in ("@", "%40", "\\@", "#@", "?@", "/@", ":x@", ";@", "&@", "\t@", "\n@", " @", "　@", "@@"):
            yield f"http://good.example{between}{evil}{port}"
            yield f"http://good.example:8000{between}{evil}{port}"
            yield f"http://{evil}{port}{between}good.example:8000"
        yield f"http://good.example:8000.{evil}{port}"
        yield f"http://good.example.{evil}{port}"
        yield f"http://{evil}{port}/http://good.example:8000"
        yield f"http:///{evil}{port}"
        yield f"http:\\\\{evil}{port}"
    yield from (
        "https://good.example:8000", "http://good.example", "http://good.example:80", "http://good.example:8001",
        "http://good.example:08000", "http://good.example:８０００", "http://good.example:+8000", "http://good.example.:8000",
        "http://.good.example:8000", "http://good..example:8000", "http://sub.good.example:8000", "http://xgood.example:8000",
        "http://good.example​:8000", "http://gооd.example:8000", "http://good。example:8000", "http://ｇood.example:8000",
        "http://good%2eexample:8000", "http://good.example%00:8000", "http://xn--god-8cd.example:8000", "http://[::1]:8000",
        "http://0x7f000001:8000", "http://2130706433:8000", "http://127.1:8000", "http://localhost:8000", "file://good.example:8000/",
        "//good.example:8000", "good.example:8000", "http:good.example:8000", "http://good.example:8000@", "ws://good.example:8000",
    )  # fmt: skip


@pytest.mark.parametrize("address", sorted(set(disguises())))
def test_a_host_in_disguise_is_not_the_allowed_one(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RLAR_TOKEN_FOR", f"{GOOD}=RLAR_REWARD_TOKEN")
    network = Network.of_user([GOOD])
    allowed = True
    try:
        network.permit(address, "a tool")
    except ToolError:
        allowed = False
    if allowed:  # then the client, too, goes to the good one
        url = httpx.URL(address)
        assert (url.scheme, url.host, url.port) == ("http", "good.example", 8000)


@pytest.mark.parametrize(
    "address",
    ["http://good.example:8000/v1", "HTTP://Good.Example:8000", "http://a-b.c_d.example", "https://[::1]:9/x"],
)
def test_what_is_read_as_a_host_is_what_the_client_connects_to(address: str):
    host, url = host_of(address), httpx.URL(address)
    usual = {"http": 80, "https": 443}[url.scheme]
    assert (host.scheme, host.name.strip("[]"), host.port) == (url.scheme, url.host, url.port or usual)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("make", [old_http, old_judge])
def test_an_allowed_host_cannot_hand_on_to_another(make: Any, status: int, spy: ModelServer):
    def elsewhere(path: str, body: Any, headers: dict[str, str]) -> Answer:
        return Answer({}, status=status, headers={"location": f"{spy.url}{path}"})

    with (
        ModelServer(elsewhere) as first,
        Resources(network=Network.of_user([first.url, spy.url])) as resources,
    ):
        (score,) = load_tool(make(first.url), resources).score([SAMPLE])
        assert score.status == "failed" and first.requests
    assert spy.requests == []


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("RLAR_ALLOW_HOSTS", "good.example:8000", "no plain address"),
        ("RLAR_ALLOW_HOSTS", "*", "no plain address"),
        ("RLAR_ALLOW_HOSTS", "https://*.example", "no plain address"),
        ("RLAR_ALLOW_HOSTS", "http://good.example:8000/v1", "say http://good.example:8000"),
        ("RLAR_ALLOW_HOSTS", "http://me:pw-very-secret@good.example", "no plain address"),
        ("RLAR_TOKEN_FOR", "http://good.example", "VARIABLE"),
        ("RLAR_TOKEN_FOR", "RLAR_TOKEN", "VARIABLE"),
        ("RLAR_TOKEN_FOR", "http://good.example=sk-very-secret!", "VARIABLE"),
        ("RLAR_LLM", "http://me:pw-very-secret@good.example/v1#m", "no plain address"),
    ],
)
def test_what_a_user_cannot_have_meant_is_an_error_at_once(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=message) as caught:
        Resources()
    assert "very-secret" not in str(caught.value)


# ------------------------------------------------------------------------------------------ how a user allows


def scored_by(scorer: Any, task: TaskSpec) -> Score:
    (reward,) = scorer.score([RoutedSample(example=task.examples[0], completion="A story.")])
    return reward  # type: ignore[no-any-return]


def test_every_way_of_scoring_takes_the_allowance(spy: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, task = registry_with(tmp_path / "r.db", old_judge(spy.url))
    with Scorer(path, workers=0, allow_hosts=[spy.url]) as scorer:
        assert scored_by(scorer, task).status == "ok"
        with pickle.loads(pickle.dumps(scorer)) as copy:
            assert scored_by(copy, task).status == "ok"
    for settings, status in ({}, "failed"), ({"allow_hosts": [spy.url]}, "ok"):
        host = HostScorer(path, workers=0, **settings)  # what TRL, verl, OpenRLHF, slime and NeMo-Gym score through
        assert scored_by(host, task).status == status
        host.close()
    monkeypatch.setenv("RLAR_ALLOW_HOSTS", spy.url)
    host = HostScorer(path, workers=0)
    assert scored_by(host, task).status == "ok"
    host.close()


def test_the_command_says_what_to_type_and_that_works(spy: ModelServer, tmp_path: Path):
    path, task = registry_with(tmp_path / "r.db", old_http(spy.url))
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": task.examples[0].text, "completion": "A story."}) + "\n")

    def run(*options: str, exits_with: int) -> dict[str, Any]:
        out = tmp_path / "out.jsonl"
        command = [sys.executable, "-m", "rlar", "score", "-r", str(path), "-i", str(rows), "-o", str(out), *options]
        done = subprocess.run(command, env={**os.environ, **SECRETS}, capture_output=True, text=True)
        assert done.returncode == exits_with, done.stderr
        return json.loads(out.read_text())["rewards"][0]  # type: ignore[no-any-return]

    refused = run(exits_with=1)  # no row got a reward
    assert refused["status"] == "failed" and spy.requests == []
    option = re.search(r"--allow-host \S+", refused["scores"][0]["explanation"])
    assert option is not None
    assert run(*option[0].split(), exits_with=0)["status"] == "ok" and spy.requests
    assert_no_secret(sent(spy))


def test_a_tool_that_may_not_be_asked_keeps_its_certificate(spy: ModelServer, tmp_path: Path):
    path, task = registry_with(tmp_path / "r.db", old_http(spy.url))
    listing = retest(str(path), store=True)
    assert "not tested" in listing.rows[0][3] and f"--allow-host {spy.url}" in listing.rows[0][3]
    with Registry.open(path, readonly=True) as registry:
        assert registry.served(task.fingerprint) is not None
    assert spy.requests == []


def test_a_network_can_be_shown_and_pickled_without_a_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RLAR_TOKEN_FOR", f"{GOOD}=RLAR_REWARD_TOKEN")
    network = Network.of_user([GOOD])
    assert network.secret(GOOD) == SECRETS["RLAR_REWARD_TOKEN"]
    assert_no_secret(repr(network) + repr(pickle.dumps(network)))


def test_a_judge_of_a_build_is_asked_at_the_llm_of_that_build():
    with ScriptedOpenAI(key=SECRETS["RLAR_LLM_KEY"]) as server:
        server.otherwise = Reply(json=VERDICT)
        tool = old_judge(server.url.removesuffix("/v1"))
        with Resources(network=Network.of_user(llm=server.endpoint)) as resources:
            assert load_tool(tool, resources).score([SAMPLE])[0].status == "ok"
