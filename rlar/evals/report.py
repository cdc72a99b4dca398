"""A result -> report.html (one self-contained file), report.md and report.json. Everything from outside is escaped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from rlar.evals import svg
from rlar.evals.blocks import Block, blocks_of
from rlar.tasks.atomic import write_errors, write_text_atomic
from rlar.types import JsonObject

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
