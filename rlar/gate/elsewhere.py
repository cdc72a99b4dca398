"""Another place that scores the same samples: what hangs on hash order, globals, import order or earlier calls shows there.

For library tools a second Python process (`main` reads one JSON request a line and writes one JSON answer a line); for
generated ones a second sandbox with a process for every sample.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from queue import Empty, Queue
from typing import IO, Protocol

from rlar.errors import SandboxError, boundary
from rlar.gate.run import Ran
from rlar.sandbox import Pool
from rlar.tool import Resources, RewardTool
from rlar.tools.generated import score_in
from rlar.tools.load import kind_of, load_tool, unusable, where
from rlar.types import Sample, Score, ToolSpec, failed


class Elsewhere(Protocol):
    """Scores samples where the tool under test has left no trace."""

    def can_load(self, spec: ToolSpec) -> bool: ...

    def score(self, spec: ToolSpec, samples: Sequence[Sample], seconds: float) -> Ran: ...


def elsewhere_of(tool: RewardTool) -> Elsewhere | None:
    """The other place that suits a tool, shared by all that share its resources; None where there is none."""
    resources = getattr(tool, "resources", None)
    if not isinstance(resources, Resources):
        return None
    match kind_of(tool.spec).elsewhere:
        case "process":
            return resources.shared("certify.elsewhere", OtherProcess)
        case "sandbox":
            return resources.shared("certify.other_sandbox", lambda: OtherSandbox(resources))
    return None


class OtherSandbox:
    """A second sandbox of the same tier. A warm verifier that scores otherwise here keeps something between its calls."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._pool: Pool | None = None
        self._lock = threading.Lock()

    def can_load(self, spec: ToolSpec) -> bool:
        """Whether it is code for the sandbox."""
        return kind_of(spec).elsewhere == "sandbox"

    def score(self, spec: ToolSpec, samples: Sequence[Sample], seconds: float) -> Ran:
        """Scores from a fresh process each; failures from the deadline on."""
        scores: list[Score] = []
        until = time.monotonic() + seconds
        for start in range(0, len(samples), 8):
            part = samples[start : start + 8]
            if time.monotonic() > until:
                problem = "the other sandbox: no answer in time"
                return Ran([*scores, *[failed(problem)] * (len(samples) - start)], seconds, problem)
            try:
                scores += score_in(self._started(), spec, part, "forked")
            except SandboxError as error:
                return Ran([failed(str(error))] * len(samples), 0.0, f"the other sandbox: {error}")
        return Ran(scores, 0.0)

    def _started(self) -> Pool:
        with self._lock:
            if self._pool is None:
                like = self._resources.sandbox
                self._pool = Pool(tier=like.tier, accept_unsafe=like.unsafe, workers=1)  # type: ignore[arg-type]
            return self._pool

    def close(self) -> None:
        """End its processes."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()


class OtherProcess:
    """Started on first use, shared by all certificates of a build, closed by whoever made it. One request at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._answers: Queue[str] = Queue()
        self._lock = threading.Lock()

    def can_load(self, spec: ToolSpec) -> bool:
        """Whether this kind of tool is cheap to load twice: it is code of ours that does not drive the sandbox."""
        return kind_of(spec).elsewhere == "process" and not unusable(spec) and where(spec) != "sandbox"

    def score(self, spec: ToolSpec, samples: Sequence[Sample], seconds: float) -> Ran:
        """Scores from the other process; failures where it died or ran out of time."""
        with self._lock:
            process = self._started()
            request = {
                "spec": spec.model_dump(mode="json"),
                "samples": [sample.model_dump(mode="json") for sample in samples],
            }

            def ask() -> str:
                assert process.stdin is not None, "opened with a pipe"
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                return self._answers.get(timeout=max(1.0, seconds))

            problem = ""

            def on_error(error: Exception) -> str:
                return json.dumps({"error": "no answer in time" if isinstance(error, Empty) else f"died: {error}"})

            answer = json.loads(boundary(ask, on_error))
            if "error" in answer:
                problem = f"the other process: {answer['error']}"
                self._stop()
                return Ran([failed(problem) for _ in samples], 0.0, problem)
            return Ran([Score.model_validate(each) for each in answer["scores"]], 0.0, problem)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._answers = Queue()
            # Another hash seed than ours: iteration over a set of strings comes in another order there.
            seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from rlar.gate.elsewhere import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env={
                    **os.environ,
                    "PYTHONHASHSEED": seed,
                    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                },
            )
            assert self._process.stdout is not None, "opened with a pipe"
            threading.Thread(target=_pump, args=(self._process.stdout, self._answers), daemon=True).start()
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    boundary(stream.close, lambda _error: None)
            self._process = None

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def __enter__(self) -> OtherProcess:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _pump(stream: IO[str], answers: Queue[str]) -> None:
    for line in stream:
        answers.put(line)
    answers.put(json.dumps({"error": "the process ended"}))


def main() -> None:
    """Answer requests until stdin closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a tool prints must not pass for an answer
    tools: dict[str, RewardTool] = {}
    resources = Resources()

    def answer(line: str) -> str:
        request = json.loads(line)
        spec = ToolSpec.model_validate(request["spec"])
        if spec.id not in tools:
            tools[spec.id] = load_tool(spec, resources)
        scores = tools[spec.id].score([Sample.model_validate(each) for each in request["samples"]])
        return json.dumps({"scores": [score.model_dump(mode="json") for score in scores]})

    for line in sys.stdin:
        reply = boundary(
            lambda line=line: answer(line),  # type: ignore[misc]
            lambda error: json.dumps({"error": f"{type(error).__name__}: {error}"}),
        )
        answers.write(reply + "\n")
        answers.flush()
