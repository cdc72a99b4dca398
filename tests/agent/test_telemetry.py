"""Spans go to the collector that the environment names, and nowhere without one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rlar.agent.telemetry import exported_spans
from rlar.errors import ConfigError
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


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("opentelemetry.exporter") is None, reason="needs rlar[otel]")
def test_a_collector_on_loopback_gets_a_span_of_every_node(tmp_path):
    bodies: list[bytes] = []

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.path.encode() + self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Sink) as sink:
        threading.Thread(target=sink.serve_forever, daemon=True).start()
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
        sink.shutdown()
    sent = b"".join(bodies)
    assert sent.startswith(b"/v1/traces")
    for node in (b"classify", b"retrieve", b"self_test", b"register", b"assign", b"finish"):
        assert node in sent
