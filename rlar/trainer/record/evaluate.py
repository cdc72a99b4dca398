"""How good the policy is on held-out rows, per task, with example completions; and the audit of a batch."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rlar.trainer.collect import RolloutBatch
from rlar.trainer.record.audit import Auditor
from rlar.trainer.record.metrics import mean
from rlar.types import TaskSpec

RIGHT_ABOVE = 0.5
"""A reward above this counts as right in the accuracy."""
SHOWN = 12
"""Example completions of an evaluation."""
SHOWN_CHARACTERS = 400
AUDITED_GROUPS = 8
"""Of a task, each time."""


def task_labels(tasks: list[TaskSpec]) -> dict[str, str]:
    """A different readable name for every fingerprint."""
    count = Counter(task.label for task in tasks)
    return {
        task.fingerprint: task.label if count[task.label] == 1 else f"{task.label} ({task.fingerprint[-6:]})"
        for task in tasks
    }


def evaluation(batch: RolloutBatch, labels: dict[str, str]) -> dict[str, Any]:
    """Per task the mean reward, the share above one half and how many were scored; and completions to read."""
    values: dict[str, list[float]] = {}
    rows: Counter[str] = Counter()
    for row, reward in zip(batch.rows, batch.rewards, strict=True):
        label = labels[str(row.fingerprint)]
        rows[label] += 1
        values.setdefault(label, [])
        if reward.reward is not None:
            values[label].append(reward.reward)
    found: dict[str, dict[str, Any]] = {
        label: {
            "reward": mean(scored),
            "accuracy": mean([float(value > RIGHT_ABOVE) for value in scored]),
            "rows": len(scored),
            "unscored": rows[label] - len(scored),
        }
        for label, scored in sorted(values.items())
    }
    triples = list(zip(batch.rows, batch.rollouts.texts, batch.rewards, strict=True))
    examples = [
        {
            "task": labels[str(row.fingerprint)],
            "prompt": row.example.text[:SHOWN_CHARACTERS],
            "completion": text[:SHOWN_CHARACTERS],
            "reward": reward.reward,
            "status": reward.status,
            "why": "; ".join(score.explanation for score in reward.scores if score.explanation)[:200],
        }
        for row, text, reward in triples[:: max(1, -(-len(triples) // SHOWN))]
    ]
    macro = mean([entry["accuracy"] for entry in found.values() if entry["accuracy"] is not None])
    return {"eval": found, "eval_macro": macro, "examples": examples}


def audit(batch: RolloutBatch, auditor: Auditor, labels: dict[str, str]) -> dict[str, Any]:
    """Reward beside audit on a few groups of every task that has an audit tool, by label."""
    taken: Counter[str] = Counter()
    chosen: list[int] = []
    for group, row in enumerate(batch.rows):
        task = row.fingerprint
        if task is not None and task in auditor.fingerprints and taken[task] < AUDITED_GROUPS:
            taken[task] += 1
            chosen.append(group)
    if not chosen:
        return {}
    part = batch.groups(chosen)
    examples = [row.example for row in part.rows for _ in range(part.rollouts.group_size)]
    gaps = auditor.compare(examples, part.rollouts.texts, part.rewards)
    return {
        labels[fingerprint]: {
            "tool": gap.tool,
            "reward": gap.reward,
            "audit": gap.audit,
            "gap": gap.gap,
            "samples": gap.samples,
        }
        for fingerprint, gap in gaps.items()
    }
