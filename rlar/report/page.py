"""Pages: the one HTML shell of all reports, and what the report of an `rlar eval` shows of each kind of result.

A result -> report.html (one self-contained file), report.md and report.json. Everything from outside is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from rlar.report import charts as svg
from rlar.rows.atomic import write_errors, write_text_atomic
from rlar.types import JsonObject

TEMPLATES = Path(__file__).parent / "templates"


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
    charts: Sequence[str] = ()
    grid: bool = False
    """Charts stand beside one another where there is room."""
    texts: Sequence[str] = ()
    """Columns whose line breaks and spaces are shown."""


def blocks_of(result: JsonObject) -> list[Block]:
    """The sections of a result, whatever its kind."""
    return shown(_KINDS[result["record"]["kind"]](result))


def shown(blocks: Sequence[Block]) -> list[Block]:
    """The sections in which there is anything."""
    return [block for block in blocks if block.lines or block.rows or any(block.charts)]


REWARD_COLUMNS = ("system", "accuracy", "95% interval", "coverage", "failed", "seconds", "tokens")
NUMBERS = ("accuracy", "95% interval", "coverage", "failed", "seconds", "tokens")


def _rewards(result: JsonObject) -> list[Block]:
    overall = result["overall"]
    blocks = [
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
        blocks.append(
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
            blocks.append(Block("", [], ("system", "measure", "value"), extras, numeric=("value",)))
    return blocks


def _style_charts(extras: JsonObject) -> list[str]:
    cells: dict[str, dict[tuple[int, int], float]] = {}
    for name, value in extras.items():
        if name.startswith("style "):
            _, place, subset = name.split(" ", 2)
            i, j = place.split("x")
            cells.setdefault(subset, {})[int(i), int(j)] = value
    charts = []
    for subset, places in cells.items():
        size = max(i for i, _ in places) + 1
        names = ("concise", "plain", "markdown") if size == 3 else [str(index) for index in range(size)]
        grid = [[places[i, j] for j in range(size)] for i in range(size)]
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


def _by_labels(counts: JsonObject | None) -> list[str]:
    if not counts or not counts["counted"]:
        return []
    lines = [f"Of the {counts['counted']} that change a verdict on labelled completions {counts['killed']} were rejected ({counts['share']:.1%})."]  # fmt: skip
    return [*lines, f"These were not: {'; '.join(counts['survivors'])}."] if counts["survivors"] else lines


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
              charts=[svg.lines("Regret of the router", curve, x_name="probe rows a task", y_name="accuracy lost", low=0, log_x=True)]),
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
                low=0,
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
    columns = ["task", "prompts", "completions", "mean reward", "passed", "coverage", "searched", "second", "agreement"]
    return [
        Block("Completions by task", result["lines"], columns,
              [[row["task"], row["prompts"], row["completions"], row["mean"], row["passed"], row["coverage"], row["searched"], row["second"], row["agreement"]] for row in rows],
              numeric=columns[1:], charts=[svg.lines("pass@k", curves, x_name="k", y_name="pass@k", low=0, log_x=True)] if curves else []),
    ]  # fmt: skip


_KINDS: dict[str, Callable[[JsonObject], list[Block]]] = {
    "rewards": _rewards,
    "gate": _gate,
    "simulate": _simulate,
    "discovery": _discovery,
    "tool": _tool,
    "policy": _policy,
}


def write_report(result: JsonObject, folder: str | Path) -> Path:
    """`report.html`, `report.md` and `report.json` in a folder (made if needed); returns the page."""
    target = Path(folder)
    with write_errors(target):
        target.mkdir(parents=True, exist_ok=True)
    blocks = blocks_of(result)
    for name, text in (
        ("report.json", json.dumps(result, ensure_ascii=False, indent=1)),
        ("report.md", markdown(result, blocks)),
        ("report.html", page(result, blocks)),
    ):
        write_text_atomic(target / name, text)
    return target / "report.html"


def page(result: JsonObject, blocks: Sequence[Block]) -> str:
    """The report as one HTML file; see shell."""
    record = result["record"]
    title = f"rlar eval {record['kind']}"
    made = f"{record['created_at']}, rlar {record['rlar']}, seed {record['seed']}"
    shown = json.dumps(record, ensure_ascii=False, indent=1)
    return shell(title, f'<p class="dim">{escape(made)}</p>\n{html(blocks)}<h2>Record</h2><pre>{escape(shown)}</pre>')


def shell(title: str, body: str) -> str:
    """The page around a body of HTML: one file without script or request, light and dark, readable on a phone."""
    style = (TEMPLATES / "page.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title><style>\n{style}</style></head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def render(
    template: str, title: str, *, filters: Mapping[str, Callable[[Any], str]] | None = None, **values: Any
) -> str:
    """A page whose body is a template of `templates/`, which escapes every value."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(filters or {})
    made_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return shell(title, environment.get_template(template).render(made_at=made_at, **values))


def html(blocks: Sequence[Block]) -> str:
    """The sections as HTML; everything but charts is escaped."""
    parts = []
    for block in blocks:
        parts.append(f"<h2>{escape(block.title)}</h2>" if block.title else "")
        parts += [f"<p>{escape(line)}</p>" for line in block.lines]
        charts = "".join(block.charts)
        parts.append(f'<div class="charts">{charts}</div>' if block.grid else charts)
        parts.append(_table(block) if block.rows else "")
    return "\n".join(part for part in parts if part)


def _table(block: Block) -> str:
    def cell(value: Any, tag: str, name: str) -> str:
        kind = ' class="n"' if name in block.numeric else ' class="pre"' if name in block.texts and tag == "td" else ""
        return f"<{tag}{kind}>{escape(_shown(value))}</{tag}>"

    head = "".join(cell(name, "th", name) for name in block.columns)
    rows = []
    for row, kind in zip(block.rows, block.kinds or [""] * len(block.rows), strict=True):
        cells = "".join(cell(value, "td", name) for name, value in zip(block.columns, row, strict=True))
        rows.append(f'<tr class="{escape(kind)}">{cells}</tr>' if kind else f"<tr>{cells}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


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
