"""Functions that read an answer in one ending alone (`\\boxed{}`, "#### 5"): found out, and tried with completions that have it.

A recipe that tells the policy how to finish may well pay for nothing else; that a plain answer earns nothing is no fault then.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlar.gate.checks import is_first_right
from rlar.gate.probe import ProbeSet
from rlar.text.shapes import final_answer
from rlar.tool import RewardTool
from rlar.tools.own import OwnTool
from rlar.types import Sample, Score

ENDINGS = ("\\boxed{{{}}}", "Answer: {}", "#### {}", "<answer>{}</answer>", "```\n{}\n```", "The final answer is: ${}$")
ENOUGH = 0.9
"""Share of the right answers that an ending must bring to the top."""
WORK = "I worked it out step by step.\n\n"


def ending_of(tool: OwnTool, probes: ProbeSet) -> str:
    """The ending without which a function pays for hardly any right answer; "" where it needs none, or none helps."""
    rights = [probe.sample for probe in probes.probes if is_first_right(probe)]
    bottom = _raw(tool, [with_completion(each, "") for each in rights])
    if not rights or _share(_raw(tool, rights), bottom) >= 1.0 - ENOUGH:
        return ""
    for ending in ENDINGS:
        dressed = [with_completion(each, WORK + ending.format(each.completion.strip())) for each in rights]
        if _share(_raw(tool, dressed), bottom) >= ENOUGH:
            return ending
    return ""


class Ended:
    """A tool that gets every completion with its last line in the ending."""

    def __init__(self, tool: RewardTool, ending: str) -> None:
        self.spec = tool.spec
        self._tool, self._ending = tool, ending

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        return self._tool.score([with_completion(each, ended(written(each), self._ending)) for each in samples])


def ended(text: str, ending: str) -> str:
    """A text with what it says last in the ending; as it is where it has it, says nothing or never ends its thought."""
    mark = ending.partition("{")[0].strip() or ending
    thought, close, answer_part = text.rpartition("</think>")
    if mark in answer_part or not answer_part.strip() or "<think>" in answer_part:
        return text
    answer = final_answer(answer_part.strip().splitlines()[-1]).strip(" .*")
    return f"{thought}{close}{answer_part.rstrip()}\n\n{ending.format(answer)}"


def with_completion(sample: Sample, completion: str) -> Sample:
    """The same row with another completion."""
    return Sample(
        prompt=sample.prompt,
        completion=completion,
        reference=sample.reference,
        references=sample.references,
        binding=sample.binding,
    )


def written(sample: Sample) -> str:
    """A completion as its author wrote it."""
    return sample.completion if sample.written is None else sample.written


def _raw(tool: OwnTool, samples: Sequence[Sample]) -> list[float | None]:
    return [score.details.get("raw") for score in tool.score(samples)]


def _share(values: Sequence[float | None], bottom: Sequence[float | None]) -> float:
    """Share of the values above what is given for nothing."""
    above = [value is not None and value > (low or 0.0) for value, low in zip(values, bottom, strict=True)]
    return sum(above) / len(above) if above else 0.0
