"""What a report shows of each kind of result: tables and charts, before they become HTML or Markdown.

A result -> report.html (one self-contained file), report.md and report.json. Everything from outside is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from rlar.report import charts as svg
from rlar.rows.atomic import write_errors, write_text_atomic
from rlar.types import JsonObject


@dataclass
class Block:
    """One section of a report."""

    title: str = ""
    lines: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    kinds: Sequence[str] = ()
    """One CSS class a row."""
    numeric: Sequence[str] = ()
    charts: Sequence[str] = field(default_factory=list)


def blocks_of(result: JsonObject) -> list[Block]:
    """The sections of a result, whatever its kind."""
    found = _KINDS[result["record"]["kind"]](result)
    return [block for block in found if block.lines or block.rows or any(block.charts)]


REWARD_COLUMNS = ("system", "accuracy", "95% interval", "coverage", "failed", "seconds", "tokens")
NUMBERS = ("accuracy", "95% interval", "coverage", "failed", "seconds", "tokens")


def _rewards(result: JsonObject) -> list[Block]:
    overall = result["overall"]
    found = [
        Block(
            "All sets",
            [
                "Macro average over the sets. A missing reward counts one half in a pair (1/n in best-of-n); "
                "coverage is the share of completions that got a number. Bounds know the labels.",
                *result["notes"],
            ],
            REWARD_COLUMNS,
            [[row["system"], row["value"], _interval(row), *(row[name] for name in REWARD_COLUMNS[3:])] for row in overall],
            [row["kind"] for row in overall],
            NUMBERS,
            [svg.intervals("Accuracy, macro average over sets", [(row["system"], row["value"], row["low"], row["high"], row["kind"]) for row in overall])],
        )
    ]  # fmt: skip
    for each in result["sets"]:
        rows = each["systems"]
        routed = ", ".join(f"{name} {count}" for name, count in list(each["routed_to"].items())[:8])
        statuses = ", ".join(f"{count} {name}" for name, count in each["statuses"].items())
        charts = [
            svg.intervals(
                f"{each['set']}: accuracy with 95% bootstrap interval",
                [(row["system"], row["value"], row["low"], row["high"], row["kind"]) for row in rows if row["value"] is not None],
            )
        ]  # fmt: skip
        router = next(row for row in rows if row["system"] == "router")
        if len(router["subsets"]) > 1:
            charts.append(svg.bars(f"{each['set']}: router by subset", list(router["subsets"].items())[:40], top=1.0))
        charts += _style_charts(router["extras"])
        found.append(
            Block(
                each["set"],
                [f"{each['items']} prompts, {each['completions']} completions ({each['layout']} layout). Routed to: {routed}. Rewards: {statuses}."],
                REWARD_COLUMNS,
                [[row["system"], row["value"], _interval(row), row["coverage"], row["failed"], row["seconds"], row["tokens"]] for row in rows],
                [row["kind"] for row in rows],
                NUMBERS,
                charts,
            )
        )  # fmt: skip
        extras = [(row["system"], name, value) for row in rows for name, value in row["extras"].items() if not name.startswith("style ")]  # fmt: skip
        if extras:
            found.append(Block("", [], ("system", "measure", "value"), extras, numeric=("value",)))
    return found


def _style_charts(extras: JsonObject) -> list[str]:
    cells: dict[str, dict[tuple[int, int], float]] = {}
    for name, value in extras.items():
        if name.startswith("style "):
            _, place, subset = name.split(" ", 2)
            i, j = place.split("x")
            cells.setdefault(subset, {})[int(i), int(j)] = value
    charts = []
    for subset, found in cells.items():
        size = max(i for i, _ in found) + 1
        names = ("concise", "plain", "markdown") if size == 3 else [str(index) for index in range(size)]
        grid = [[found[i, j] for j in range(size)] for i in range(size)]
        charts.append(svg.heat(f"{subset}: chosen style (rows) against rejected style", names, names, grid))
    return charts


def _interval(row: JsonObject) -> str:
    return "-" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"


def _gate(result: JsonObject) -> list[Block]:
    tools = result["tools"]
    checks = result["killed_by"]
    return [
        Block(
            "Mutants",
            [
                f"{result['killed']} of {result['counted']} mutants that change a verdict were rejected "
                f"({result['share']:.1%}); {result['equivalent']} changed nothing that was looked at; "
                f"{result['broken']} could not be made.",
                *_by_labels(result.get("labelled")),
                f"Tools rejected without a mutation: {len(result['false_rejections'])}.",
            ],
            ("tool", "task", "changing mutants", "killed", "unmutated tool", "survivors"),
            [[row["tool"], row["task"], row["counted"], row["killed"], "admitted" if row["admitted"] else "REJECTED", ", ".join(row["survivors"]) or "-"] for row in tools],
            numeric=("changing mutants", "killed"),
            charts=[
                svg.bars("Share of verdict-changing mutants that the gate kills", [(f"{row['tool']}: {row['task']}", row["killed"] / row["counted"]) for row in tools if row["counted"]], top=1.0),
                svg.bars("Which check killed (a mutant may fail several)", sorted(checks.items(), key=lambda item: -item[1])),
            ],
        ),
        Block("Every mutant", [], ("tool", "task", "mutant", "verdict", "killed by"),
              [[m["tool"], m["task"], m["mutant"], m["verdict"], m["why"]] for m in result["mutants"]]),
    ]  # fmt: skip


def _by_labels(found: JsonObject | None) -> list[str]:
    if not found or not found["counted"]:
        return []
    lines = [f"Of the {found['counted']} that change a verdict on labelled completions {found['killed']} were rejected ({found['share']:.1%})."]  # fmt: skip
    return [*lines, f"These were not: {'; '.join(found['survivors'])}."] if found["survivors"] else lines


def _simulate(result: JsonObject) -> list[Block]:
    curve = {"router's regret": [(row["rows"], row["regret"]) for row in result["regret"]]}
    order = result["order"]
    return [
        Block(
            "Tools of known accuracy",
            [
                f"{result['seeds']} seeds, {result['subsets']} subsets, {result['tools']} tools, {result['items']} items a subset. "
                f"random < best static < router <= oracle held on {result['held']} of {result['seeds']} seeds."
            ],
            ("system", "mean accuracy", "lowest", "highest"),
            [[row["system"], row["mean"], row["low"], row["high"]] for row in order],
            numeric=("mean accuracy", "lowest", "highest"),
            charts=[svg.intervals("Accuracy over seeds (range)", [(row["system"], row["mean"], row["low"], row["high"], "router" if row["system"] == "router" else "bound" if "oracle" in row["system"] else "tool") for row in order])],
        ),
        Block("Regret against probe rows", ["Oracle accuracy minus router accuracy, mean over seeds."], ("probe rows", "regret"),
              [[row["rows"], row["regret"]] for row in result["regret"]], numeric=("probe rows", "regret"),
              charts=[svg.lines("Regret of the router", curve, x_name="probe rows a task", y_name="accuracy lost", log_x=True)]),
    ]  # fmt: skip


def _discovery(result: JsonObject) -> list[Block]:
    scores = result["scores"]
    return [
        Block("Discovery", result["lines"], ("measure", "value"), [[name, value] for name, value in scores.items()], numeric=("value",)),
        Block("True tasks", [], ("true task", "rows", "assigned", "to the right task", "largest wrong task"),
              [[row["task"], row["rows"], row["assigned"], row["right"], row["wrong"] or "-"] for row in result["tasks"]],
              numeric=("rows", "assigned", "to the right task"),
              charts=[svg.bars("Share of rows in a task whose majority is theirs", [(row["task"], row["right"]) for row in result["tasks"]], top=1.0)]),
        Block("Leave one task out", ["The router is fitted without the task; its rows should be unknown, or in a task judged the same way."] if result["left_out"] else [],
              ("true task", "rows", "unknown", "same kind of judging", "wrong"),
              [[row["task"], row["rows"], row["unknown"], row["same"], row["wrong"]] for row in result["left_out"]], numeric=("rows", "unknown", "same kind of judging", "wrong")),
    ]  # fmt: skip


def _tool(result: JsonObject) -> list[Block]:
    charts = []
    if result["calibration"]:
        charts.append(
            svg.lines(
                "Calibration: share of good answers by score",
                {
                    "observed": [(row["score"], row["good"]) for row in result["calibration"]],
                    "ideal": [(0.0, 0.0), (1.0, 1.0)],
                },
                x_name="score",
                y_name="share good",
            )
        )
    for name, rows in result["histograms"].items():
        charts.append(svg.bars(f"Scores of {name}", [(row["bin"], row["share"]) for row in rows], top=1.0))
    return [
        Block(f"{result['tool']} on {result['task']}", result["lines"], ("measure", "value"), list(result["profile"].items()), numeric=("value",), charts=charts),
        Block("Sensitivity", ["Mean change of the score when only the dress of a completion changes, and how often the verdict flips."],
              ("change", "completions", "mean change", "flips"), [[row["change"], row["count"], row["mean"], row["flips"]] for row in result["sensitivity"]], numeric=("completions", "mean change", "flips")),
        Block("Certificate", [], ("check", "passed", "value", "threshold", "note"), [[row["name"], row["passed"], row["value"], row["threshold"], row["note"][:200]] for row in result["checks"]], numeric=("value", "threshold")),
    ]  # fmt: skip


def _policy(result: JsonObject) -> list[Block]:
    rows = result["tasks"]
    curves = {row["task"]: [(float(k), value) for k, value in row["pass_at"].items()] for row in rows if row["pass_at"]}
    columns = ["task", "prompts", "completions", "mean reward", "passed", "coverage", "second", "agreement"]
    return [
        Block("Completions by task", result["lines"], columns,
              [[row["task"], row["prompts"], row["completions"], row["mean"], row["passed"], row["coverage"], row["second"], row["agreement"]] for row in rows],
              numeric=columns[1:], charts=[svg.lines("pass@k", curves, x_name="k", y_name="pass@k", log_x=True)] if curves else []),
    ]  # fmt: skip


_KINDS: dict[str, Callable[[JsonObject], list[Block]]] = {
    "rewards": _rewards,
    "gate": _gate,
    "simulate": _simulate,
    "discovery": _discovery,
    "tool": _tool,
    "policy": _policy,
}


STYLE = """
:root{--ink:#1c2330;--soft:#5b6577;--paper:#fff;--panel:#f5f7fa;--line:#d9dee7;--accent:#1f6feb;--tool:#7a869a;
--bound:#b35900;--ablation:#8250df;--c0:#1f6feb;--c1:#b35900;--c2:#1a7f37;--c3:#8250df;--c4:#bf3989;--c5:#6e7781}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf1;--soft:#9aa5b6;--paper:#12161d;--panel:#1b212b;--line:#323b49;
--accent:#6cb0ff;--tool:#8b97ab;--bound:#f0a04b;--ablation:#c09bff;--c0:#6cb0ff;--c1:#f0a04b;--c2:#4fc26f;--c3:#c09bff;--c4:#f08cc4;--c5:#9aa5b6}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:980px;margin:0 auto;padding:20px 14px 60px}h1{font-size:1.5rem;margin:.2em 0}h2{margin:1.8em 0 .4em;font-size:1.15rem}
p.lead{color:var(--soft);margin:.2em 0}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.86rem;width:100%}
th,td{padding:4px 8px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.router td{font-weight:600;color:var(--accent)}tr.bound td{color:var(--bound)}tr.ablation td{color:var(--ablation)}
figure{margin:14px 0;background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px}figcaption{font-weight:600;font-size:.9rem;margin-bottom:4px}
svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:var(--ink)}svg .tick{fill:var(--soft)}svg .grid{stroke:var(--line)}
svg .mark{stroke:var(--soft);stroke-dasharray:4 3}svg .bar{stroke:var(--tool);stroke-width:3}svg .dot{fill:var(--tool)}
svg .router{fill:var(--accent);stroke:var(--accent)}svg .bound{fill:var(--bound);stroke:var(--bound)}svg .ablation{fill:var(--ablation);stroke:var(--ablation)}
svg text.router,svg text.bound,svg text.ablation{stroke:none}svg .block{fill:var(--accent)}svg .cell{fill:var(--ink);font-weight:600}
svg .curve{fill:none;stroke-width:2}svg .c0{stroke:var(--c0)}svg .c1{stroke:var(--c1)}svg .c2{stroke:var(--c2)}svg .c3{stroke:var(--c3)}svg .c4{stroke:var(--c4)}svg .c5{stroke:var(--c5)}
svg .point{stroke:none}svg .point.c0,svg .legend.c0{fill:var(--c0);stroke:none}svg .point.c1,svg .legend.c1{fill:var(--c1);stroke:none}svg .point.c2,svg .legend.c2{fill:var(--c2);stroke:none}
svg .point.c3,svg .legend.c3{fill:var(--c3);stroke:none}svg .point.c4,svg .legend.c4{fill:var(--c4);stroke:none}svg .point.c5,svg .legend.c5{fill:var(--c5);stroke:none}
code,pre{font-size:.82rem;background:var(--panel);border-radius:4px}pre{padding:10px;overflow-x:auto;white-space:pre-wrap;word-break:break-word}
@media(max-width:600px){main{padding:12px 8px 40px}table{font-size:.78rem}th,td{padding:3px 5px}}
"""


def write_report(result: JsonObject, folder: str | Path) -> Path:
    """`report.html`, `report.md` and `report.json` in a folder (made if needed); returns the page."""
    target = Path(folder)
    with write_errors(target):
        target.mkdir(parents=True, exist_ok=True)
    found = blocks_of(result)
    for name, text in (
        ("report.json", json.dumps(result, ensure_ascii=False, indent=1)),
        ("report.md", markdown(result, found)),
        ("report.html", page(result, found)),
    ):
        write_text_atomic(target / name, text)
    return target / "report.html"


def page(result: JsonObject, blocks: Sequence[Block]) -> str:
    """The report as one HTML file: no script, no link to anywhere."""
    record = result["record"]
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width,initial-scale=1"><meta name=color-scheme content="light dark">',
        '<link rel=icon href="data:,">',
        f"<title>rlar eval {escape(record['kind'])}</title><style>{STYLE}</style></head><body><main>",
        f"<h1>rlar eval {escape(record['kind'])}</h1>",
        f"<p class=lead>{escape(record['created_at'])}, rlar {escape(record['rlar'])}, seed {record['seed']}</p>",
    ]
    for block in blocks:
        parts.append(f"<h2>{escape(block.title)}</h2>" if block.title else "")
        parts += [f"<p>{escape(line)}</p>" for line in block.lines]
        parts += [str(chart) for chart in block.charts]
        if block.rows:
            parts.append(_table(block))
    shown = json.dumps(record, ensure_ascii=False, indent=1)
    parts.append(f"<h2>Record</h2><pre>{escape(shown)}</pre></main></body></html>")
    return "\n".join(part for part in parts if part)


def _table(block: Block) -> str:
    def cell(value: Any, tag: str, name: str) -> str:
        kind = ' class="n"' if name in block.numeric else ""
        return f"<{tag}{kind}>{escape(_shown(value))}</{tag}>"

    head = "".join(cell(name, "th", name) for name in block.columns)
    rows = []
    for row, kind in zip(block.rows, block.kinds or [""] * len(block.rows), strict=True):
        cells = "".join(cell(value, "td", name) for name, value in zip(block.columns, row, strict=True))
        rows.append(f'<tr class="{escape(kind)}">{cells}</tr>')
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def markdown(result: JsonObject, blocks: Sequence[Block]) -> str:
    """The tables of a result as Markdown."""
    record = result["record"]
    out = [f"# rlar eval {record['kind']}", "", f"`{record['command']}`", ""]
    for block in blocks:
        if block.title:
            out += [f"## {block.title}", ""]
        out += [*block.lines, ""] if block.lines else []
        if block.rows:
            out.append("| " + " | ".join(block.columns) + " |")
            out.append("|" + "|".join("---:" if name in block.numeric else "---" for name in block.columns) + "|")
            out += ["| " + " | ".join(_shown(value).replace("|", "\\|").replace("\n", " ") for value in row) + " |" for row in block.rows]  # fmt: skip
            out.append("")
    data = ", ".join(f"{each['name']} {each.get('sha256', '')[:12]}" for each in record["data"])
    lock = record.get("registry", {}).get("lock_digest", "-")
    out.append(
        f"rlar {record['rlar']}, Python {record['python']}, seed {record['seed']}, registry lock {lock}, data: {data or '-'}"
    )
    return "\n".join(out) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


__all__ = ["markdown", "page", "svg", "write_report"]
