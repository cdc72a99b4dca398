"""Library tools that behave badly on purpose; a Scorer gets them as a plugin, so workers know them too.

What a fake does is written in the completion, so one tool can be good and bad in one batch.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar

from rlar.kinds import LIBRARY
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, failed, ok


class Fake(LibraryTool):
    """`ok 0.5`, `abstain`, `hang`, `crash`, `exit`, `raise`, `nan`, `none`, `huge`, `count FILE` ... in the completion."""

    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset()
    summary: ClassVar[str] = "a fake"

    def score(self, samples: Any) -> Any:
        if self.spec.params.get("short"):
            return [self.score_one(sample) for sample in samples][:-1]
        if self.spec.params.get("not_a_list"):
            return (self.score_one(sample) for sample in samples)
        return [self.score_one(sample) for sample in samples]

    def score_one(self, sample: Sample) -> Any:
        word, _, rest = sample.completion.partition(" ")
        if self.spec.params.get("log"):
            with Path(self.spec.params["log"]).open("a") as log:
                log.write(f"{os.getpid()} {sample.completion[:40]}\n")
        match word:
            case "ok":
                return ok(float(rest.split()[0]), f"in process {os.getpid()}")
            case "abstain":
                return abstain("cannot tell")
            case "fail":
                return failed("said so")
            case "hang":
                while True:
                    time.sleep(0.01)
            case "hang-in-c":
                return ok(float(len(str(7 ** (7**9)))) * 0)
            case "sleep":
                time.sleep(float(rest))
                return ok(1.0)
            case "crash":
                os.abort()
            case "exit":
                raise SystemExit(0)
            case "hard-exit":
                os._exit(0)
            case "spin":
                until = time.monotonic() + float(rest.split()[0])
                while time.monotonic() < until:
                    pass
                return ok(1.0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "raise":
                raise ValueError("score: 1.0")
            case "memory":
                return ok(float(len(bytearray(1 << 40))))
            case "nan":
                return Score.model_construct(value=float("nan"), status="ok", explanation="", error=None, details={})
            case "bool":
                return Score.model_construct(value=True, status="ok", explanation="", error=None, details={})
            case "large":
                return ok(7.0)
            case "number":
                return 1.0
            case "none":
                return None
            case "set":
                return ok(1.0, "", found={1, 2})
            case "lying-status":
                return Score.model_construct(value=1.0, status="perfect", explanation="", error=None, details={})
            case "print":
                print("x" * 100_000)
                os.write(1, b"\xff\xff\xff\xff garbage")
                return ok(0.25)
            case "binding":
                return ok(float(sample.binding["mark"]))
            case "constraints":
                return ok(1.0, " ".join(item["kind"] for item in sample.binding["constraints"]))
        raise AssertionError(word)


class FakeInline(Fake):
    name = "fake_inline"
    runs = "inline"


class FakePool(Fake):
    name = "fake_pool"
    runs = "pool"


class FakeThread(Fake):
    name = "fake_thread"
    runs = "sandbox"


class FakeBroken(Fake):
    """Cannot be loaded."""

    name = "fake_broken"
    runs = "pool"

    def __init__(self, spec: Any, resources: Any) -> None:
        raise RuntimeError("no such model file")


class FakeSlowToLoad(Fake):
    """Takes `seconds` to load."""

    name = "fake_slow_to_load"
    runs = "sandbox"

    def __init__(self, spec: Any, resources: Any) -> None:
        super().__init__(spec, resources)
        time.sleep(spec.params["seconds"])


class FakeGuard(Fake):
    name = "fake_guard"
    runs = "inline"
    role = "guard"


NAMES = {
    fake.name: f"{__name__}:{fake.__name__}"
    for fake in (FakeInline, FakePool, FakeThread, FakeBroken, FakeSlowToLoad, FakeGuard)
}
LIBRARY.update(NAMES)
