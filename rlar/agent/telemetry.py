"""Spans of a build for any OpenTelemetry collector, where the environment asks for them; nothing otherwise.

`OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) switches it on, with LangChain's own
instrumentation as the source: one span a node and a call to the LLM. Prompts and answers are in those spans: send them
only where they may go. Needs the extra `rlar[otel]`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, MutableMapping

from rlar.errors import ConfigError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
LANGSMITH = {"LANGSMITH_TRACING": "true", "LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true"}
"""How langchain is told to send spans to OpenTelemetry, and to nobody else."""


@contextlib.contextmanager
def exported_spans(environment: MutableMapping[str, str]) -> Iterator[bool]:
    """Spans are exported while the block runs, if the environment names a collector; gives whether it does.

    Raises:
        ConfigError: a collector is named, but the extra is not installed.
    """
    if not any(environment.get(name) for name in ENDPOINTS):
        yield False
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigError(
            f"{' or '.join(ENDPOINTS)} is set, but the exporter is missing: pip install 'rlar[otel]', or unset it"
        ) from error
    environment.update(LANGSMITH)
    provider = TracerProvider(resource=Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME", "rlar")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield True
    finally:
        from langchain_core.tracers.langchain import wait_for_all_tracers

        wait_for_all_tracers()
        provider.shutdown()
