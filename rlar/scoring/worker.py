"""The worker process of `rlar.scoring.workers`: loads tools from their specs and scores samples.

Started with `python -m rlar.scoring.worker`, so that the trainer is never forked and its main module never imported again.
It talks in length-prefixed JSON over its own copies of stdin and stdout; what a tool prints goes to stderr. Scores of
quick calls share a frame; which sample runs stands in a page of memory shared with the pool, should it never end.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import mmap
import os
import resource
import signal
import sys
import time
from typing import Any, NoReturn

from rlar.errors import RlarError, SandboxError, boundary
from rlar.scoring.checked import score_checked
from rlar.tool import Resources, RewardTool
from rlar.tools.load import load_tool
from rlar.types import Sample, Score, ToolSpec, failed

PR_SET_PDEATHSIG = 1
FLUSH_SECONDS = 0.003
"""Scores wait this long for company."""


def encode(message: Any) -> bytes:
    """A message as one frame: 4 bytes of length, then JSON."""
    return _frame(json.dumps(message, separators=(",", ":")).encode("ascii"))


def _frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "little") + body


def main() -> None:
    """Serve frames until the parent closes the pipe."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # Ctrl-C at the terminal is the parent's business; it ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = _read(requests)
    if settings is None:
        return
    _die_with_parent(settings["parent"])
    running = mmap.mmap(settings["running"], mmap.PAGESIZE)
    os.close(settings["running"])
    limit = settings["memory_mb"] * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in settings["plugins"]:
        importlib.import_module(name)
    resources = Resources(_no_sandbox)
    tools: dict[str, RewardTool] = {}
    while (request := _read(requests)) is not None:
        tool = tools.get(request["tool"])
        if "spec" in request:
            if tool is None:
                spec = ToolSpec.model_validate(request["spec"])
                loaded = boundary(lambda spec=spec: load_tool(spec, resources), _why)  # type: ignore[misc]
                if isinstance(loaded, str):
                    _write(replies, encode({"load_error": loaded}))
                    continue
                tool = tools[request["tool"]] = loaded
            _write(replies, encode({"loaded": True}))
        assert tool is not None, request["tool"]
        _score(tool, request["samples"], running, replies)


def _score(tool: RewardTool, samples: list[Any], running: mmap.mmap, replies: int) -> None:
    bodies: list[bytes] = []
    began = flushed = time.monotonic()
    for place, sample in enumerate(samples):
        running[:4] = place.to_bytes(4, "little")
        bodies.append(_reply(score_checked(tool, [Sample.model_validate(sample)])[0]))
        now = time.monotonic()
        if now - flushed >= FLUSH_SECONDS or place == len(samples) - 1:
            head = f'{{"seconds":{now - began:.6f},"scores":['.encode("ascii")
            _write(replies, _frame(head + b",".join(bodies) + b"]}"))
            bodies.clear()
            flushed = began = time.monotonic()


def _reply(score: Score) -> bytes:
    """The score as JSON; details that are not JSON are the tool's fault."""

    def broke(error: Exception) -> bytes:
        return json.dumps(failed(f"details are not JSON: {error}").model_dump()).encode("ascii")

    return boundary(lambda: json.dumps(score.model_dump(), separators=(",", ":")).encode("ascii"), broke)


def _why(error: Exception) -> Any:
    return str(error) if isinstance(error, RlarError) else f"{type(error).__name__}: {error}"


def _no_sandbox() -> NoReturn:
    raise SandboxError('a tool that runs in the worker pool has no sandbox; give its class runs = "sandbox"')


def _die_with_parent(parent: int) -> None:
    """A worker stuck in a call never sees the pipe close; the kernel ends it with the thread that started it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def _read(stream: Any) -> Any:
    head = stream.read(4)
    if len(head) < 4:
        return None
    body = stream.read(int.from_bytes(head, "little"))
    return json.loads(body)


def _write(descriptor: int, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
