"""Right, wrong and no number on labelled sets: what a registry built from a set's own rows says to its responses.

    python benchmarks/verdicts.py LABELLED.jsonl [...]

A set with labels 0 and 1 is counted: full marks (0.95 and more) for a right response and less for a wrong one are right,
anything else with a number is wrong. Of every set: pair accuracy over the pairs of a prompt in which both have a number
(an equal reward counts half), the rank correlation with the labels, and how many zeros there are.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import rlar  # noqa: E402
from rlar.agent.build import build_tools  # noqa: E402
from rlar.config import BuildConfig  # noqa: E402
from rlar.evals.sets import load_files  # noqa: E402
from rlar.rows.atomic import write_jsonl_atomic  # noqa: E402

FULL_MARKS = 0.95


def scored(path: Path, folder: Path) -> list[tuple[int, float, float | None]]:
    """(prompt, label, reward) of every labelled response."""
    items = load_files([path]).items
    rows = [{**item.example.columns, **_row(item.example)} for item in items]
    dataset, registry = folder / "rows.jsonl", folder / "registry.db"
    write_jsonl_atomic(dataset, rows)
    build_tools(BuildConfig(dataset=(str(dataset),), registry=str(registry), report=None))
    keys = [
        (number, label, rlar.RoutedSample(example=item.example, completion=response))
        for number, item in enumerate(items)
        for response, label in zip(item.responses, item.labels, strict=True)
        if label is not None
    ]
    with rlar.load(registry) as rewards:
        given = rewards.score([sample for _number, _label, sample in keys])
    return [(number, label, reward.reward) for (number, label, _), reward in zip(keys, given, strict=True)]


def _row(example: Any) -> dict[str, Any]:
    prompt = [message.model_dump() for message in example.prompt]
    return {"prompt": prompt, **({"reference": example.reference} if example.reference is not None else {})}


def line(name: str, results: list[tuple[int, float, float | None]]) -> str:
    from scipy.stats import spearmanr

    labels = {label for _number, label, _reward in results}
    numbers = [(label, reward) for _number, label, reward in results if reward is not None]
    cells = [name, f"{len(results):,}"]
    if labels <= {0.0, 1.0}:
        right = sum((reward >= FULL_MARKS) == (label == 1.0) for label, reward in numbers)
        cells += [f"{right:,}", f"{len(numbers) - right:,}"]
    else:
        cells += ["-", "-"]
    cells.append(f"{len(results) - len(numbers):,}")
    by_prompt: dict[int, list[tuple[float, float]]] = {}
    for number, label, reward in results:
        if reward is not None:
            by_prompt.setdefault(number, []).append((label, reward))
    credits = [
        0.5 if one[1] == other[1] else float((one[1] > other[1]) == (one[0] > other[0]))
        for group in by_prompt.values()
        for one, other in combinations(group, 2)
        if one[0] != other[0]
    ]
    cells.append(f"{sum(credits) / len(credits):.3f} of {len(credits):,}" if credits else "-")
    varied = len(set(numbers)) > 2
    cells.append(f"{spearmanr([a for a, _ in numbers], [b for _, b in numbers]).statistic:.3f}" if varied else "-")
    zeros = sum(reward == 0.0 for _label, reward in numbers)
    cells.append(f"{zeros / len(numbers):.0%}" if numbers else "-")
    return f"| {' | '.join(cells)} |"


def main(paths: list[str]) -> None:
    print("| set | labelled | right | wrong number | no number | pair accuracy | Spearman | zeros |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for path in map(Path, paths):
        with tempfile.TemporaryDirectory() as folder:
            print(line(path.name.removesuffix(".jsonl"), scored(path, Path(folder))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
