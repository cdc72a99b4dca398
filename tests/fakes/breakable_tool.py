"""A library tool that rows, completions or a switch can break, and that notes what it was asked."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, failed, ok, timed_out


class Breakable(LibraryTool):
    """No score for the reference "poison", for completions that begin with "crash" or "hang", and while the switch is on."""

    name = "breakable"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset()
    runs = "sandbox"
    summary: ClassVar[str] = "a fake"

    def score_one(self, sample: Sample) -> Score:
        with Path(self.spec.params["log"]).open("a") as log:
            log.write(f"{sample.prompt}|{sample.completion}\n")
        if Path(self.spec.params["switch"]).exists():
            return failed("the server is down")
        if sample.reference == "poison":
            return timed_out("this reference takes forever")
        if sample.completion.startswith("crash"):
            return failed("died of SIGSEGV")
        if sample.completion.startswith("hang"):
            return timed_out("no score after 2 s")
        return ok(1.0)
