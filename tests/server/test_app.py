"""The routes in one process: what comes in, what goes out, and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
from fastapi.testclient import TestClient

from rlar.errors import RegistryError
from rlar.kinds import LIBRARY
from rlar.scoring.host_rows import carried
from rlar.scoring.hosts import STATUSES
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.server.app import create_app
from rlar.server.settings import ServeSettings
from tests.fakes import serving_rows as rows

QWEN = "<|im_start|>system\nYou are Qwen.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture
def scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scorer]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "tools"))
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    path = rows.make_registry(tmp_path / "registry.db", fake="fake_inline")
    with Scorer(path, workers=0) as made:
        yield made
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)


def client(scorer: Scorer, **settings: Any) -> TestClient:
    app = create_app(ServeSettings.model_validate(settings), scorer=scorer)
    return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


def post(web: TestClient, route: str, body: Any, **options: Any) -> Any:
    answer = web.post(route, json=body, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(rewards: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(item["row"], item["completion"], item["reward"], item["status"]) for item in rewards]


# ------------------------------------------------------------------------------------------ /score


def test_every_completion_gets_a_reward_or_a_reason_in_order(scorer: Scorer):
    body = {
        "rows": [
            {**rows.ROWS[0], "completions": ["It is 4.", "5"]},
            {**rows.ROWS[3], "completion": "Nice."},
            {"messages": [{"role": "user", "content": "Six times seven?"}], "reference": "42", "completion": "42"},
            {"prompt": "", "completion": "x"},
            {**rows.STRANGER, "completion": "no"},
            {**rows.ROWS[0], "completion": [{"role": "assistant", "content": "4"}]},
            {**rows.ROWS[0], "completion": [{"role": "tool", "content": "4"}]},
        ]
    }
    found = post(client(scorer), "/score", body)["rewards"]
    assert told(found) == [
        (0, 0, 1.0, "ok"),
        (0, 1, 0.0, "ok"),
        (1, 0, None, "uncovered"),
        (2, 0, 1.0, "ok"),
        (3, 0, None, "unusable"),
        (4, 0, None, "unknown"),
        (5, 0, 1.0, "ok"),
        (6, 0, None, "unusable"),
    ]
    assert found[0]["fingerprint"] == rows.NUMBER and found[0]["scores"][0]["tool"].startswith("number-")
    assert "empty prompt" in found[4]["error"] and "rows[3]" in found[4]["error"]


def test_a_row_without_prompt_is_found_by_what_export_gave_it(scorer: Scorer):
    whole = carried(rows.example(rows.ROWS[0]), rows.NUMBER)
    key = whole["rlar_row_key"]
    body = {
        "rows": [
            {**whole, "completion": "4"},
            {"rlar_row": whole["rlar_row"], "completion": "4"},
            {"rlar_row_key": key, "reference": "4", "completion": "4"},
            {"prompt": "Be brief. What is 2 + 2?", "reference": "4", "rlar_row_key": key, "completion": "4"},
            {"prompt": "New: 1 + 1?", "reference": "2", "fingerprint": rows.NUMBER, "completion": "2"},
        ]
    }
    found = post(client(scorer), "/score", body)["rewards"]
    assert [(item["reward"], item["status"]) for item in found] == [
        (1.0, "ok"),
        (1.0, "ok"),
        (None, "abstain"),  # the task is known, but no tool was admitted to judge without the prompt
        (1.0, "ok"),
        (1.0, "ok"),
    ]
    assert {item["fingerprint"] for item in found} == {rows.NUMBER}


@pytest.mark.parametrize("word", ["fail", "raise", "nan", "none", "memory", "large", "abstain"])
def test_a_broken_tool_is_never_a_number_on_our_route(scorer: Scorer, word: str):
    body = {"rows": [{**rows.ROWS[4], "completions": [word, "ok 0.5"]}]}
    found = post(client(scorer), "/score", body)["rewards"]
    assert found[0]["reward"] is None and found[0]["status"] == ("abstain" if word == "abstain" else "failed")
    assert (found[1]["reward"], found[1]["status"]) == (0.5, "ok")


# ------------------------------------------------------------------------------------------ hosts


def test_openrlhf_gets_numbers_always_and_is_told_which_are_none(scorer: Scorer):
    prompts = [QWEN.format(row["prompt"]) for row in rows.ROWS]
    label = json.dumps(carried(rows.example(rows.ROWS[1]), rows.NUMBER))
    cases = [
        (prompts[0] + "4<|im_end|>", prompts[0], "4", 1.0, "ok"),
        (prompts[0] + "5<|im_end|>\n<|endoftext|>", prompts[0], "4", 0.0, "ok"),
        (QWEN.format("changed!") + "42<|im_end|>", QWEN.format("changed!"), label, 1.0, "ok"),
        (prompts[3] + "Nice.<|im_end|>", prompts[3], "", -7.0, "uncovered"),
        (prompts[4] + "fail<|im_end|>", prompts[4], "x", -7.0, "failed"),
        (prompts[4] + "abstain", prompts[4], "x", -7.0, "abstain"),
        ("something else", prompts[0], "4", -7.0, "unusable"),
        (QWEN.format("who?") + "x", QWEN.format("who?"), "y", -7.0, "unknown"),
    ]
    web = client(scorer, neutral=-7.0)
    body = {name: [case[index] for case in cases] for index, name in enumerate(("query", "prompts", "labels"))}
    found = post(web, "/get_reward", body)
    assert found["rewards"] == found["scores"] == [case[3] for case in cases]
    assert found["statuses"] == [case[4] for case in cases]
    assert set(found["extra_logs"]) == {f"rlar_{name}" for name in STATUSES}
    assert found["extra_logs"]["rlar_failed"] == [0, 0, 0, 0, 1, 0, 0, 0]
    # One item a call, as its client sends them.
    one = post(web, "/get_reward", {name: [values[0]] for name, values in body.items()})
    assert one["rewards"] == [1.0] and all(len(values) == 1 for values in one["extra_logs"].values())
    text = web.get("/metrics").text
    assert 'rlar_neutral_total{route="/get_reward",status="failed"} 1.0' in text
    assert 'rlar_neutral_total{route="/get_reward",status="ok"}' not in text


def test_lists_of_unequal_length_are_refused(scorer: Scorer):
    answer = client(scorer).post("/get_reward", json={"query": ["a", "b"], "prompts": ["a"]})
    assert answer.status_code == 422 and "2 queries and 1 prompts" in answer.json()["error"]


def test_slime_gets_a_bare_number_or_with_detail_an_object(scorer: Scorer):
    web = client(scorer, neutral=0.25)
    prompt = rows.ROWS[0]["prompt"]
    for asked in (prompt, [{"role": "user", "content": prompt}], QWEN.format(prompt)):
        assert post(web, "/rm", {"prompt": asked, "response": "4<|im_end|>", "label": "4"}) == 1.0
    assert post(web, "/rm", {"prompt": prompt, "response": "5", "label": "4"}) == 0.0
    assert post(web, "/rm", {"prompt": rows.ROWS[3]["prompt"], "response": "Nice.", "label": None}) == 0.25
    found = post(web, "/rm?detail=1", {"prompt": rows.ROWS[4]["prompt"], "response": "raise", "label": "x"})
    assert found == {"reward": 0.25, "status": "failed", "scored": False, "fingerprint": rows.FAKE}


def nemo_gym(prompt: str, text: str, **fields: Any) -> dict[str, Any]:
    return {
        "responses_create_params": {"input": [{"role": "user", "content": prompt}], "tools": []},
        "response": {
            "id": "resp_1", "created_at": 1.0, "model": "m", "object": "response", "parallel_tool_calls": False,
            "tool_choice": "none", "tools": [],
            "output": [
                {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "5?"}]},
                {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
                 "content": [{"type": "output_text", "text": text, "annotations": []}]},
            ],
        },
        **fields,
    }  # fmt: skip


def test_nemo_gym_gets_its_request_back_with_a_reward(scorer: Scorer):
    web = client(scorer)
    body = nemo_gym(rows.ROWS[0]["prompt"], "So: 4", expected_answer="4", uuid=7)
    found = post(web, "/verify", body)
    assert {name: found[name] for name in body} == body
    assert (found["reward"], found["rlar_status"], found["rlar_fingerprint"]) == (1.0, "ok", rows.NUMBER)
    assert "_ng_failure_class" not in found
    empty = {**body, "response": {**body["response"], "output": []}}
    assert post(web, "/verify", empty)["reward"] == 0.0, "nothing said is a wrong answer"


def test_nemo_gym_is_told_to_keep_unscored_rows_out_of_its_figures(scorer: Scorer):
    web = client(scorer)
    broken = post(web, "/verify", nemo_gym(rows.ROWS[4]["prompt"], "raise", reference="x"))
    assert (broken["reward"], broken["_ng_failure_class"], broken["_ng_failure_terminal"]) == (
        0.0,
        "judge_failed",
        False,
    )
    uncovered = post(web, "/verify", nemo_gym(rows.ROWS[3]["prompt"], "Nice."))
    assert uncovered["_ng_failure_terminal"] is True, "asking again would change nothing"


def test_slime_and_openrlhf_and_our_route_agree(scorer: Scorer):
    web = client(scorer)
    for row in rows.ROWS[:3]:
        for said in ("4", "A", "The answer is 42.", ""):
            prompt = QWEN.format(row["prompt"])
            ours = post(web, "/score", {"rows": [{**row, "completion": said}]})["rewards"][0]["reward"]
            openrlhf = {"query": [prompt + said + "<|im_end|>"], "prompts": [prompt], "labels": [row["reference"]]}
            assert post(web, "/get_reward", openrlhf)["rewards"] == [ours]
            assert post(web, "/rm", {"prompt": prompt, "response": said, "label": row["reference"]}) == ours
            assert post(web, "/verify", nemo_gym(row["prompt"], said, answer=row["reference"]))["reward"] == ours


# ------------------------------------------------------------------------------------------ limits


def test_a_body_that_is_too_large_is_refused_whether_announced_or_streamed(scorer: Scorer):
    web = client(scorer, max_body_mb=0.01)
    body = json.dumps({"rows": [{**rows.ROWS[0], "completion": "4" * 20_000}]}).encode()
    kind = {"content-type": "application/json"}
    assert web.post("/score", content=body, headers=kind).status_code == 413

    def pieces() -> Iterator[bytes]:
        yield from (body[start : start + 1000] for start in range(0, len(body), 1000))

    assert web.post("/score", content=pieces(), headers=kind).status_code == 413
    assert web.post("/score", json={"rows": [{**rows.ROWS[0], "completion": "4"}]}).status_code == 200


def test_too_many_completions_in_a_request_are_refused(scorer: Scorer):
    web = client(scorer, max_samples=3)
    answer = web.post("/score", json={"rows": [{**rows.ROWS[0], "completions": ["4", "4"]}] * 2})
    assert answer.status_code == 422 and "at most 3" in answer.json()["error"]


def test_only_json_is_read(scorer: Scorer):
    web = client(scorer)
    assert web.post("/score", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert web.post("/score", content=b"{}").status_code == 415
    zipped = {"content-type": "application/json", "content-encoding": "gzip"}
    assert web.post("/score", content=b"\x1f\x8b", headers=zipped).status_code == 415


TOKEN = "correct horse battery staple"


def test_a_token_is_asked_for_everywhere_but_at_the_health_routes(scorer: Scorer):
    web = client(scorer, token=TOKEN)
    body = {"rows": [{**rows.ROWS[0], "completion": "4"}]}
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"authorization": "Bearer "},
                    {"authorization": "Basic %%%"}, {"authorization": "Bearer \xff"}):  # fmt: skip
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = web.post("/score", json=body, headers=raw)
        assert answer.status_code == 401 and TOKEN not in answer.text
    assert web.get("/metrics").status_code == 401
    assert web.get("/openapi.json").status_code == 401
    assert web.get("/healthz").status_code == 200 and web.get("/readyz").status_code == 200
    assert web.post("/score", json=body, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    # OpenRLHF and slime cannot send a header of ours; from http://any:TOKEN@host/ aiohttp makes Basic auth.
    assert web.post("/score", json=body, auth=("any", TOKEN)).status_code == 200


def test_without_a_token_only_localhost_by_name_gets_in(scorer: Scorer):
    web = client(scorer)
    for name, code in {"evil.example": 403, "evil.example:8000": 403, "localhost:8000": 200, "[::1]:8000": 200,
                       "127.0.0.1": 200, "127.0.0.1.evil.example": 403, "localhost@evil.example": 403}.items():  # fmt: skip
        assert web.get("/healthz", headers={"host": name}).status_code == code, name


MALFORMED = {
    "empty": b"",
    "not json": b"{",
    "nan": b'{"rows": [{"prompt": "x", "completion": "y", "n": NaN}]}',
    "bad utf-8": b'{"rows": "\xff"}',
    "deep": b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"rows": [{"prompt": "x", "completion": "y", "a": ' + b'{"a":' * 200 + b"1" + b"}" * 203,
    "digits": b'{"rows": [{"prompt": "x", "completion": "y", "n": ' + b"9" * 10_000 + b"}]}",
    "array": b"[1]",
    "null": b"null",
    "no rows": b'{"rows": []}',
    "no completion": b'{"rows": [{"prompt": "x"}]}',
    "both": b'{"rows": [{"prompt": "x", "completion": "a", "completions": ["b"]}]}',
    "number": b'{"rows": [{"prompt": "x", "completion": 4}]}',
    "unknown field": b'{"rows": [{"prompt": "x", "completion": "4"}], "\\ud800": 1}',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_body_is_refused_with_a_reason(scorer: Scorer, name: str):
    answer = client(scorer).post("/score", content=MALFORMED[name], headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]


ODD = {
    "lone surrogate": b'{"rows": [{"prompt": "x", "completion": "\\ud800"}, {"prompt": "\\udfff", "completion": "y"}]}',
    "huge integer": b'{"rows": [{"prompt": "What is 2 + 2?", "reference": ' + b"9" * 400 + b', "completion": "4"}]}',
    "huge float": b'{"rows": [{"prompt": "x", "reference": 1e999, "completion": "4"}]}',
    "NUL": b'{"rows": [{"prompt": "\\u0000", "completion": "\\u0000"}]}',
    "odd columns": b'{"rows": [{"prompt": "x", "completion": "y", "": {}, "tests": 7, "label": [], "extra_info": "z", '
    b'"rlar_row": {}, "rlar_row_key": "\\u0000"}]}',
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values_cost_their_own_row_and_never_a_500(scorer: Scorer, name: str):
    answer = client(scorer).post("/score", content=ODD[name], headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert {item["status"] for item in answer.json()["rewards"]} <= {"unusable", "unknown", "abstain"}


def test_verify_gives_back_what_json_can_hold_and_orjson_cannot(scorer: Scorer):
    body = b'{"responses_create_params": {}, "response": {"x": "\\ud800"}, "n": ' + b"9" * 30 + b"}"
    answer = client(scorer).post("/verify", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["n"] == int("9" * 30) and answer.json()["rlar_status"] == "unusable"


def test_metrics_count_tasks_tools_statuses_and_time(scorer: Scorer):
    web = client(scorer)
    post(web, "/score", {"rows": [{**rows.ROWS[0], "completions": ["4", "5"]}, {**rows.ROWS[3], "completion": "x"}]})
    web.get("/nowhere")
    web.get("/nowhere/else")
    text = web.get("/metrics").text
    tool = next(task for task in scorer.standing(rows.NUMBER).recipe.qualities)[0]  # type: ignore[union-attr]
    for line in (
        f'rlar_rewards_total{{status="ok",task="{rows.NUMBER}"}} 2.0',
        f'rlar_rewards_total{{status="uncovered",task="{rows.OPEN}"}} 1.0',
        f'rlar_scores_total{{status="ok",tool="{tool}"}} 2.0',
        f'rlar_reward_sum{{task="{rows.NUMBER}"}} 1.0',
        'rlar_requests_total{code="200",route="/score"} 1.0',
        'rlar_requests_total{code="404",route="other"} 2.0',
        'rlar_request_seconds_count{route="/score"} 1.0',
        "rlar_queue_samples 0.0",
    ):
        assert line in text, f"{line}\n{text}"


class SlowScorer:
    """Stands in for a Scorer: waits to be let go, and records the sizes of the calls."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.sizes, self.go = scorer, list[int](), asyncio.Event()
        self.quarantined: dict[str, str] = {}

    async def ascore(self, samples: list[RoutedSample]) -> Any:
        self.sizes.append(len(samples))
        await self.go.wait()
        return self.scorer.score(samples)


def test_a_full_queue_is_a_503_with_retry_after_and_what_was_accepted_is_answered(scorer: Scorer):
    import httpx

    async def run() -> tuple[list[int], list[str | None], list[int]]:
        slow = SlowScorer(scorer)
        app = create_app(ServeSettings(max_queue=4, max_concurrency=1), scorer=slow)  # type: ignore[arg-type]
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://localhost", timeout=30
        ) as web:
            body = {"rows": [{**rows.ROWS[0], "completions": ["4", "5"]}]}
            tasks = [asyncio.create_task(web.post("/score", json=body)) for _ in range(4)]
            while sum(task.done() for task in tasks) < 2:
                await asyncio.sleep(0.01)
            slow.go.set()
            answers = [await task for task in tasks]
            return [a.status_code for a in answers], [a.headers.get("retry-after") for a in answers], slow.sizes

    codes, retry, sizes = asyncio.run(run())
    assert sorted(codes) == [200, 200, 503, 503]
    assert sorted(filter(None, retry)) == ["1", "1"]
    assert sum(sizes) == 4


def test_a_registry_that_went_away_costs_only_rows_that_were_never_seen_and_gives_no_number(scorer: Scorer):
    web = client(scorer)
    seen, unseen = {**rows.ROWS[0], "completion": "4"}, {**rows.ROWS[1], "completion": "42"}
    post(web, "/score", {"rows": [seen]})
    scorer._registry.close()
    found = post(web, "/score", {"rows": [seen, unseen]})["rewards"]
    assert [(item["reward"], item["status"]) for item in found] == [(1.0, "ok"), (None, "failed")]
    assert web.get("/healthz").status_code == 200


class AwayScorer:
    """Stands in for a Scorer that cannot score at all."""

    quarantined: ClassVar[dict[str, str]] = {}

    async def ascore(self, samples: list[RoutedSample]) -> Any:
        raise RegistryError("registry.db is locked")

    def tasks(self) -> Any:
        raise RegistryError("registry.db is locked")


def test_a_scorer_that_cannot_score_is_a_503_and_not_a_number():
    web = client(AwayScorer())  # type: ignore[arg-type]
    answer = web.post("/score", json={"rows": [{**rows.ROWS[0], "completion": "4"}]})
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
    assert "locked" in answer.json()["error"]
    assert web.get("/readyz").status_code == 503
