"""How often do the verifiers of numbers and formulas say a wrong number, and how often do they say nothing?

Two measurements, each over the tools `number` and `math`:

--solutions FILE   labelled solutions, one problem a line: {"prompt", "responses", "labels", "meta": {"ground_truth"}}.
                   Scored as they are, and once more without their closing "A: ..." line, so that the answer has to be
                   found in a sentence. A reward on the wrong side of the label is a wrong number.
--problems FILE    problems with a reference, one a line: {"prompt", "reference"}. The reference in everyday dresses must
                   score 1.0; the references of other problems in the same dresses must not.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import process_time

from rlar.kinds import library_class
from rlar.kinds.material import may_be_equal
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.types import Sample

_CUE = re.compile(r"\n(?:A:|####)[^\n]*\s*$")
_DRESSES = (
    "{}",
    "The answer is ${}$.",
    r"So we get $\boxed{{{}}}$.",
    "**Final Answer**\n\n\\[ {} \\]",
    "<think>Could it be 17?</think>\nAnswer: ${}$",
    "Hence the result equals ${}$.",
)


def _lines(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _only(reference: str) -> str:
    """The text of a reference that some sets keep as a list of one: "['2n']"."""
    if reference.startswith("['") and reference.endswith("']"):
        with suppress(ValueError, SyntaxError):
            return str(ast.literal_eval(reference)[0])
    return reference


def solutions(path: Path, *, cued: bool) -> Iterator[tuple[Sample, bool]]:
    """(sample, whether it is right) of every labelled response."""
    for row in _lines(path):
        reference = row["meta"]["ground_truth"]  # type: ignore[index]
        for response, label in zip(row["responses"], row["labels"], strict=True):  # type: ignore[call-overload]
            text = response if cued else _CUE.sub("", response)
            if label is not None:
                yield (
                    Sample(prompt=str(row["prompt"]), completion=text, reference=reference, references=(reference,)),
                    label == 1,
                )


def dressed(path: Path) -> Iterator[tuple[Sample, bool]]:
    """(sample, whether it is right) of every problem's own reference and of its neighbour's, in each dress."""
    rows = [row for row in _lines(path) if row.get("reference")]
    for row, neighbour in zip(rows, rows[1:] + rows[:1], strict=True):
        # Some sets keep the answer in a list of one text.
        reference, other = (_only(str(one["reference"])) for one in (row, neighbour))
        for dress in _DRESSES:
            for answer, right in ((reference, True), (other, False)):
                if right or not may_be_equal(reference.strip("$"), other.strip("$")):
                    text = dress.format(answer.strip().strip("$"))
                    yield (
                        Sample(
                            prompt=str(row["prompt"]), completion=text, reference=reference, references=(reference,)
                        ),
                        right,
                    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solutions", type=Path)
    parser.add_argument("--problems", type=Path)
    parser.add_argument("--show", type=int, default=0, help="print so many wrong numbers of each line")
    arguments = parser.parse_args()
    sets: dict[str, list[tuple[Sample, bool]]] = {}
    if arguments.solutions:
        sets["solutions"] = list(solutions(arguments.solutions, cued=True))
        sets["solutions without a cue"] = list(solutions(arguments.solutions, cued=False))
    if arguments.problems:
        sets["problems"] = list(dressed(arguments.problems))
    print(f"{'set':26}{'tool':8}{'n':>7}{'right':>8}{'refused':>9}{'rewarded':>10}{'silent':>8}{'CPU s':>9}")
    for name, samples in sets.items():
        for tool_name in ("number", "math"):
            tool = library_class(tool_name)(library_spec(tool_name), Resources())
            started = process_time()
            scores = tool.score([sample for sample, _ in samples])
            seconds = process_time() - started
            counts: Counter[str] = Counter()
            for (sample, right), score in zip(samples, scores, strict=True):
                outcome = (
                    "silent"
                    if score.value is None
                    else "right"
                    if (score.value == 1.0) == right
                    else "refused"
                    if right
                    else "rewarded"
                )
                counts[outcome] += 1
                if outcome in ("refused", "rewarded") and counts[outcome] <= arguments.show:
                    print(
                        f"  {outcome}: {str(sample.reference)[-60:]!r} <- {sample.completion[-160:]!r} ({score.explanation})"
                    )
            print(
                f"{name:26}{tool_name:8}{len(samples):7}{counts['right']:8}{counts['refused']:9}{counts['rewarded']:10}{counts['silent']:8}{seconds:9.1f}"
            )


if __name__ == "__main__":
    main()
