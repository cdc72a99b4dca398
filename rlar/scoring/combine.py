"""Pure maths from tool scores to a reward: calibration, gates times qualities, and the group-normalised alternative.

What each outcome does to the reward; the first line that applies decides:

1. A gate's calibrated score is below 0.5: reward 0.0, whatever else broke. No other score could change it.
2. A gate or a quality failed or ran out of time: no reward, status "failed", else "timeout". The mean of the other
   qualities would be on another scale, and inside a group that difference speaks of the crash, not of the completion.
3. A gate abstains: it does not block, and the reward says so.
4. No qualities: 1.0 if some gate passed; status "abstain" if every gate abstained.
5. Every quality abstains: no reward, status "abstain".
6. The weighted mean of the qualities that have a value. (Abstaining depends on the row, not on the completion, so
   a group shares the scale.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import fsum, sqrt

from rlar.types import Calibration, Recipe, Reward, Score, ScoreStatus, ToolScore

GATE_THRESHOLD = 0.5
IDENTITY = Calibration()


def calibrate(calibration: Calibration, raw: float) -> float:
    """A raw score on the task's [0, 1] scale: linear between the knots, flat outside them."""
    xs, ys = calibration.x, calibration.y
    right = bisect_right(xs, raw)
    if right == 0:
        return ys[0]
    if right == len(xs):
        return ys[-1]
    left = right - 1
    share = (raw - xs[left]) / (xs[right] - xs[left])
    return ys[left] + share * (ys[right] - ys[left])


def tool_score(tool_id: str, score: Score, calibration: Calibration = IDENTITY) -> ToolScore:
    """One tool's score with its calibrated value; a score without a value keeps its status and its reason."""
    return ToolScore(
        tool=tool_id,
        value=calibrate(calibration, score.value) if score.value is not None else None,
        status=score.status,
        explanation=score.error or score.explanation,
        raw=score.value,
        details=score.details,
    )


def combine(recipe: Recipe, scores: Mapping[str, ToolScore]) -> Reward:
    """The reward of one completion: gates times the weighted mean of the qualities, by the table above.

    Args:
        scores: by tool id; a tool of the recipe that is missing counts as failed. Tools outside the recipe are listed
            in the reward and change nothing.
    """
    by_tool = _needed(recipe, scores)
    gates = [by_tool[tool] for tool in recipe.gates]
    reward, status = _combined(gates, [(by_tool[tool], weight) for tool, weight in recipe.qualities])
    return _reward(recipe, reward, status, by_tool, scores)


def combine_group(recipe: Recipe, group: Sequence[Mapping[str, ToolScore]]) -> list[Reward]:
    """The rewards of the completions of one prompt, by the sum of z-scores instead of calibrated values.

    Every quality is normalised among the completions of the group (`group_z_sum`) and weighted; every gate adds the
    z-score of having passed. A completion that a gate rejects counts with the lowest score that the group has from each
    quality: a quality cannot make up for a gate. So no tool's scale matters: a positive affine change of a quality's raw
    scores changes nothing.

    A completion on which a needed tool broke gets no reward and moves no mean, unless a gate rejected it anyway.

    Returns:
        One Reward per completion, in order; numbers are centred on 0 and not bounded to [0, 1].
    """
    tables = [_needed(recipe, scores) for scores in group]
    fates = [
        _combined(
            [by_tool[tool] for tool in recipe.gates], [(by_tool[tool], weight) for tool, weight in recipe.qualities]
        )
        for by_tool in tables
    ]
    counts = [status == "ok" for _reward, status in fates]
    rejected = [any(_rejects(by_tool[tool]) for tool in recipe.gates) for by_tool in tables]
    columns: dict[str, list[ToolScore]] = {}
    weights: dict[str, float] = {}
    for tool in recipe.gates:
        columns["gate " + tool] = [
            _stand_in(by_tool[tool], None if by_tool[tool].value is None else float(not _rejects(by_tool[tool])))
            for by_tool in tables
        ]
        weights["gate " + tool] = 1.0
    for tool, weight in recipe.qualities:
        counted = [
            _raw(by_tool[tool])
            for by_tool, is_counted, is_rejected in zip(tables, counts, rejected, strict=True)
            if is_counted and not is_rejected and by_tool[tool].value is not None
        ]
        lowest = min(counted) if counted else None
        columns[tool] = [
            _stand_in(by_tool[tool], lowest) if is_rejected else by_tool[tool]
            for by_tool, is_rejected in zip(tables, rejected, strict=True)
        ]
        weights[tool] = weight
    # What broke on a completion that a gate rejected changes nothing.
    masked = {
        tool: [
            score if is_counted else _stand_in(score, None) for score, is_counted in zip(column, counts, strict=True)
        ]
        for tool, column in columns.items()
    }
    sums = group_z_sum(masked, weights)
    return [
        _reward(recipe, total if is_counted else None, status, by_tool, scores)
        for total, is_counted, (_value, status), by_tool, scores in zip(sums, counts, fates, tables, group, strict=True)
    ]


def _stand_in(score: ToolScore, raw: float | None) -> ToolScore:
    """A score with another raw value; None: as if the tool had abstained."""
    return ToolScore(tool=score.tool, value=raw, status="abstain" if raw is None else "ok", raw=raw)


def _needed(recipe: Recipe, scores: Mapping[str, ToolScore]) -> dict[str, ToolScore]:
    """The recipe's tools with their scores, gates first; a tool that was not run has failed."""
    by_tool: dict[str, ToolScore] = {}
    for tool in recipe.gates:
        by_tool[tool] = scores.get(tool) or _missing(tool)
    for tool, _weight in recipe.qualities:
        by_tool[tool] = scores.get(tool) or _missing(tool)
    return by_tool


def _reward(
    recipe: Recipe,
    reward: float | None,
    status: ScoreStatus,
    by_tool: dict[str, ToolScore],
    scores: Mapping[str, ToolScore],
) -> Reward:
    for tool in recipe.gates:
        if by_tool[tool].status == "abstain":
            explanation = by_tool[tool].explanation
            note = f"gate abstains and does not block{': ' + explanation if explanation else ''}"
            by_tool[tool] = by_tool[tool].model_copy(update={"explanation": note})
    listed = (*by_tool.values(), *[score for tool, score in scores.items() if tool not in by_tool])
    return Reward(
        reward=reward,
        status=status,
        fingerprint=recipe.fingerprint,
        recipe_version=recipe.version,
        scores=listed,
    )


def _rejects(gate: ToolScore) -> bool:
    return gate.value is not None and gate.value < GATE_THRESHOLD


def _combined(gates: list[ToolScore], qualities: list[tuple[ToolScore, float]]) -> tuple[float | None, ScoreStatus]:
    for gate in gates:
        if _rejects(gate):
            return 0.0, "ok"
    if broken := _broken(gates) or _broken([score for score, _weight in qualities]):
        return None, broken
    if not qualities:
        return (1.0, "ok") if any(gate.value is not None for gate in gates) else (None, "abstain")
    valued = [(score.value, weight) for score, weight in qualities if score.value is not None]
    if not valued:
        return None, "abstain"
    mean = fsum([value * weight for value, weight in valued]) / fsum([weight for _value, weight in valued])
    return min(1.0, max(0.0, mean)), "ok"


def _broken(scores: Sequence[ToolScore]) -> ScoreStatus | None:
    status: ScoreStatus | None = None
    for score in scores:
        if score.status == "failed":
            return "failed"
        if score.status == "timeout":
            status = "timeout"
    return status


def _missing(tool: str) -> ToolScore:
    return ToolScore(tool=tool, value=None, status="failed", explanation="the tool was not run")


def group_z_sum(
    scores: Mapping[str, Sequence[ToolScore]], weights: Mapping[str, float] | None = None
) -> list[float | None]:
    """Normalise each tool inside the group, then sum: the alternative to calibrating first.

    Each tool's raw scores become z-scores (population standard deviation) among the completions that count, so that a
    positive affine change of a tool changes nothing. A completion that any tool failed on gets None and moves no
    tool's mean. A tool that abstains on a completion adds 0 there, its mean; one that scores all alike adds 0.

    Args:
        scores: tool id -> one score per completion of the group.
        weights: by tool id; default 1 each.

    Returns:
        One number per completion, centred on 0 where no tool abstains; None where a tool failed or none could tell.
    """
    sizes = {len(row) for row in scores.values()}
    if len(sizes) > 1:
        raise ValueError(f"every tool needs one score per completion; got {sorted(sizes)} scores")
    size = sizes.pop() if sizes else 0
    counts = [_broken([row[index] for row in scores.values()]) is None for index in range(size)]
    sums: list[float | None] = [None] * size
    for tool, row in scores.items():
        weight = 1.0 if weights is None else weights[tool]
        values = {index: _raw(row[index]) for index in range(size) if counts[index] and row[index].status == "ok"}
        if not values:
            continue
        mean = fsum(values.values()) / len(values)
        deviation = sqrt(fsum((value - mean) ** 2 for value in values.values()) / len(values))
        # Rounding leaves a tiny deviation where all are equal; dividing by it would invent a signal.
        is_flat = deviation <= 1e-12 * max(1.0, abs(mean), *(abs(value) for value in values.values()))
        for index, value in values.items():
            z = 0.0 if is_flat else (value - mean) / deviation
            sums[index] = (sums[index] or 0.0) + weight * z
    return sums


def _raw(score: ToolScore) -> float:
    value = score.raw if score.raw is not None else score.value
    assert value is not None, score
    return value
