"""No test may spend anybody's money or use anybody's token, whatever the environment holds; reward models compute alike everywhere."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.fakes.examples import examples

PRIVATE = (
    "OPENAI_API_KEY", "RLAR_LLM", "RLAR_LLM_KEY", "RLAR_TOKEN", "RLAR_ALLOW_HOSTS", "RLAR_TOKEN_FOR", "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT",
    "LANGSMITH_API_KEY", "LANGSMITH_TRACING", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)  # fmt: skip

for name in PRIVATE:
    os.environ.pop(name, None)

os.environ["RLAR_REWARD_DTYPE"] = "float32"  # else it depends on the processor; test_fast_linear.py has the others

# Hundreds of child processes import the package: it is compiled once, not by each of them.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Registries and traces are flushed at every commit: on a disk the suite would mostly wait for that.
SHARED_MEMORY = Path("/dev/shm")
if os.access(SHARED_MEMORY, os.W_OK) and shutil.disk_usage(SHARED_MEMORY).free > 4e9:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(SHARED_MEMORY))

settings.register_profile("rlar", max_examples=examples(100), deadline=None)
settings.load_profile("rlar")

pytest_plugins = ["tests.fakes.cpu_time"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`-n 2` alone: a worker runs neighbours, which share fixtures of a module, and takes over from the others at the end."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None
