"""Spans go to the collector that the environment names, and nowhere without one."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rlar.agent.telemetry import exported_spans
from rlar.errors import ConfigError
from rlar.testing.openai_server import Reply, ScriptedOpenAI
from tests.agent.test_build import ROOT, write_rows


def test_without_a_collector_nothing_is_touched():
    environment: dict[str, str] = {}
    with exported_spans(environment) as exports:
        assert not exports
    assert environment == {}


def test_a_collector_without_the_exporter_is_an_error_that_says_how(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with (
        pytest.raises(ConfigError, match=r"rlar\[otel\]"),
        exported_spans({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}),
    ):
        pass


needs_exporter = pytest.mark.skipif(
    importlib.util.find_spec("opentelemetry.exporter") is None, reason="needs rlar[otel]"
)
ASK = """
import os, sys
from rlar.agent.telemetry import exported_spans
from rlar.llm.chat import OpenAIChat, parse_endpoint
from rlar.types import Message

with exported_spans(os.environ):
    OpenAIChat(parse_endpoint(sys.argv[1])).complete([Message(role="user", content="a question for the span")])
"""


@contextlib.contextmanager
def collector(bodies: list[bytes]) -> Iterator[HTTPServer]:
    """A collector on loopback; what it gets is added to `bodies`."""

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.path.encode() + self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Sink) as sink:
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        yield sink
        sink.shutdown()


@pytest.mark.slow
@needs_exporter
def test_a_question_to_the_llm_is_a_span_with_what_was_asked():
    bodies: list[bytes] = []
    with collector(bodies) as sink, ScriptedOpenAI() as server:
        server.script(Reply("an answer for the span"))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
                       "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sink.server_port}"}  # fmt: skip
        command = [sys.executable, "-c", ASK, server.endpoint]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=200)
    sent = b"".join(bodies)
    assert b"a question for the span" in sent and b"an answer for the span" in sent


@pytest.mark.slow
@needs_exporter
def test_a_collector_on_loopback_gets_a_span_of_every_node(tmp_path):
    bodies: list[bytes] = []
    with collector(bodies) as sink:
        mix = write_rows(
            tmp_path / "mix.jsonl", [{"prompt": f"What is {n} + 4?", "reference": str(n + 4)} for n in range(20)]
        )
        endpoint = f"http://127.0.0.1:{sink.server_port}"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                       "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}  # fmt: skip
        command = [
            sys.executable,
            "-m",
            "rlar",
            "agent",
            "build-tools",
            "-d",
            mix,
            "-r",
            str(tmp_path / "r.db"),
            "--report",
            "",
        ]
        subprocess.run([*command, "--llm", "none"], env=environment, check=True, capture_output=True, timeout=200)
    sent = b"".join(bodies)
    assert sent.startswith(b"/v1/traces")
    for node in (b"classify", b"retrieve", b"self_test", b"register", b"assign", b"finish"):
        assert node in sent
