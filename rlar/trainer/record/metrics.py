"""What a run writes down each step: a JSON line a step, and numbers for the boards that show them."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlar.foreign import parse_json
from rlar.rows.atomic import write_errors, write_text_atomic
from rlar.text.answer_format import agreed_format
from rlar.trainer.advantage import count_groups
from rlar.trainer.record.boards import Board, flat_numbers
from rlar.trainer.record.checkpoint import CheckpointError
from rlar.trainer.turns import Episode
from rlar.types import Reward

if TYPE_CHECKING:
    from rlar.trainer.collect import RolloutBatch
    from rlar.trainer.update import Update


def task_metrics(
    rewards: Sequence[Reward], labels: dict[str, str], lengths: Sequence[int], texts: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Per task label: mean reward of what was scored, its number, statuses, mean length; mean score and statuses per tool.

    And "searched": the share of completions in no agreed format, in which an answer has to be looked for.
    """
    values: dict[str, list[float]] = defaultdict(list)
    statuses: dict[str, Counter[str]] = defaultdict(Counter)
    sizes: dict[str, list[int]] = defaultdict(list)
    tools: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    calls: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    searched: dict[str, list[float]] = defaultdict(list)
    for reward, length, text in zip(rewards, lengths, texts, strict=True):
        label = labels.get(reward.fingerprint or "", "unknown")
        statuses[label][reward.status] += 1
        sizes[label].append(length)
        searched[label].append(float(agreed_format(text) is None))
        if reward.reward is not None:
            values[label].append(reward.reward)
        for score in reward.scores:
            calls[label][score.tool][score.status] += 1
            if score.value is not None:
                tools[label][score.tool].append(score.value)
    return {
        label: {
            "reward": mean(values[label]),
            "scored": len(values[label]),
            "status": dict(sorted(statuses[label].items())),
            "length": mean(sizes[label]),
            "searched": mean(searched[label]),
            "tools": {tool: mean(scores) for tool, scores in sorted(tools[label].items())},
            "calls": {tool: dict(sorted(counts.items())) for tool, counts in sorted(calls[label].items())},
        }
        for label in sorted(statuses)
    }


def step_metrics(
    step: int, batch: RolloutBatch, update: Update, labels: dict[str, str], *, seconds: float
) -> dict[str, Any]:
    """The row of a step in the log."""
    lengths = batch.rollouts.action_counts_N.tolist()
    row: dict[str, Any] = {
        "step": step,
        "reward": mean([reward.reward for reward in batch.rewards if reward.reward is not None]),
        "tasks": task_metrics(batch.rewards, labels, lengths, batch.rollouts.texts),
        "groups": vars(count_groups(batch.rewards_P_G)),
        "signals": update.signals,
        "loss": update.stats.loss,
        "kl": update.stats.kl,
        "entropy": update.stats.entropy,
        "clip_fraction": update.stats.clip_fraction,
        "gradient_norm": update.gradient_norm,
        "learning_rate": update.learning_rate,
        "length": mean(lengths),
        "finished": float(batch.rollouts.finished_N.float().mean()),
        "repetition": repetition(batch.rollouts.texts),
        "tokens_per_second": sum(lengths) / seconds,
        "seconds": {
            "step": seconds,
            "generate": batch.generate_seconds,
            "score_wait": batch.score_wait_seconds,
            "update": update.seconds,
        },
    }
    if batch.rollouts.episodes is not None:
        row["episodes"] = episode_metrics(batch.rollouts.episodes)
    if update.mismatch is not None:
        row["sampler_mismatch"] = vars(update.mismatch)
    return row


def episode_metrics(episodes: Sequence[Episode]) -> dict[str, Any]:
    """How episodes went: how they ended, turns, tokens of the environment, rewards by turn, and what broke first."""
    turns = [episode.policy_turns for episode in episodes]
    given = [[turn.reward for turn in row if turn.reward is not None] for row in turns]
    by_turn = [
        mean([row[k].reward for row in turns if k < len(row) and row[k].reward is not None])  # type: ignore[misc]
        for k in range(max(map(len, turns), default=0))
    ]
    answers = [turn.end - turn.start for episode in episodes for turn in episode.turns if turn.writer == "environment"]
    problem = next((episode.problem for episode in episodes if episode.broke), None)
    return {
        "status": dict(sorted(Counter(episode.status for episode in episodes).items())),
        "turns": mean([len(row) for row in turns]),
        "environment_tokens": sum(answers) / max(len(episodes), 1),
        "turn_length": mean([turn.end - turn.start for row in turns for turn in row]),
        "rewarded_turns": mean([float(len(row)) for row in given]),
        "turn_rewards": by_turn,
        **({"problem": problem} if problem is not None else {}),
    }


def mean(values: Sequence[float]) -> float | None:
    """The mean, or None of nothing."""
    return math.fsum(values) / len(values) if values else None


def repetition(texts: Sequence[str]) -> float:
    """Share of words that repeat the word before them, over all texts: a cheap alarm for loops."""
    repeated = total = 0
    for text in texts:
        words = text.split()
        total += max(0, len(words) - 1)
        repeated += sum(one == other for one, other in pairwise(words))
    return repeated / total if total else 0.0


class MetricsLog:
    """Appends to `metrics.jsonl` in a folder that exists; a resumed run first drops what it will write again."""

    def __init__(self, folder: Path, *, from_step: int, boards: Sequence[Board] = ()) -> None:
        self.path = folder / "metrics.jsonl"
        with write_errors(self.path, CheckpointError):
            kept = [line for line in self._lines() if _is_before(json.loads(line), from_step)]
            write_text_atomic(self.path, "".join(f"{line}\n" for line in kept))
            self._file = self.path.open("a", encoding="utf-8")
        self._boards = boards

    def _lines(self) -> list[str]:
        if not self.path.exists():
            return []
        return [
            line for line in self.path.read_text("utf-8", "replace").splitlines() if _is_row(line)
        ]  # a kill cuts lines off

    def write(self, row: dict[str, Any]) -> None:
        """One step (or evaluation, which carries "eval")."""
        with write_errors(self.path, CheckpointError):
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._file.flush()
        for board in self._boards:
            board.write(row["step"], flat_numbers(row))

    def close(self) -> None:
        """Close the file and the boards."""
        self._file.close()
        for board in self._boards:
            board.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """All rows of a run's metrics, in order."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8", "replace").splitlines() if _is_row(line)]


def _is_before(row: dict[str, Any], from_step: int) -> bool:
    """Whether a run that goes on with step `from_step` will not write this row again.

    An update's row carries the number of updates before it; what comes between updates, the number that were done.
    """
    step = int(row["step"])
    return step < from_step if "loss" in row else 0 < from_step >= step


def _is_row(line: str) -> bool:
    try:
        row = parse_json(line)
    except ValueError:
        return False
    return isinstance(row, dict) and type(row.get("step")) is int
