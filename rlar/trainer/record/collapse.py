"""Signs that a policy has learnt to please its own signals and nothing else: for runs in which no tool pays.

What was seen of certainty and its kin (arXiv:2505.19590, sec. 4.4, and the issues of its code): answers become one answer,
longer or shorter than they were, the same words again, and surer than they are right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

from rlar.trainer.record.metrics import mean

Row = Mapping[str, Any]
Kind = Literal["entropy", "length", "repetition", "certainty"]

FELL_TO = 0.25
"""Share of what the entropy was."""
LENGTH_FACTOR = 2.0
"""As much longer, or shorter."""
REPEATED = 0.1
"""More of the words than at the start."""
DEVIATIONS = 2.0
"""Of the two accuracies together, by which the later one has to be lower."""


@dataclass(frozen=True)
class Sign:
    """One number that went where a collapse goes."""

    kind: Kind
    before: float
    now: float
    text: str


def signs_of_collapse(rows: Sequence[Row], *, every: int) -> list[Sign]:
    """What the last `every` steps of the log show against the first; nothing where these are the same steps.

    Args:
        rows: of `metrics.jsonl`, evaluations among them.
    """
    steps = [row for row in rows if "loss" in row]
    if len(steps) < 2 * every:
        return []
    first, last = steps[:every], steps[-every:]
    signs = []
    entropy, entropy_now = _mean(first, "entropy"), _mean(last, "entropy")
    if entropy_now < FELL_TO * entropy:
        text = f"entropy fell from {entropy:.3f} to {entropy_now:.3f} nats a token: answers become one answer"
        signs.append(Sign("entropy", entropy, entropy_now, text))
    length, length_now = _mean(first, "length"), _mean(last, "length")
    if not length / LENGTH_FACTOR <= length_now <= length * LENGTH_FACTOR:
        signs.append(Sign("length", length, length_now, f"length went from {length:.0f} to {length_now:.0f} tokens"))
    repeated, repeated_now = _mean(first, "repetition"), _mean(last, "repetition")
    if repeated_now - repeated > REPEATED:
        text = f"{repeated_now:.0%} of the words repeat the word before them, {repeated:.0%} at the start"
        signs.append(Sign("repetition", repeated, repeated_now, text))
    return signs + _surer_than_right(rows, first, last)


def _surer_than_right(rows: Sequence[Row], first: Sequence[Row], last: Sequence[Row]) -> list[Sign]:
    """Certainty that rose while the accuracy on held-out rows fell below the best there was."""
    evaluations = [row for row in rows if row.get("eval_macro") is not None]
    certain = [
        mean([row["signals"]["certainty"] for row in part if row["signals"].get("certainty") is not None])
        for part in (first, last)
    ]
    if len(evaluations) < 2 or certain[0] is None or certain[1] is None or certain[1] <= certain[0]:
        return []
    best, now = max(evaluations, key=lambda row: row["eval_macro"]), evaluations[-1]
    high, low = best["eval_macro"], now["eval_macro"]
    doubt = DEVIATIONS * sqrt(sum(_variance(row) for row in (best, now)))
    if high - low <= doubt:
        return []
    text = (
        f"certainty rose from {certain[0]:.2f} to {certain[1]:.2f}, accuracy on held-out rows fell from {high:.2f} to "
        f"{low:.2f}: the policy is surer and less often right"
    )
    return [Sign("certainty", high, low, text)]


def _variance(row: Row) -> float:
    """Of the accuracy, as that of a coin thrown once a row."""
    count = sum(entry["rows"] for entry in row["eval"].values())
    share = (row["eval_macro"] * count + 1.0) / (count + 2.0)
    return float(share * (1.0 - share) / max(count, 1))


def _mean(rows: Sequence[Row], name: str) -> float:
    return mean([row[name] for row in rows if row[name] is not None]) or 0.0
