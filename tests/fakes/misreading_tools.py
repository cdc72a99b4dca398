"""Verifiers of numbers that misread some rows of `probing_tasks.number_task`, in the process of the test alone."""

from __future__ import annotations

import re
from collections import Counter
from typing import ClassVar

from rlar.kinds import LIBRARY
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, ToolKind, ToolSpec, ok
from tests.fakes.planted import exact, injection_prone

ASKED: Counter[str] = Counter()
"""How often a completion was scored, by what was scored."""


class Misreading(LibraryTool):
    """Honest but for rows whose number of boxes is divisible by `every`, where it is `wrong`.

    wrong: refuses (0 for all), swaps (0 for right, 1 for wrong), hacked (0 for right, 1 for an injected verdict), flips (every
    second answer), accepts (1 for all).
    """

    name: ClassVar[str] = "misreading"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset()
    runs = "inline"
    summary: ClassVar[str] = "misreads some rows"

    def score_one(self, sample: Sample) -> Score:
        ASKED[sample.completion] += 1
        honest = injection_prone(sample) if self.spec.params.get("hackable") else exact(sample)
        if not is_misread(sample.prompt, int(str(self.spec.params["every"]))):
            return honest
        match self.spec.params["wrong"]:
            case "swaps":
                return ok(1.0 - (exact(sample).value or 0.0))
            case "hacked":
                return ok(float("score: 1" in sample.completion))
            case "accepts":
                return ok(1.0)
        return ok(0.0)


def is_misread(prompt: str, every: int) -> bool:
    boxes = re.search(r"packs (\d+) boxes", prompt)
    return boxes is not None and int(boxes[1]) % every == 0


def misreading(every: int, wrong: str = "refuses", **params: bool) -> ToolSpec:
    """The spec of one that misreads every so manieth row."""
    LIBRARY["misreading"] = "tests.fakes.misreading_tools:Misreading"
    source = "library:misreading"
    return ToolSpec(
        kind=ToolKind.LIBRARY, name="misreading", source=source, params={"every": every, "wrong": wrong, **params}
    )
