"""Four small tasks for a model of under a million parameters: sums, a letter cipher, a number of words, a list.

    python examples/tiny_tasks.py FOLDER [--seed 0]

writes `rows.jsonl` (prompts with references where such rows have them; what `rlar agent build-tools` reads),
`warmup.jsonl` (prompt and completion; most completions follow another convention than the rows want: digits turned
round, another cipher, a wrong number of words, a list without dashes) and `test.jsonl` (fresh rows). All of it is made up here.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

LETTERS = "abcdefgh"
CIPHER = dict(zip(LETTERS, "eahcgbfd", strict=True))
OTHER_CIPHER = dict(zip(LETTERS, "bcdefgha", strict=True))
WORDS = ["sun", "sea", "fog", "owl", "oak", "elm", "fir", "ash", "ice", "dew"]
SUMS = [(a, b) for a in range(1, 10) for b in range(1, 10) if a + b >= 10 and a + b != 11]
"""With answers that read otherwise from right to left."""
WRONG_SHARE = 0.6
"""Warm-up completions that follow the other convention."""


def make_row(rng: random.Random, kind: str) -> dict[str, str]:
    """One row of a task; `other` is the answer in the other convention."""
    if kind == "sum":
        a, b = rng.choice(SUMS)
        answer = str(a + b)
        return {"prompt": f"What is {a} + {b}?", "reference": answer, "right": answer, "other": answer[::-1]}
    if kind == "cipher":
        word = "".join(rng.choice(LETTERS) for _ in range(rng.randrange(4, 7)))
        right, other = ("".join(table[letter] for letter in word) for table in (CIPHER, OTHER_CIPHER))
        return {"prompt": f"Encode {word}.", "reference": right, "right": right, "other": other}
    topic = rng.choice(WORDS)
    if kind == "words":
        count = rng.randrange(2, 6)
        right, other = (" ".join(rng.choices(WORDS, k=n)) for n in (count, count + rng.choice((-1, 1, 2))))
        return {"prompt": f"Write exactly {count} words about {topic}.", "right": right, "other": other}
    count = rng.randrange(2, 5)
    right, few = ("\n".join(f"- {word}" for word in rng.choices(WORDS, k=n)) for n in (count, count - 1))
    other = rng.choice((few, right.replace("- ", "")))
    return {"prompt": f"Write exactly {count} bullet points about {topic}.", "right": right, "other": other}


def is_right(kind: str, prompt: str, reference: str | None, text: str) -> bool:
    """The exact check, which no training sees: the very answer, the very number of words, a list of so many lines."""
    if reference is not None:
        return text == reference
    count = int(prompt.split()[2])
    if kind == "words":
        return len(text.split()) == count
    lines = text.split("\n")
    return len(lines) == count and all(line.startswith("- ") and line[2:].strip() for line in lines)


KINDS = ("sum", "cipher", "words", "list")


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def make(folder: Path, seed: int) -> None:
    """Write the three files."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    seen: set[str] = set()

    def fresh(number: int) -> list[tuple[str, dict[str, str]]]:
        rows: list[tuple[str, dict[str, str]]] = []
        while len(rows) < number:
            kind = KINDS[len(rows) % len(KINDS)]
            row = make_row(rng, kind)
            if kind == "cipher":  # of the others there are only a few hundred, or a few dozen, prompts
                if row["prompt"] in seen:
                    continue
                seen.add(row["prompt"])
            rows.append((kind, row))
        return rows

    asked = [{key: row[key] for key in ("prompt", "reference") if key in row} for _kind, row in fresh(450)]
    write(folder / "rows.jsonl", [{"id": f"row-{index}", **row} for index, row in enumerate(asked)])
    write(
        folder / "test.jsonl",
        [
            {"id": f"{kind}-{index}", **{key: row[key] for key in ("prompt", "reference") if key in row}}
            for index, (kind, row) in enumerate(fresh(120))
        ],
    )
    seen.clear()
    warm = [row for _kind, row in fresh(3_000)]
    completions = [row["other"] if rng.random() < WRONG_SHARE else row["right"] for row in warm]
    write(
        folder / "warmup.jsonl",
        [{"prompt": row["prompt"], "completion": text} for row, text in zip(warm, completions, strict=True)],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    make(given.folder, given.seed)
