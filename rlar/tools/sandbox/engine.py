"""The seam between the pool and the ways of holding a process: what an engine must do, and what the pool does for it.

The pool owns threads, slots, retries, statuses of lost sandboxes and the score contract. An engine opens **sessions**;
a session is used by one thread at a time and runs one job after another. To add a tier (wasm):

- `tier` is its name; results carry it.
- Every method returns within its limits plus about two seconds, whatever the code inside does, and raises only
  SandboxLost (the session's process is gone; the pool repeats the job once on a fresh one) or SandboxError.
- `run_tests` keeps program and tests apart: the program sees arguments only, tests see plain data only
  (`inside/codec.py`, `inside/program.py` and `inside/tester.py` need only the standard library and two byte channels).
- `score` gives raw answers, one per item: ("value", number) or (status, reason). The pool checks the range.
- A session that is closed, or whose engine is closed, leaves no process behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from rlar.errors import SandboxError
from rlar.tools.sandbox.results import CallResult, Limits, RunResult, Status

Image = Literal["light", "heavy"]


class SandboxLost(SandboxError):
    """The sandbox's own process died under a call: nobody's verdict."""


@dataclass(frozen=True, slots=True)
class TestsJob:
    """One program against one suite."""

    __test__ = False

    program: str
    tests: str
    entry_point: str | None
    prelude: str | None
    mode: Literal["split", "same", "auto"]
    limits: Limits


@dataclass(frozen=True, slots=True)
class VerifierJob:
    """One verifier on a batch of items (positional arguments, JSON values)."""

    source: str
    function: str
    items: Sequence[Sequence[Any]]
    mode: Literal["forked", "warm"]
    limits: Limits
    run_program: Callable[[str, str, float], RunResult] | None = None
    """What the verifier's `run_program` does (program, stdin, seconds that it may take); None: it gets an error."""


RawScore = tuple[Literal["value"], Any] | tuple[Status, str]


class Session(Protocol):
    """One place where one job at a time runs."""

    def run_tests(self, job: TestsJob) -> RunResult: ...

    def run_program(self, program: str, stdin: bytes, limits: Limits) -> RunResult:
        """A whole program; passed means that it ended by itself with status 0."""
        ...

    def call(
        self, program: str, entry_point: str, arguments: Sequence[Sequence[Any]], limits: Limits
    ) -> list[CallResult]: ...

    def score(self, job: VerifierJob) -> list[RawScore]: ...

    def close(self) -> None: ...


class Engine(Protocol):
    """Makes sessions of one tier and image."""

    tier: str

    def open_session(self, slot: int) -> Session: ...

    def close(self) -> None: ...
