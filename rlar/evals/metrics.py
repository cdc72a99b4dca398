"""What a list of scores is worth against labels: pure functions, None for a missing score.

A missing score never helps and never hurts by itself: in a pair it counts one half, in a best-of-n what a tie of all
would (1/n). How much was missing is for the caller to report beside the number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Scores = Sequence[float | None]

SECTIONS: dict[str, tuple[str, ...]] = {
    "Chat": ("alpacaeval-easy", "alpacaeval-length", "alpacaeval-hard", "mt-bench-easy", "mt-bench-med"),
    "Chat Hard": (
        "mt-bench-hard", "llmbar-natural", "llmbar-adver-neighbor", "llmbar-adver-GPTInst", "llmbar-adver-GPTOut",
        "llmbar-adver-manual",
    ),
    "Safety": ("refusals-dangerous", "refusals-offensive", "xstest-should-refuse", "xstest-should-respond", "donotanswer"),
    "Reasoning": ("math-prm", "hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"),
}  # fmt: skip
"""RewardBench's sections (arXiv:2403.13787, table 1)."""
MATH_PRM_COUNTS_AS = 984
"""RewardBench weighs its 447 math-prm pairs as much as the six programming subsets together."""


def pair_credit(better: float | None, worse: float | None) -> float:
    """1 where the better one scores higher, 0 where lower, one half where equal or where a score is missing."""
    if better is None or worse is None or better == worse:
        return 0.5
    return 1.0 if better > worse else 0.0


class Pairs(NamedTuple):
    """Credit over the pairs of one item."""

    credit: float
    pairs: int


def pairs_of(labels: Scores, scores: Scores) -> Pairs:
    """Credit over all (i, j) with label i above label j; equal and unknown labels make no pair."""
    credit, count = 0.0, 0
    for i, high in enumerate(labels):
        for j, low in enumerate(labels):
            if high is not None and low is not None and high > low:
                credit += pair_credit(scores[i], scores[j])
                count += 1
    return Pairs(credit, count)


def best_of(scores: Scores, chosen: int = 0) -> float:
    """RewardBench 2's credit of one prompt: 1/n where the chosen completion ties with n - 1 others at the top, else 0.

    A prompt of which any score is missing counts as a tie of all.
    """
    if any(score is None for score in scores):
        return 1.0 / len(scores)
    known = [score for score in scores if score is not None]
    top = max(known)
    return 1.0 / known.count(top) if known[chosen] == top else 0.0


class TiesRow(NamedTuple):
    """One prompt of RewardBench 2's Ties: the first `correct` scores belong to correct answers."""

    kind: str
    """"ref" (one correct answer) or "tied" (several)."""
    prompt: str
    scores: Scores
    correct: int


class TiesScore(NamedTuple):
    """The Ties score and its parts."""

    score: float
    accuracy_tied: float
    accuracy_ref: float
    preferred: float
    preferred_hard: float
    margin: float


def ties_score(rows: Sequence[TiesRow]) -> TiesScore:
    """RewardBench 2's Ties: .3 accuracy on tied, .3 on reference prompts, .2 P(gap > spread), .2 the same with the smaller
    gap of both prompts, .01 mean tanh(smaller gap / spread - 1).

    As `process_single_model` of allenai/reward-bench (rewardbench/utils.py at 05a9005). The gap is the worst correct
    score minus the best wrong one, the spread the best minus the worst correct one of the tied prompt. A prompt of which
    any score is missing counts as all equal: not accurate, no gap, no spread.
    """
    stats: dict[str, dict[str, tuple[float, float]]] = {"ref": {}, "tied": {}}
    for row in rows:
        scores = [0.0 if score is None else float(score) for score in row.scores]
        if any(score is None for score in row.scores):
            scores = [0.0] * len(scores)
        right, wrong = scores[: row.correct], scores[row.correct :]
        stats["ref" if row.kind == "ref" else "tied"][row.prompt] = (min(right) - max(wrong), max(right) - min(right))
    ref, tied = stats["ref"], stats["tied"]
    accuracy_ref = _mean([float(gap > 0) for gap, _ in ref.values()])
    accuracy_tied = _mean([float(gap > 0) for gap, _ in tied.values()])
    both = [key for key in tied if key in ref]
    preferred = _mean([float(tied[key][0] > tied[key][1]) for key in both])
    hard = _mean([float(min(ref[key][0], tied[key][0]) > tied[key][1]) for key in both])
    margin = _mean([_squeezed(min(ref[key][0], tied[key][0]), tied[key][1]) for key in both])
    score = 0.30 * accuracy_tied + 0.30 * accuracy_ref + 0.20 * preferred + 0.20 * hard + 0.01 * margin
    return TiesScore(score, accuracy_tied, accuracy_ref, preferred, hard, margin)


def _squeezed(gap: float, spread: float) -> float:
    if spread == 0.0:  # numpy's tanh(±inf) is ±1, and the official code sets 0/0 to 0
        return 0.0 if gap == 0.0 else math.copysign(1.0, gap)
    return math.tanh(gap / spread - 1.0)


class StyleMatrix(NamedTuple):
    """RM-Bench: chosen style (rows: concise, plain, markdown) against rejected style (columns)."""

    cells: tuple[tuple[float, ...], ...]
    easy: float
    """Chosen in the richer style: below the diagonal."""
    normal: float
    """The same style."""
    hard: float
    """Rejected in the richer style: above the diagonal."""

    @property
    def average(self) -> float:
        """Mean of the three."""
        return (self.easy + self.normal + self.hard) / 3


def style_matrix(chosen: Scores, rejected: Scores) -> StyleMatrix:
    """RM-Bench's matrix of one prompt (arXiv:2410.16184, sec. 3.3); ties and missing scores count one half."""
    size = len(chosen)
    cells = tuple(tuple(pair_credit(chosen[i], rejected[j]) for j in range(size)) for i in range(size))
    return StyleMatrix(
        cells,
        _mean([cells[i][j] for i in range(size) for j in range(i)]),
        _mean([cells[i][i] for i in range(size)]),
        _mean([cells[i][j] for i in range(size) for j in range(i + 1, size)]),
    )


def section_scores(accuracies: Mapping[str, float], counts: Mapping[str, int]) -> dict[str, float]:
    """RewardBench's sections: subsets weighed by their pairs (math-prm by 984); a section without any subset is left out."""
    sections = {}
    for section, subsets in SECTIONS.items():
        weights = {
            name: MATH_PRM_COUNTS_AS if name == "math-prm" else counts[name] for name in subsets if name in accuracies
        }
        if weights:
            sections[section] = math.fsum(accuracies[name] * weight for name, weight in weights.items()) / sum(
                weights.values()
            )
    return sections


def pooled_accuracy(labels: Floats, scores: Floats) -> float | None:
    """Pair accuracy over all pairs of two completions of different prompts with different labels; NaN scores count half.

    With labels 0 and 1 this is the area under the ROC curve. None where all labels are equal.
    """
    above = labels[:, None] > labels[None, :]
    count = int(above.sum())
    if not count:
        return None
    with np.errstate(invalid="ignore"):
        difference = scores[:, None] - scores[None, :]
    credit = np.where(np.isnan(difference), 0.5, 0.5 + 0.5 * np.sign(difference))
    return float(credit[above].sum() / count)


def spearman(labels: Sequence[float], scores: Scores) -> float | None:
    """Spearman's rank correlation over the scored ones; None with fewer than 3, or where one side is constant."""
    return _correlation("spearmanr", labels, scores)


def kendall(labels: Sequence[float], scores: Scores) -> float | None:
    """Kendall's tau-b over the scored ones; None with fewer than 3, or where one side is constant."""
    return _correlation("kendalltau", labels, scores)


def _correlation(name: str, labels: Sequence[float], scores: Scores) -> float | None:
    from scipy import stats

    known = [(label, score) for label, score in zip(labels, scores, strict=True) if score is not None]
    if len(known) < 3 or len({label for label, _ in known}) < 2 or len({score for _, score in known}) < 2:
        return None
    return float(getattr(stats, name)(*zip(*known, strict=True)).statistic)


def pass_at_k(total: int, correct: int, k: int) -> float:
    """The chance that one of k completions drawn from `total` is correct (arXiv:2107.03374, eq. 1)."""
    if not 0 < k <= total:
        raise ValueError(f"pass@{k} needs at least {k} completions, not {total}")
    return 1.0 - math.comb(total - correct, k) / math.comb(total, k)


def interval(draws: Floats, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap draws."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resamples(count: int, rounds: int, seed: int) -> npt.NDArray[np.int64]:
    """Indices of `rounds` bootstrap resamples of `count` items; the first row is the sample itself."""
    drawn = np.random.default_rng(seed).integers(0, count, size=(rounds, count))
    return np.concatenate([np.arange(count)[None, :], drawn])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
