"""No test may spend anybody's money or use anybody's token, whatever the environment holds; reward models compute alike everywhere."""

from __future__ import annotations

import os

PRIVATE = (
    "OPENAI_API_KEY", "RLAR_LLM", "RLAR_LLM_KEY", "RLAR_TOKEN", "RLAR_ALLOW_HOSTS", "RLAR_TOKEN_FOR", "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT",
    "LANGSMITH_API_KEY", "LANGSMITH_TRACING", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)  # fmt: skip

for name in PRIVATE:
    os.environ.pop(name, None)

os.environ["RLAR_REWARD_DTYPE"] = "float32"  # else it depends on the processor; test_fast_linear.py has the others
