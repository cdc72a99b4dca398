"""What the pool hands a session: jobs as plain values, and the one error that makes it try again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rlar.errors import SandboxError
from rlar.sandbox.results import Limits, RunResult, Status

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
