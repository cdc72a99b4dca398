"""Four small tasks for a model of under a million parameters: sums, a letter cipher, a number of words, capitals.

    python examples/tiny_tasks.py FOLDER [--seed 0]

writes `rows.jsonl` (prompts with references where such rows have them; what `rlar agent build-tools` reads),
`warmup.jsonl` (prompt and completion; most completions follow another convention than the rows want: digits turned
round, another cipher, a word too many, small letters) and `test.jsonl` (prompts that are in neither). All of it
is made up here.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

LETTERS = "abcdefgh"
CIPHER = dict(zip(LETTERS, "eahcgbfd", strict=True))
OTHER_CIPHER = dict(zip(LETTERS, "bcdefgha", strict=True))
WORDS = ["sun", "sea", "fog", "owl", "oak", "elm", "fir", "ash", "ice", "dew"]
SUMS = [(10 * tens, ones) for tens in range(1, 10) for ones in range(1, 10) if tens != ones]
"""With answers that read otherwise from right to left."""
TOPICS = [
    *WORDS,
    *["ant", "bat", "bee", "cat", "cow", "dog", "eel", "emu", "fox", "hen"],
    *["jam", "lid", "mat", "net", "pan", "pot", "rug", "saw", "tin", "urn"],
]
ROWS, TEST_ROWS, WARM_ROWS = 450, 100, 4_000
WRONG_SHARE = 0.6
"""Warm-up completions that follow the other convention."""


def make_row(rng: random.Random, kind: str) -> dict[str, str]:
    """One row of a task; `other` is the answer in the other convention."""
    if kind == "sum":
        a, b = rng.choice(SUMS)
        answer = str(a + b)
        return {"prompt": f"What is {a} + {b}?", "reference": answer, "right": answer, "other": answer[::-1]}
    if kind == "cipher":
        word = "".join(rng.choice(LETTERS) for _ in range(5))
        right, other = ("".join(table[letter] for letter in word) for table in (CIPHER, OTHER_CIPHER))
        return {"prompt": f"Encode {word}.", "reference": right, "right": right, "other": other}
    topic = rng.choice(TOPICS)
    if kind == "words":
        count = rng.randrange(2, 5)
        right, other = (" ".join(rng.choices(WORDS, k=n)) for n in (count, count + 1))
        return {"prompt": f"Say {count} words about {topic}.", "right": right, "other": other}
    text = " ".join(rng.choices(WORDS, k=rng.randrange(1, 4)))
    return {"prompt": f"Use all caps: {topic}.", "right": text.upper(), "other": text}


def is_right(kind: str, prompt: str, reference: str | None, text: str) -> bool:
    """The exact check, which no training sees: the very answer, the very number of words, nothing but capitals."""
    if kind == "words":
        return len(text.split()) == int(prompt.split()[1])
    return text.isupper() if kind == "capitals" else text == reference


KINDS = ("sum", "cipher", "words", "capitals")
WARM_KINDS = ("cipher", "sum", "cipher", "words", "cipher", "sum", "capitals")
"""What takes longest to learn comes most often in the warm-up."""


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def make(folder: Path, seed: int) -> None:
    """Write the three files. No prompt of the test is in the other two."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    held_out: set[str] = set()

    def rows_of(number: int, kinds: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
        for kind in itertools.islice(itertools.cycle(kinds), number):
            row = make_row(rng, kind)
            while row["prompt"] in held_out:
                row = make_row(rng, kind)
            yield kind, row

    test = []
    for kind, row in rows_of(TEST_ROWS, KINDS):
        held_out.add(row["prompt"])
        test.append({"id": f"{kind}-{len(test)}", **asked(row)})
    write(folder / "test.jsonl", test)
    rows = rows_of(ROWS, KINDS)
    write(folder / "rows.jsonl", [{"id": f"row-{index}", **asked(row)} for index, (_kind, row) in enumerate(rows)])
    warm = [row for _kind, row in rows_of(WARM_ROWS, WARM_KINDS)]
    completions = [row["other"] if rng.random() < WRONG_SHARE else row["right"] for row in warm]
    write(
        folder / "warmup.jsonl",
        [{"prompt": row["prompt"], "completion": text} for row, text in zip(warm, completions, strict=True)],
    )


def asked(row: dict[str, str]) -> dict[str, str]:
    """What a dataset would hold of it."""
    return {key: row[key] for key in ("prompt", "reference") if key in row}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    make(given.folder, given.seed)
