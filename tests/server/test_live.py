"""`rlar serve` as a process: hosts' own clients, refusals, draining, several workers.

The clients below send what these files send, field by field: OpenRLHF 3c3be623 openrlhf/utils/agent.py
(`_fetch_rewards_via_http`) and samples_generator.py; slime 624b824a slime/rollout/rm_hub/__init__.py (`remote_rm`).
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
import httpx
from typer.testing import CliRunner

from rlar import cli
from rlar.kinds import LIBRARY
from rlar.scoring.host_rows import carried
from tests.fakes import serving_rows as rows
from tests.fakes.serving_process import Server, serving

QWEN = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("registry")
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(Path(__file__).parents[1] / "tools"))
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    yield rows.make_registry(folder / "registry.db", fake="fake_thread")
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)
    patch.undo()


@pytest.fixture(scope="module")
def server(registry: Path) -> Iterator[Server]:
    with serving(registry, "--plugin", "tests.fakes.scorer_fakes", "--neutral", "-1") as made:
        yield made


async def openrlhf_client(url: str, queries: list[str], prompts: list[str], labels: list[str]) -> list[Any]:
    """One item a call, five tries, a number wanted at [0]; as OpenRLHF."""

    async def post(web: httpx.AsyncClient, data: dict[str, Any]) -> Any:
        for _ in range(5):
            answer = await web.post(url, json=data, timeout=180)
            if answer.is_success:
                return answer.json()
            await asyncio.sleep(1)
        raise RuntimeError("Request error for 5 times")

    async with httpx.AsyncClient() as web:
        calls = [
            post(web, {"query": [query], "prompts": [prompt], "labels": [label]})
            for query, prompt, label in zip(queries, prompts, labels, strict=True)
        ]
        found = []
        for info in await asyncio.gather(*calls):
            score = info.get("scores")
            found.append({"reward": info["rewards"], "scores": score, "extra_logs": info.get("extra_logs") or {}})
        return found


def test_openrlhfs_client_gets_what_its_experience_maker_needs(server: Server):
    prompts = [QWEN.format(row["prompt"]) for row in rows.ROWS]
    queries = [
        prompt + text + "<|im_end|>" for prompt, text in zip(prompts, ["4", "41", "A", "Nice.", "raise"], strict=True)
    ]
    labels = [row.get("reference", "") for row in rows.ROWS]
    labels[1] = json.dumps(carried(rows.example(rows.ROWS[1]), rows.NUMBER))
    found = asyncio.run(openrlhf_client(server.url + "/get_reward", queries, prompts, labels))
    assert [item["reward"] for item in found] == [[1.0], [0.0], [1.0], [-1.0], [-1.0]]
    for item in found:
        # samples_generator.py: torch.tensor([value]) of every one of them; the names must be the same for all.
        assert item["scores"] == item["reward"]
        assert item["extra_logs"].keys() == found[0]["extra_logs"].keys()
        assert all(isinstance(value, float) for values in item["extra_logs"].values() for value in values)
    assert [item["extra_logs"]["rlar_ok"] for item in found] == [[1.0], [1.0], [1.0], [0.0], [0.0]]


def test_slimes_client_gets_a_number(server: Server):
    def remote_rm(prompt: Any, response: str, label: Any, url: str = server.url + "/rm") -> Any:
        answer = httpx.post(url, json={"prompt": prompt, "response": response, "label": label}, timeout=120)
        answer.raise_for_status()
        return answer.json()

    prompt = rows.ROWS[1]["prompt"]
    assert remote_rm(QWEN.format(prompt), "42<|im_end|>", "42") == 1.0
    assert remote_rm([{"role": "user", "content": prompt}], "43", "42") == 0.0
    assert remote_rm(rows.ROWS[3]["prompt"], "Nice.", None) == -1.0
    # --reward-key reward --rm-url .../rm?detail=1
    assert remote_rm(QWEN.format(prompt), "42", "42", server.url + "/rm?detail=1")["reward"] == 1.0


def test_a_burst_is_answered_without_an_error(server: Server):
    async def burst() -> list[int]:
        limit = asyncio.Semaphore(32)

        async def one(web: httpx.AsyncClient, index: int) -> int:
            async with limit:
                row = {**rows.ROWS[index % 3], "completions": ["4", str(index)]}
                answer = await web.post(server.url + "/score", json={"rows": [row]}, timeout=60)
                assert [item["status"] for item in answer.json()["rewards"]] == ["ok", "ok"]
                return answer.status_code

        async with httpx.AsyncClient() as web:
            return await asyncio.gather(*(one(web, index) for index in range(150)))

    assert set(asyncio.run(burst())) == {200}


@pytest.mark.parametrize(
    ("options", "env", "message"),
    [
        (["--host", "0.0.0.0"], {}, "no token is set"),
        (["--host", "192.0.2.1"], {}, "ssh -L"),
        (["--host", "0.0.0.0"], {"RLAR_TOKEN": "short"}, "too weak"),
        (["--token-variable", "NO_SUCH_VARIABLE"], {}, "no such environment variable"),
        (["--neutral", "nan"], {}, "neutral"),
        (["--sandbox-tier", "none"], {}, "sandbox_tier"),
    ],
)
def test_what_would_be_unsafe_or_senseless_is_refused_at_the_start(
    registry: Path, options: list[str], env: dict[str, str], message: str
):
    ended = CliRunner().invoke(cli.app, ["serve", "--registry", str(registry), "--port", "0", *options], env=env)
    assert ended.exit_code == 2 and message in ended.output, ended.output


def test_a_missing_registry_and_a_taken_port_are_said_in_one_line(registry: Path, server: Server, tmp_path: Path):
    port = server.url.rpartition(":")[2]
    for options, message in ((["--registry", str(tmp_path / "none.db")], "no registry at"),
                             (["--registry", str(registry), "--port", port], "cannot listen on")):  # fmt: skip
        ended = CliRunner().invoke(cli.app, ["serve", *options])
        assert ended.exit_code in (1, 2) and message in ended.output


def test_sigterm_answers_what_was_accepted_takes_nothing_new_and_ends_with_0(registry: Path):
    with serving(registry, "--plugin", "tests.fakes.scorer_fakes") as server:
        answers: list[httpx.Response] = []

        def slow() -> None:
            body = {"rows": [{**rows.ROWS[4], "completion": "sleep 3"}]}
            answers.append(httpx.post(server.url + "/score", json=body, timeout=60))

        threads = [threading.Thread(target=slow) for _ in range(3)]
        for thread in threads:
            thread.start()
        metrics = ""
        while "rlar_queue_samples 3.0" not in metrics:
            metrics = httpx.get(server.url + "/metrics").text
        stopped: list[tuple[int, str]] = []
        stopper = threading.Thread(target=lambda: stopped.append(server.stop()))
        stopper.start()
        time.sleep(0.5)
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url + "/healthz")
        for thread in (*threads, stopper):
            thread.join()
        assert [answer.status_code for answer in answers] == [200] * 3
        assert [answer.json()["rewards"][0]["reward"] for answer in answers] == [1.0] * 3
        assert stopped[0][0] == 0 and stopped[0][1].endswith("stopped\n")


@pytest.mark.slow
def test_several_processes_serve_one_registry_and_their_counters_add_up(registry: Path):
    with serving(registry, "--workers", "2", env={"RLAR_TOKEN": "a token of some length"}) as server:
        headers = {"authorization": "Bearer a token of some length"}
        body = {"rows": [{**rows.ROWS[0], "completion": "4"}]}
        for _ in range(30):  # a connection each, so that both processes get some
            assert httpx.post(server.url + "/score", json=body, headers=headers, timeout=60).status_code == 200
        assert httpx.post(server.url + "/score", json=body).status_code == 401
        text = httpx.get(server.url + "/metrics", headers=headers).text
        assert f'rlar_rewards_total{{status="ok",task="{rows.NUMBER}"}} 30.0' in text
        code, said = server.stop()
        assert code == 0, said
