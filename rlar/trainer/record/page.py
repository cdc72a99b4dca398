"""The report of a run: one HTML file with curves (inline SVG, no network, no script) and the same in Markdown."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlar.rows.atomic import write_errors, write_text_atomic
from rlar.trainer.config import TrainConfig
from rlar.trainer.record.metrics import read_metrics

COLOURS = ("#3b82c4", "#d9822b", "#2e9e5b", "#b0468f", "#7a6bd1", "#8a6d3b", "#c23b3b", "#4aa3a3")
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


def smooth(points: Series, window: int = 9) -> Series:
    """Means over a window that ends at each point."""
    out = []
    for index, (x, _y) in enumerate(points):
        part = [y for _x, y in points[max(0, index - window + 1) : index + 1]]
        out.append((x, math.fsum(part) / len(part)))
    return out


def chart(title: str, curves: dict[str, Series], *, low: float | None = None, high: float | None = None) -> str:
    """An SVG line chart with a legend; empty text when there is nothing to draw."""
    curves = {name: curve for name, curve in curves.items() if curve}
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    bottom, top = min(ys) if low is None else low, max(ys) if high is None else high
    if top <= bottom:
        top = bottom + 1.0
    left, right = min(xs), max(max(xs), min(xs) + 1)

    def place(x: float, y: float) -> str:
        across, up = (x - left) / (right - left), (min(max(y, bottom), top) - bottom) / (top - bottom)
        return f"{50 + 530 * across:.1f},{190 - 170 * up:.1f}"

    lines, legend = [], []
    for number, (name, curve) in enumerate(sorted(curves.items())):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(place(x, y) for x, y in curve)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        legend.append(f'<span><i style="background:{colour}"></i>{html.escape(name)} {curve[-1][1]:.3g}</span>')
    grid = "".join(
        f'<line x1="50" x2="580" y1="{190 - 170 * part:.0f}" y2="{190 - 170 * part:.0f}" class="grid"/>'
        f'<text x="44" y="{194 - 170 * part:.0f}" text-anchor="end">{bottom + (top - bottom) * part:.3g}</text>'
        for part in (0, 0.5, 1)
    )
    ends = f'<text x="50" y="208">{left:g}</text><text x="580" y="208" text-anchor="end">step {right:g}</text>'
    return (
        f'<figure><figcaption>{html.escape(title)}</figcaption><svg viewBox="0 0 600 214" role="img" aria-label="{html.escape(title)}">'
        f'{grid}{ends}{"".join(lines)}</svg><div class="legend">{"".join(legend)}</div></figure>'
    )


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
    return "\n".join(lines) + "\n"


def drift_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What drifted, in the order in which it was found."""
    return [
        f"after {row['step']} steps: {each['task']}: {each['tool']} ({each['kind']}): {each['text']}"
        for row in rows
        for each in row.get("drift") or ()
    ]


def _drift(rows: Sequence[dict[str, Any]]) -> str:
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in drift_lines(rows))
    return f"<h2>Not as at admission</h2><ul>{lines}</ul>" if lines else ""


def _evolution(rows: Sequence[dict[str, Any]]) -> str:
    """What was handed to the agent, and what came of it."""
    lines = []
    for row in (row for row in rows if "evolved" in row):
        told = row["evolved"]
        tools = ", ".join(told["quarantined"]) or "no tool"
        drifted = ", ".join(told.get("drifted") or ()) or "no tool"
        outcome = "the registry changed" if told["changed"] else html.escape(told.get("problem") or "nothing changed")
        lines.append(
            f"<li>after {row['step']} steps: {told['unknown']:,} unknown rows, quarantined: {html.escape(tools)}, "
            f"drifted: {html.escape(drifted)}; {outcome}; "
            f"{told['rows_before']:,} rows to train on before, {told['rows_after']:,} after</li>"
        )
    return f"<h2>Handed to the agent</h2><ul>{''.join(lines)}</ul>" if lines else ""


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
    charts = [
        chart("Accuracy on held-out rows (greedy)", per_task(evaluations, "eval", "accuracy"), low=0, high=1),
        chart("Reward by task (training rollouts, smoothed)", smoothed, low=0, high=1),
        chart("Score by tool", {name: smooth(curve) for name, curve in per_tool(steps).items()}, low=0, high=1),
        chart("Reward minus audit (a growing gap is reward hacking)", per_task(steps, "audit", "gap")),
        chart(
            "Completion length, tokens",
            {label: smooth(curve) for label, curve in per_task(steps, "tasks", "length").items()},
            low=0,
        ),
        chart("Groups a step", groups, low=0),
        chart("Entropy", single("entropy")),
        chart("KL to the reference", single("kl")),
        chart("Repeated words", single("repetition"), low=0),
        chart("Seconds a step", seconds, low=0),
        chart("Tokens a second", single("tokens_per_second"), low=0),
    ]
    table = "".join(
        f"<tr><td>{html.escape(task)}</td><td>{_number(before)}</td><td>{_number(after)}</td><td>{rows}</td></tr>"
        for task, before, after, rows in eval_table(evaluations)
    )
    examples = "".join(
        f"<tr><td>{html.escape(str(item['task']))}</td><td><pre>{html.escape(item['prompt'])}</pre></td>"
        f"<td><pre>{html.escape(item['completion'])}</pre></td><td>{_number(item['reward'])}</td><td>{html.escape(item['why'] or item['status'])}</td></tr>"
        for item in (evaluations[-1].get("examples", []) if evaluations else [])
    )
    statuses = ", ".join(f"{count:,} {status}" for status, count in sorted(_statuses(steps).items()))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>rlar training report</title><style>
:root {{ color-scheme: light dark; --bg:#fff; --fg:#1b1f24; --dim:#5d6672; --line:#d9dee4; }}
@media (prefers-color-scheme: dark) {{ :root {{ --bg:#0f1318; --fg:#e4e8ed; --dim:#9aa4b0; --line:#2c343d; }} }}
body {{ margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1rem; }} figure {{ margin: 0; }}
figcaption {{ font-weight: 600; }} svg {{ width: 100%; height: auto; }} svg text {{ font-size: 11px; fill: var(--dim); }} .grid {{ stroke: var(--line); }}
.legend span {{ margin-right: 1rem; font-size: .85rem; color: var(--dim); }} .legend i {{ display: inline-block; width: .8rem; height: .2rem; margin-right: .3rem; vertical-align: middle; }}
.scroll {{ overflow-x: auto; }} table {{ border-collapse: collapse; width: 100%; }} td, th {{ text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }}
pre {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 13px ui-monospace, monospace; }} .dim {{ color: var(--dim); }}
</style></head><body>
<h1>Training report</h1>
<p class="dim">{html.escape(name)} &middot; {len(steps)} steps &middot; {html.escape(", ".join(config.dataset))} &middot; registry {html.escape(config.registry)} &middot; {config.estimator}, group {config.group_size}, seed {config.seed}</p>
<p>Rewards by status: {html.escape(statuses or "none")}</p>
<div class="scroll"><table><tr><th>task (held-out rows)</th><th>accuracy before</th><th>after</th><th>rows</th></tr>{table}</table></div>
<h2>Curves</h2><div class="charts">{"".join(charts)}</div>
{_drift(rows)}
{_evolution(rows)}
<h2>Completions at the end</h2><div class="scroll"><table><tr><th>task</th><th>prompt</th><th>completion</th><th>reward</th><th>why</th></tr>{examples}</table></div>
</body></html>
"""
