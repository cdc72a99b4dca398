"""A grader behind HTTP is checked as its framework calls it, and whatever it answers is a score or one line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rlar.check import check_reward
from rlar.check.check import Settings
from rlar.errors import ToolError
from rlar.tool import Resources
from rlar.tools.own import ALLOW_VARIABLE, OwnParams, OwnTool, allow, own_spec
from rlar.types import Sample


class Grader(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self.path:
            case "/gym":
                said = body["response"]["output"][0]["content"][0]["text"]
                answer = json.dumps({"reward": float(said == body["answer"])})
            case "/openrlhf:1":
                texts = zip(body["query"], body["prompts"], body["labels"], strict=True)
                answer = json.dumps({"rewards": [float(query == prompt + label) for query, prompt, label in texts]})
            case "/slime":
                answer = json.dumps(float(body["response"] == body["label"]))
            case "/deep":
                answer = "[" * 200_000
            case "/page":
                answer = "<html>\x1b[2J"
            case _:
                self.send_error(500)
                return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Grader) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_VARIABLE, "/some/file.py")


def route(url: str, shape: str, resources: Resources) -> OwnTool:
    return OwnTool(own_spec(url, "", OwnParams.model_validate({"shape": shape, "columns": ("answer",)})), resources)


SAMPLES = [Sample(prompt="2 + 2?", completion=each, reference="4", references=("4",)) for each in ("4", "5")]


@pytest.mark.parametrize(("path", "shape"), [("/gym", "gym"), ("/openrlhf:1", "openrlhf"), ("/slime", "slime")])
def test_every_shape_of_a_route_tells_right_from_wrong_once_it_is_allowed(server: str, path: str, shape: str):
    with Resources() as resources:
        with pytest.raises(ToolError, match=f"export {ALLOW_VARIABLE}="):
            route(server + path, shape, resources)
        allow(server + path)
        allow("/other/file.py")
        scores = route(server + path, shape, resources).score(SAMPLES)
        assert [(score.value, score.error) for score in scores] == [(1.0, None), (0.0, None)]
        with pytest.raises(ToolError, match=f"export {ALLOW_VARIABLE}="):
            route(server + path + "/further", shape, resources)


@pytest.mark.parametrize("path", ["/deep", "/page", "/nothing"])
def test_an_answer_that_is_none_is_a_failure_of_one_line(server: str, path: str):
    allow(server + path)
    with Resources() as resources:
        tool = route(server + path, "slime", resources)
        assert {score.status for score in tool.score(SAMPLES)} == {"failed"}
        assert len(tool.said()) == 1 and "raises" in tool.said()[0]


def test_a_route_without_a_shape_is_a_card_that_says_so(server: str, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"prompt": f"{n} + 1?", "answer": str(n + 1)}) + "\n" for n in range(8)))
    card, _ = check_reward(server + "/slime", [rows], Settings())
    assert "say --shape gym|openrlhf|slime" in card.problem
