"""The report of a run: one HTML file with curves (inline SVG, no network, no script) and the same in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from rlar.report import charts
from rlar.report.page import Block, html, shell, shown
from rlar.rows.atomic import write_errors, write_text_atomic
from rlar.trainer.config import TrainConfig
from rlar.trainer.record.metrics import read_metrics

Series = list[tuple[float, float]]


def write_report(folder: Path, config: TrainConfig) -> Path:
    """`report.html` and `report.md` from the run's metrics; returns the path of the page."""
    rows = read_metrics(folder)
    steps = [row for row in rows if "loss" in row]
    evaluations = [row for row in rows if "eval" in row]
    page = _page(folder.name, config, steps, evaluations, rows)
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_text_atomic(folder / "report.md", _markdown(folder.name, steps, evaluations, rows))
    target = folder / "report.html"
    write_text_atomic(target, page)
    return target


def per_task(rows: Sequence[dict[str, Any]], outer: str, key: str) -> dict[str, Series]:
    """Curves of one number by task: {label: [(step, value), ...]}."""
    curves: dict[str, Series] = {}
    for row in rows:
        for label, values in (row.get(outer) or {}).items():
            if values.get(key) is not None:
                curves.setdefault(label, []).append((row["step"], values[key]))
    return curves


def per_tool(rows: Sequence[dict[str, Any]]) -> dict[str, Series]:
    """Mean score of every tool on every task over the steps."""
    curves: dict[str, Series] = {}
    for row in rows:
        for label, values in row["tasks"].items():
            for tool, score in values["tools"].items():
                if score is not None:
                    curves.setdefault(f"{label}: {tool}", []).append((row["step"], score))
    return curves


def per_signal(rows: Sequence[dict[str, Any]]) -> dict[str, Series]:
    """Mean of every signal over the steps."""
    curves: dict[str, Series] = {}
    for row in rows:
        for name, value in row.get("signals", {}).items():
            if value is not None:
                curves.setdefault(name, []).append((row["step"], value))
    return curves


def episode_ends(steps: Sequence[dict[str, Any]]) -> dict[str, Series]:
    """Share of a step's episodes by how they ended; nothing where there is no environment."""
    counts = [(row["step"], row["episodes"]["status"]) for row in steps if "episodes" in row]
    every = {status for _step, count in counts for status in count}
    return {
        status: smooth([(step, count.get(status, 0) / sum(count.values())) for step, count in counts])
        for status in every
    }


def _of_episodes(steps: Sequence[dict[str, Any]], key: str) -> dict[str, Series]:
    points = [(row["step"], row["episodes"][key]) for row in steps if row.get("episodes", {}).get(key) is not None]
    return {key.replace("_", " "): smooth(points)} if points else {}


def smooth(points: Series, window: int = 9) -> Series:
    """Means over a window that ends at each point."""
    out = []
    for index, (x, _y) in enumerate(points):
        part = [y for _x, y in points[max(0, index - window + 1) : index + 1]]
        out.append((x, math.fsum(part) / len(part)))
    return out


def chart(title: str, curves: dict[str, Series], *, low: float | None = None, high: float | None = None) -> str:
    """A line chart over the steps; empty text when there is nothing to draw."""
    return charts.lines(title, dict(sorted(curves.items())), x_name="step", low=low, high=high, last=True)


def eval_table(evaluations: Sequence[dict[str, Any]]) -> list[tuple[str, float | None, float | None, int]]:
    """(task, accuracy before, accuracy after, rows) of the first and the last evaluation."""
    if not evaluations:
        return []
    first, last = evaluations[0]["eval"], evaluations[-1]["eval"]
    return [
        (name, first.get(name, {}).get("accuracy"), last[name]["accuracy"], last[name]["rows"]) for name in sorted(last)
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _statuses(steps: Sequence[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in steps:
        for values in row["tasks"].values():
            for status, count in values["status"].items():
                counts[status] = counts.get(status, 0) + count
    return counts


def _markdown(
    name: str,
    steps: Sequence[dict[str, Any]],
    evaluations: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, Any]],
) -> str:
    lines = [f"# Training report: {name}", "", f"{len(steps)} steps", ""]
    table = eval_table(evaluations)
    if table:
        lines += ["| task | before | after | rows |", "|---|---:|---:|---:|"]
        lines += [f"| {task} | {_number(before)} | {_number(after)} | {rows} |" for task, before, after, rows in table]
    lines += [
        "",
        "Rewards by status: " + ", ".join(f"{count:,} {status}" for status, count in sorted(_statuses(steps).items())),
    ]
    drifts = drift_lines(rows)
    if drifts:
        lines += ["", "Not as at admission:", "", *(f"- {line}" for line in drifts)]
    if collapses := collapse_lines(rows):
        lines += ["", "Signs of collapse:", "", *(f"- {line}" for line in collapses)]
    return "\n".join(lines) + "\n"


def drift_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What drifted, in the order in which it was found."""
    return [
        f"after {row['step']} steps: {each['task']}: {each['tool']} ({each['kind']}): {each['text']}"
        for row in rows
        for each in row.get("drift") or ()
    ]


def collapse_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Signs that a policy pleases its own signals only, in the order in which they were found."""
    return [f"after {row['step']} steps: {sign['text']}" for row in rows for sign in row.get("collapse") or ()]


def _evolution(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What was handed to the agent, and what came of it."""
    lines = []
    for row in (row for row in rows if "evolved" in row):
        evolution = row["evolved"]
        tools = ", ".join(evolution["quarantined"]) or "no tool"
        drifted = ", ".join(evolution.get("drifted") or ()) or "no tool"
        outcome = "the registry changed" if evolution["changed"] else evolution.get("problem") or "nothing changed"
        lines.append(
            f"after {row['step']} steps: {evolution['unknown']:,} unknown rows, quarantined: {tools}, drifted: {drifted}; {outcome}; "
            f"{evolution['rows_before']:,} rows to train on before, {evolution['rows_after']:,} after"
        )
    return lines


def _page(
    name: str,
    config: TrainConfig,
    steps: Sequence[dict[str, Any]],
    evaluations: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, Any]],
) -> str:
    single = lambda key: {key: smooth([(row["step"], row[key]) for row in steps if row.get(key) is not None])}  # noqa: E731
    seconds = {
        part: smooth([(row["step"], row["seconds"][part]) for row in steps])
        for part in ("generate", "score_wait", "update")
    }
    groups = {
        part: smooth([(row["step"], row["groups"][part]) for row in steps])
        for part in ("informative", "zero_variance", "too_few")
    }
    smoothed = {label: smooth(curve) for label, curve in per_task(steps, "tasks", "reward").items()}
    unit = all(0 <= value <= 1 for curve in smoothed.values() for _step, value in curve)  # an environment's may be any
    bounds = {"low": 0.0, "high": 1.0} if unit else {}
    curves = [
        chart("Accuracy on held-out rows (greedy)", per_task(evaluations, "eval", "accuracy"), low=0, high=1),
        chart("Reward by task (training rollouts, smoothed)", smoothed, **bounds),
        chart("Score by tool", {name: smooth(curve) for name, curve in per_tool(steps).items()}, **bounds),
        chart("Reward minus audit (a growing gap is reward hacking)", per_task(steps, "audit", "gap")),
        chart(
            "Completion length, tokens",
            {label: smooth(curve) for label, curve in per_task(steps, "tasks", "length").items()},
            low=0,
        ),
        chart(
            "Completions in no agreed format, whose answer had to be looked for",
            {label: smooth(curve) for label, curve in per_task(steps, "tasks", "searched").items()},
            low=0,
            high=1,
        ),
        chart("How episodes ended (share)", episode_ends(steps), low=0, high=1),
        chart("Turns of an episode", _of_episodes(steps, "turns"), low=0),
        chart("Tokens of the environment in an episode", _of_episodes(steps, "environment_tokens"), low=0),
        chart("Groups a step", groups, low=0),
        chart("Entropy", single("entropy")),
        chart("Signals (mean of a step, smoothed)", {name: smooth(curve) for name, curve in per_signal(steps).items()}),
        chart("KL to the reference", single("kl")),
        chart("Repeated words", single("repetition"), low=0),
        chart("Seconds a step", seconds, low=0),
        chart("Tokens a second", single("tokens_per_second"), low=0),
    ]
    examples = [
        (item["task"], item["prompt"], item["completion"], item["reward"], item["why"] or item["status"])
        for item in (evaluations[-1].get("examples", []) if evaluations else [])
    ]
    statuses = ", ".join(f"{count:,} {status}" for status, count in sorted(_statuses(steps).items()))
    about = (
        f"{name} \u00b7 {len(steps)} steps \u00b7 {', '.join(config.dataset)} \u00b7 registry {config.registry} \u00b7 "
        f"{config.estimator}, group {config.group_size}, seed {config.seed}"
    )
    columns = ("task", "prompt", "completion", "reward", "why")
    blocks = [
        Block(
            lines=[f"Rewards by status: {statuses or 'none'}"],
            columns=("task (held-out rows)", "accuracy before", "after", "rows"),
            rows=eval_table(evaluations),
        ),
        Block("Curves", charts=curves, grid=True),
        Block("Not as at admission", drift_lines(rows)),
        Block("Signs of collapse", collapse_lines(rows)),
        Block("Handed to the agent", _evolution(rows)),
        Block("Completions at the end", columns=columns, rows=examples, texts=("prompt", "completion")),
    ]
    return shell("rlar training report", f'<p class="dim">{escape(about)}</p>\n{html(shown(blocks))}')
