"""A model server on loopback that speaks vLLM's, text-embeddings-inference's and rlar's ways; what it answers is up to the test.

The shapes are those of vllm/frontend/entrypoints/pooling (classify, score) at 055e47c, of router/src/http/types.rs of
text-embeddings-inference at 02506d0, and of `rlar serve`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from rlar.types import JsonObject


class Answer:
    """A raw answer: status, body, headers, delay; `drop` closes the connection instead."""

    def __init__(
        self,
        body: Any = None,
        *,
        status: int = 200,
        text: str | None = None,
        headers: dict[str, str] | None = None,
        delay: float = 0.0,
        drop: bool = False,
        drip: float = 0.0,
    ) -> None:
        self.status, self.headers, self.delay, self.drop, self.drip = status, headers or {}, delay, drop, drip
        self.content = (text if text is not None else json.dumps(body)).encode()


Handler = Callable[[str, JsonObject, dict[str, str]], Answer]


class ModelServer:
    """Serves `handler(path, body, headers)` in threads; keeps what it was asked and how many at once."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[tuple[str, JsonObject, dict[str, str]]] = []
        self.most_at_once = 0
        self._running = 0
        self._lock = threading.Lock()
        outer = self

        class One(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer()

            do_POST = do_GET

            def _answer(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(size) or b"{}")
                headers = {name.lower(): value for name, value in self.headers.items()}
                with outer._lock:
                    outer.requests.append((self.path, body, headers))
                    outer._running += 1
                    outer.most_at_once = max(outer.most_at_once, outer._running)
                answer = outer.handler(self.path, body, headers)
                time.sleep(answer.delay)
                with outer._lock:
                    outer._running -= 1
                if answer.drop:
                    self.close_connection = True
                    self.connection.close()
                    return
                try:
                    self.send_response(answer.status)
                    for name, value in {"content-length": str(len(answer.content)), **answer.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    for byte in [answer.content] if not answer.drip else [bytes([each]) for each in answer.content]:
                        self.wfile.write(byte)
                        self.wfile.flush()
                        time.sleep(answer.drip)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_args: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args: Any) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), One)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def vllm(score: Callable[[str, str], float], model: str = "org/reward", root: str = "/models/reward-v1") -> Handler:
    """A one-label reward model as vLLM serves it: raw logits with `use_activation: false`, else a sigmoid."""

    def handler(path: str, body: JsonObject, headers: dict[str, str]) -> Answer:
        if path == "/v1/models":
            return Answer({"object": "list", "data": [{"id": model, "object": "model", "root": root}]})
        if body.get("model") not in (None, model):
            return Answer({"error": {"message": "The model does not exist.", "code": 404}}, status=404)
        assert body["use_activation"] is False
        if path == "/score":
            found = [score(one, two) for one, two in zip(body["text_1"], body["text_2"], strict=True)]
            data = [{"index": n, "object": "score", "score": value} for n, value in enumerate(found)]
        elif "messages" in body:
            asked, answer = (turn["content"] for turn in body["messages"])
            data = [{"index": 0, "label": "LABEL_0", "probs": [score(asked, answer)], "num_classes": 1}]
        else:
            halves = [text.split("\n\n", 1) for text in body["input"]]
            found = [score(*each) for each in halves]
            data = [{"index": n, "label": "LABEL_0", "probs": [v], "num_classes": 1} for n, v in enumerate(found)]
        # Nothing says that data comes in order.
        return Answer({"id": "x", "object": "list", "created": 1, "model": model, "data": data[::-1], "usage": {}})

    return handler


def tei(score: Callable[[str, str], float], model: str = "org/reward", sha: str = "abc123") -> Handler:
    """The same as text-embeddings-inference serves it."""

    def handler(path: str, body: JsonObject, headers: dict[str, str]) -> Answer:
        if path == "/info":
            return Answer({"model_id": model, "model_sha": sha, "model_type": {"classifier": {}}})
        assert path == "/predict" and body["raw_scores"] is True
        return Answer([[{"score": score(*pair), "label": "LABEL_0"}] for pair in body["inputs"]])

    return handler
