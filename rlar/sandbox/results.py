"""What the sandbox answers: statuses, limits and results as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    """The program is wrong, raised, or answered with what is not plain data. A verifier: no valid score."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"
    """The process died: a signal, `os._exit`, a broken interpreter."""
    UNDECIDED = "undecided"
    """The tests cannot tell: they executed no check of the program, went on after one that did not hold, or looked into
    the program, which is in another process."""
    REFUSED = "refused"
    """Nothing was judged: the tests cannot be split, or the sandbox itself was lost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use."""

    seconds: float = 5.0
    """Wall clock, enforced from outside by killing. A program with its tests; one case or call; one item of a verifier."""
    total_seconds: float | None = None
    """Wall clock of all cases or calls of a program together; by default twelve times `seconds`."""
    cpu_seconds: float | None = None
    """Processor time; by default one second more than `seconds`."""
    memory_mb: int = 512
    """Address space beyond the interpreter's own."""
    output_bytes: int = 1 << 20
    """What it may print; a write past it fails."""
    open_files: int = 64

    @property
    def whole_seconds(self) -> float:
        """What all cases or calls of a program may take together."""
        return 12 * self.seconds if self.total_seconds is None else self.total_seconds


@dataclass(frozen=True, slots=True)
class RunResult:
    """The outcome of one program."""

    status: Status
    explanation: str = ""
    """One line for a person."""
    seconds: float = 0.0
    """Wall clock."""
    memory_mb: float | None = None
    """Peak resident memory of the program's process, the shared interpreter (about 20 MB) included."""
    tier: str = ""
    output: str = ""
    """What it printed, cut at Limits.output_bytes."""
    forgeable: bool = False
    """Program and tests shared an interpreter: a hostile program could have made this verdict itself."""
    unsafe: bool = False
    """Ran without isolation because the user accepted the risk."""

    @property
    def passed(self) -> bool:
        """Whether the program did what was expected of it."""
        return self.status is Status.PASSED


@dataclass(frozen=True, slots=True)
class CallResult:
    """One call of a program's function."""

    status: Status
    """passed: the function returned plain data. failed: it raised, or returned what is not plain data."""
    value: Any = None
    """The returned value, of exact builtin types. What is no such type is an Opaque, which only compares."""
    error: str | None = None
    """The nearest builtin exception's name where it raised, e.g. "ValueError"."""
    explanation: str = ""
    seconds: float = 0.0
    tier: str = ""
    unsafe: bool = False


@dataclass(frozen=True, slots=True)
class Opaque:
    """A Decimal, date, array ... as its encoded text: compared outside the jail without running its comparison."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class VerifierResult:
    """One item's score."""

    value: float | None
    """Finite and in the declared range exactly when `status` is passed."""
    status: Status
    explanation: str = ""
    seconds: float = 0.0
    """Wall clock; in warm mode the message's time divided by its items."""
    tier: str = ""
    unsafe: bool = False


@dataclass(frozen=True, slots=True)
class TierState:
    """What one tier needs and whether this machine has it."""

    tier: str
    available: bool
    reason: str
    """Why it is missing; empty where it is available."""
    remedy: str = ""
    """How to get it."""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TierReport:
    """What isolation this machine offers, found by trying."""

    best: str | None
    """The tier that "auto" takes; None: refused."""
    tiers: tuple[TierState, ...]
    platform: str
    python: str

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        tiers = [
            {"tier": t.tier, "available": t.available, "reason": t.reason, "remedy": t.remedy, "details": t.details}
            for t in self.tiers
        ]
        return {"best": self.best, "platform": self.platform, "python": self.python, "tiers": tiers}

    def state(self, tier: str) -> TierState:
        """The entry of one tier."""
        return next(state for state in self.tiers if state.tier == tier)
