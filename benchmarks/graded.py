"""Do the library's graded tools rank completions at least as well as the plain metric that they are built on?

    python benchmarks/graded.py FILE ...

A file holds labelled rows (JSON lines): {"prompt" or "source", "reference"?, "responses", "labels" or "human_score",
"subset"?, "src_lang"?, "tgt_lang"?}; a higher label is better. Rows with languages are translations, others go to
`long_text` and `summary`. Rows without a reference are put together by prompt, and the best response, where there is one,
becomes the reference for the others. Rows of one response are ranked against each other (Spearman), others within the
prompt (pair accuracy: a tie or a missing score counts half). Beside chrF and chrF++ of sacrebleu, on the completion as it is: the tool, the
tool minus chrF++ with the 95% interval of a bootstrap over prompts, and the share of scores that are exactly 0.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from sacrebleu.metrics.chrf import CHRF  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402

from rlar.kinds import library_class  # noqa: E402
from rlar.text.language_names import LANGUAGE_OF_NAME  # noqa: E402
from rlar.tool import Resources  # noqa: E402
from rlar.tools.library import library_spec  # noqa: E402
from rlar.types import Sample  # noqa: E402

RESAMPLES = 1000


@dataclass(frozen=True)
class Judged:
    """A prompt with a reference and responses that people have ranked."""

    prompt: str
    reference: str
    responses: tuple[str, ...]
    labels: tuple[float, ...]
    binding: dict[str, Any]

    def sample(self, response: str) -> Sample:
        references = (self.reference,)
        return Sample(
            prompt=self.prompt,
            completion=response,
            reference=self.reference,
            references=references,
            binding=self.binding,
        )


def read(path: Path) -> Iterator[tuple[str, Judged]]:
    """(name of the set, row)."""
    loose: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in path.open(encoding="utf-8"):
        row = json.loads(line)
        subset = f"{path.stem}: {row['subset']}" if row.get("tgt_lang") else path.stem
        labels = row.get("human_score") or row["labels"]
        prompt = row.get("prompt") or f"Translate into {row['tgt_lang']}:\n\n{row['source']}"
        if row.get("reference"):
            binding = {}
            if row.get("tgt_lang"):
                target = LANGUAGE_OF_NAME[row["tgt_lang"].lower()]
                binding = {"source": row["source"], "target_language": target}
            yield subset, Judged(prompt, row["reference"], tuple(row["responses"]), tuple(labels), binding)
            continue
        centre = float(np.mean([label for label in labels if label is not None]))
        for response, label in zip(row["responses"], labels, strict=True):
            if label is not None:
                loose[subset, prompt][response].append(label - centre)
    for (subset, prompt), found in loose.items():
        graded = sorted(((sum(labels), text) for text, labels in found.items()), reverse=True)
        if len(graded) > 2 and graded[0][0] > graded[1][0] and len(graded[0][1].split()) >= 8:
            (_, best), *rest = graded
            yield subset, Judged(prompt, best, tuple(text for _, text in rest), tuple(label for label, _ in rest), {})


Metric = Callable[[Judged, str], float]


def plain(metric: CHRF) -> Metric:
    return lambda row, response: float(metric.sentence_score(response, [row.reference]).score)


def of_tool(name: str) -> Metric:
    tool = library_class(name)(library_spec(name), Resources())

    def value(row: Judged, response: str) -> float:
        score = tool.score([row.sample(response)])[0]
        return math.nan if score.value is None else score.value

    return value


def credits(rows: Sequence[Judged], values: Sequence[Sequence[float]]) -> list[list[float]]:
    """Of each prompt: 1 for every pair in the people's order, one half for a tie."""
    return [
        [
            0.5
            if not abs(scores[i] - scores[j]) >= 1e-9  # no score is a tie
            else float((scores[i] > scores[j]) == (row.labels[i] > row.labels[j]))
            for i, j in combinations(range(len(scores)), 2)
            if row.labels[i] != row.labels[j]
        ]
        for row, scores in zip(rows, values, strict=True)
    ]


def measure(name: str, rows: Sequence[Judged], metrics: dict[str, Metric], tool: str) -> None:
    values = {each: [[metric(row, text) for text in row.responses] for row in rows] for each, metric in metrics.items()}
    single = all(len(row.responses) == 1 for row in rows)
    labels = np.array([row.labels[0] for row in rows])
    held = {each: credits(rows, scores) for each, scores in values.items()}

    def agreement(each: str, chosen: np.ndarray[Any, Any]) -> float:
        if single:
            return float(spearmanr(np.array([values[each][place][0] for place in chosen]), labels[chosen]).statistic)
        drawn = [credit for place in chosen for credit in held[each][place]]
        return float(np.mean(drawn)) if drawn else 0.5

    everything = np.arange(len(rows))
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(rows), len(rows)) for _ in range(RESAMPLES)]
    gains = [agreement(tool, chosen) - agreement("chrF++", chosen) for chosen in draws]
    low, high = np.quantile(gains, (0.025, 0.975))
    scores = [value for row in values[tool] for value in row]
    numbers = "  ".join(f"{each} {agreement(each, everything):.3f}" for each in metrics)
    gain = agreement(tool, everything) - agreement("chrF++", everything)
    counted = f"{len(rows)} rows" if single else f"{sum(map(len, held[tool]))} pairs of {len(rows)} prompts"
    zeros = sum(value == 0.0 for value in scores) / len(scores)
    missing = sum(math.isnan(value) for value in scores) / len(scores)
    print(f"{name} ({'Spearman' if single else 'pair accuracy'}, {counted})")
    print(
        f"  {numbers}  {tool} - chrF++ {gain:+.3f} ({low:+.3f} to {high:+.3f})  exact zeros {zeros:.1%}  no score {missing:.1%}"
    )


def main(paths: Sequence[str]) -> None:
    sets: dict[str, list[Judged]] = defaultdict(list)
    for path in paths:
        for name, row in read(Path(path)):
            sets[name].append(row)
    metrics = {"chrF": plain(CHRF()), "chrF++": plain(CHRF(word_order=2))}
    for name, rows in sets.items():
        for tool in ("translation",) if rows[0].binding else ("long_text", "summary"):
            measure(name, rows, {**metrics, tool: of_tool(tool)}, tool)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
