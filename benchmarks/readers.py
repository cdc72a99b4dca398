"""What a second reader of free text costs and saves: right, wrong and unread answers of labelled completions.

usage: python benchmarks/readers.py LABELLED.jsonl [--limit N]

Each row: {"prompt", "responses", "labels" (1 correct, 0 not), "meta": {"ground_truth": "... #### 18"}}. A number is looked
for by two independent readers: cue-first (box, "####", "the answer is", bold) and structure-first (the last number of the
text as it stands). Every response is read three times: as it is, with its last line's cue taken away ("A: 18" as "18"), and
with its last line taken away (the answer then stands in the last step, if anywhere).
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from rlar.kinds.number import Number, all_equal, claimed_number, last_number, read_reference
from rlar.text.answers import claims, last_result, read_tier, visible_answer

Verdict = bool | None
_CUE = re.compile(r"^[\W_]*(?:A|Answer|The answer is|####)[\s:#]*", re.I)


def cue_first(text: str, target: Number) -> Verdict:
    """Whether what a cue puts forward is right; None without a cue."""
    found = claims(text)
    said = read_tier((found.boxed, found.final, found.cued, found.bold), claimed_number)
    return all_equal([number for claim in said for number in claim], [target]) if said else None


def structure_first(text: str, target: Number) -> Verdict:
    """Whether the last number is right, whatever stands before it; None without a number."""
    said = last_number(text)
    return all_equal(said, [target]) if said else None


def first_of_both(text: str, target: Number) -> Verdict:
    """One reader after the other."""
    said = cue_first(text, target)
    return structure_first(text, target) if said is None else said


def both_agree(text: str, target: Number) -> Verdict:
    """None where the readers disagree; a cue decides alone, since it is an agreed format."""
    return first_of_both(text, target) if cue_first(text, target) is not None else _agreeing_lines(text, target)


def always_both(text: str, target: Number) -> Verdict:
    """None where the readers disagree, or only one of them reads anything."""
    one, other = cue_first(text, target), structure_first(text, target)
    return one if one == other else None


def _agreeing_lines(text: str, target: Number) -> Verdict:
    """Without a cue: the last number of the text, and the result of the last equation, where there is one."""
    last, result = structure_first(text, target), claimed_number(last_result(text))
    if last is None:
        return last
    return last if result is None or all_equal(result, [target]) == last else None


READERS: dict[str, Callable[[str, Number], Verdict]] = {
    "cue first, else structure": first_of_both,
    "structure only": structure_first,
    "cue only": cue_first,
    "two readers where no cue stands": both_agree,
    "two readers always": always_both,
}
VIEWS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "without the cue": lambda text: "\n".join(
        [*text.rstrip().split("\n")[:-1], _CUE.sub("", text.rstrip().split("\n")[-1])]
    ),
    "without the last line": lambda text: "\n".join(text.rstrip().split("\n")[:-1]) or text,
}


def labelled(path: Path, limit: int) -> Iterator[tuple[str, str, Number, bool]]:
    """(prompt, response, target, is right) of a file."""
    for number, line in enumerate(path.open(encoding="utf-8")):
        row = json.loads(line)
        target = read_reference(row["meta"]["ground_truth"])
        if number >= limit or target is None:
            continue
        for response, label in zip(row["responses"], row["labels"], strict=True):
            yield row["prompt"], response, target, label == 1


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("file", type=Path)
    ask.add_argument("--limit", type=int, default=10**9)
    given = ask.parse_args()
    rows = list(labelled(given.file, given.limit))
    print(
        f"{len(rows)} completions\n\n| completion | reader | agrees with its label | wrong number | unread |\n|---|---|---|---|---|"
    )
    for view, changed in VIEWS.items():
        texts = [(visible_answer(changed(response), prompt), target, right) for prompt, response, target, right in rows]
        for name, reader in READERS.items():
            count = Counter(
                "unread" if (said := reader(text, target)) is None else said == right for text, target, right in texts
            )
            shares = [count[key] / len(rows) for key in (True, False, "unread")]
            print(f"| {view} | {name} | {shares[0]:.4f} | {shares[1]:.4f} | {shares[2]:.4f} |")


if __name__ == "__main__":
    main()
