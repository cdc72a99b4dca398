"""Another place that scores the same samples: what hangs on hash order, globals, import order or earlier calls shows there.

For library tools a worker process with another hash seed; for generated ones a second sandbox with a process for every
sample.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from rlar.errors import SandboxError
from rlar.gate.run import Ran
from rlar.sandbox import Pool
from rlar.scoring.workers import WorkerPool
from rlar.tool import Resources, RewardTool
from rlar.tools.generated import score_in
from rlar.tools.load import kind_of, unusable, where
from rlar.types import Sample, Score, ToolSpec, failed


class IndependentRun(Protocol):
    """Scores samples where the tool under test has left no trace."""

    def can_load(self, spec: ToolSpec) -> bool:
        """Whether it can score with this tool at all."""
        ...

    def score(self, spec: ToolSpec, samples: Sequence[Sample], seconds: float) -> Ran:
        """One Score per sample, in order, within so many seconds."""
        ...


def independent_run(tool: RewardTool) -> IndependentRun | None:
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
    """A worker with another hash seed, shared by all certificates of a build, closed by whoever made it."""

    def __init__(self) -> None:
        # Iteration over a set of strings comes in another order there than here, and than where tools are served.
        self._pool = WorkerPool(1, hash_seed="1" if os.environ.get("PYTHONHASHSEED") != "1" else "2")

    def can_load(self, spec: ToolSpec) -> bool:
        """Whether this kind of tool is cheap to load twice: it is code of ours that does not drive the sandbox."""
        return kind_of(spec).elsewhere == "process" and not unusable(spec) and where(spec) != "sandbox"

    def score(self, spec: ToolSpec, samples: Sequence[Sample], seconds: float) -> Ran:
        """Scores from the other process; failures for samples on which it died, and where it cannot load the tool."""
        scores = self._pool.submit(spec, samples, deadline_seconds=max(1.0, seconds)).wait()
        lost = next((score for score in scores if score.status == "failed"), None)
        return Ran(scores, 0.0, "" if lost is None else f"the other process: {lost.error}")

    def close(self) -> None:
        """End the process."""
        self._pool.close()

    def __enter__(self) -> OtherProcess:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
