"""The HTML report of a build: one self-contained file (no network, light and dark, readable on a phone) and its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rlar._version import __version__
from rlar.registry.registry import Registry
from rlar.report.page import render
from rlar.rows.atomic import write_errors, write_text_atomic

PROMPTS_SHOWN = 3
PROMPT_CHARACTERS = 600


def write_report(folder: str | Path, summary: dict[str, Any], registry: Registry) -> Path:
    """Write `index.html` and `summary.json` into `folder`; returns the path of the page.

    Prompts, labels and reasons are data from outside: the template escapes all of them.
    """
    target = Path(folder)
    with write_errors(target):
        target.mkdir(parents=True, exist_ok=True)
    tasks = [task_view(line, registry, summary.get("notes", {})) for line in summary["tasks"]]
    most = max([1, *(task["rows"] for task in tasks)])
    page = render("report.html.j2", "rlar build report", summary=summary, tasks=tasks, most=most, version=__version__)
    write_text_atomic(target / "summary.json", json.dumps(summary, ensure_ascii=False, indent=2))
    write_text_atomic(target / "index.html", page)
    return target / "index.html"


def task_view(line: dict[str, Any], registry: Registry, notes: dict[str, list[str]]) -> dict[str, Any]:
    """What the page shows of one task: its line of the summary, contract, certificates and a few prompts."""
    fingerprint = line["fingerprint"]
    task = registry.task(fingerprint)
    latest = {item.tool_id: item for item in registry.certificates(fingerprint=fingerprint)}
    certificates = sorted(
        latest.values(), key=lambda item: (not item.admitted, -(item.discrimination or 0.0), item.tool_id)
    )
    prompts = [example.text for example in task.examples[:PROMPTS_SHOWN]] if task else []
    contract = task.contract.model_dump(mode="json", exclude_defaults=True) if task else {}
    return {
        **line,
        "description": task.description if task else "",
        "contract": json.dumps(contract, ensure_ascii=False),
        "certificates": [item.model_dump(mode="json") for item in certificates],
        "prompts": [text[:PROMPT_CHARACTERS] + ("…" if len(text) > PROMPT_CHARACTERS else "") for text in prompts],
        "notes": notes.get(fingerprint, []),
    }
