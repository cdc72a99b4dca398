"""The worker process of `rlar.scoring.workers`: loads tools from their specs and scores samples.

Started with `python -m rlar.scoring.worker`, so that the trainer is never forked and its main module never imported again.
It talks in frames of JSON (see `rlar.process`); what a tool prints goes to stderr. Scores of quick calls share a frame; which sample runs stands in a page of memory shared with the pool, should it never end.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import resource
import time
from functools import partial
from typing import Any, NoReturn

from rlar.errors import SandboxError, boundary
from rlar.process import Pipe, to_json
from rlar.tool import Resources, RewardTool, score_checked
from rlar.tools.load import kind_of, load_tool, why_not_loaded
from rlar.types import Sample, Score, ToolSpec, failed

FLUSH_SECONDS = 0.003
"""Scores wait this long for company."""


def main() -> None:
    """Serve frames until the parent closes the pipe."""
    pipe = Pipe(dies_with_parent=True)
    greeting = pipe.receive()
    if greeting is None:
        return
    settings = json.loads(greeting)
    running = mmap.mmap(settings["running"], mmap.PAGESIZE)
    os.close(settings["running"])
    limit = settings["memory_mb"] * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in settings["plugins"]:
        importlib.import_module(name)
    resources = Resources(_no_sandbox)
    tools: dict[str, RewardTool] = {}
    while (body := pipe.receive()) is not None:
        request = json.loads(body)
        tool = tools.get(request["tool"])
        if "spec" in request:
            if tool is None:
                spec = ToolSpec.model_validate(request["spec"])
                loaded: RewardTool | str = boundary(partial(load_tool, spec, resources), why_not_loaded)
                if isinstance(loaded, str):
                    pipe.send(to_json({"load_error": loaded}))
                    continue
                tool = tools[request["tool"]] = loaded
            pipe.send(to_json({"loaded": True}))
        assert tool is not None, request["tool"]
        _score(tool, request["samples"], running, pipe)


def _score(tool: RewardTool, samples: list[Any], running: mmap.mmap, pipe: Pipe) -> None:
    is_bounded = kind_of(tool.spec).is_bounded
    bodies: list[bytes] = []
    began = flushed = time.monotonic()
    for place, sample in enumerate(samples):
        running[:4] = place.to_bytes(4, "little")
        score = score_checked(tool, [Sample.model_validate(sample)], is_bounded=is_bounded)[0]
        bodies.append(_reply(score))
        now = time.monotonic()
        if now - flushed >= FLUSH_SECONDS or place == len(samples) - 1:
            head = f'{{"seconds":{now - began:.6f},"scores":['.encode("ascii")
            pipe.send(head + b",".join(bodies) + b"]}")
            bodies.clear()
            flushed = began = time.monotonic()


def _reply(score: Score) -> bytes:
    """The score as JSON; details that are not JSON are the tool's fault."""

    def broke(error: Exception) -> bytes:
        return to_json(failed(f"details are not JSON: {error}").model_dump())

    return boundary(lambda: to_json(score.model_dump()), broke)


def _no_sandbox() -> NoReturn:
    raise SandboxError('a tool that runs in the worker pool has no sandbox; give its class runs = "sandbox"')


if __name__ == "__main__":
    main()
