"""Calls a tool and believes nothing: whatever it raises or returns, one valid Score per sample comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlar.errors import boundary
from rlar.tool import RewardTool
from rlar.tools.groups import needs_whole_groups, pieces
from rlar.tools.load import kind_of
from rlar.types import Sample, Score, failed, ok

STATUSES = frozenset({"ok", "abstain", "failed", "timeout"})


def score_checked(tool: RewardTool, samples: Sequence[Sample], *, on_trial: bool = False) -> list[Score]:
    """One valid Score per sample, in order; what is not one is "failed", with what was wrong.

    A batch that raises or has the wrong length is scored again one by one, so that only the culprit fails; group by
    group where the scores of a group hang together.

    Args:
        on_trial: finite numbers stay as they are: what is put right here may not hide from the gate.
    """
    found: Any = boundary(lambda: tool.score(samples), _raised)
    if isinstance(found, list) and len(found) == len(samples):
        return [_valid(tool, score, samples[index], on_trial) for index, score in enumerate(found)]
    smaller = pieces(samples, 1, whole_groups=needs_whole_groups(tool.spec))
    if len(smaller) > 1:
        scores: dict[int, Score] = {}
        for indices in smaller:
            part = score_checked(tool, [samples[index] for index in indices], on_trial=on_trial)
            scores.update(zip(indices, part, strict=True))
        return [scores[index] for index in range(len(samples))]
    if isinstance(found, Score):
        broken = found if found.status == "failed" else failed("returned a bare Score instead of a list of Scores")
    elif isinstance(found, list):
        broken = failed(f"returned {len(found)} scores for {len(samples)} samples")
    else:
        broken = failed(f"returned {type(found).__name__} instead of a list of Scores")
    return [broken] * len(samples)


def _raised(error: Exception) -> Any:
    return failed(f"{type(error).__name__}: {str(error)[:500]}")


def _valid(tool: RewardTool, score: Any, sample: Sample, on_trial: bool) -> Score:
    """The score itself, or what is wrong with it: model_construct and subclasses get around pydantic."""
    if type(score) is not Score:
        return failed(f"returned {type(score).__name__} instead of a Score")
    value, status = score.value, score.status
    if status not in STATUSES:
        return failed(f"returned status {status!r}")
    if (value is None) == (status == "ok"):
        return failed(f"returned value {value!r} with status {status!r}")
    if value is None:
        return score
    if type(value) is not float:
        return failed(f"returned a value of type {type(value).__name__} instead of float")
    if value - value != 0.0:
        return failed(f"returned {value!r}")
    if on_trial:
        return score
    is_bounded = kind_of(tool.spec).is_bounded
    if is_bounded and not 0.0 <= value <= 1.0:
        return failed(f"returned {value!r}, outside [0, 1]")
    if not sample.completion and is_bounded and (value > 0.0 or sample.missing):
        # A prompt that only forbids is not met by silence.
        return ok(0.0, sample.missing or "nothing was answered")
    return score
