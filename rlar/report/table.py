"""What the listing commands show: plain data for `--json`, tables for a person."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from rich.table import Table
from rich.text import Text

from rlar.errors import RegistryError
from rlar.registry.registry import Registry
from rlar.terminal import console
from rlar.tools.load import kind_of
from rlar.tools.outdated import what_is_outdated
from rlar.types import Certificate, CheckResult, ToolSpec

WATCHED = (
    "langgraph",
    "math-verify",
    "numpy",
    "pydantic",
    "sacrebleu",
    "scikit-learn",
    "sqlglot",
    "sqlmodel",
    "sympy",
    "torch",
)
"""Packages whose versions `rlar doctor` prints."""


@dataclass
class Listing:
    """One command's answer."""

    data: Any
    """JSON values, the same facts as the table."""
    columns: tuple[str, ...] = ()
    rows: Sequence[Sequence[str]] = ()
    heading: Sequence[str] = ()
    """Lines above the table."""
    footing: Sequence[str] = ()
    """Lines below it."""
    changed: bool = False
    """For comparing commands: something differs."""
    more: list[Listing] = field(default_factory=list)

    def print(self, stream: TextIO) -> None:
        """Draw for a person. Everything is drawn as plain text: labels and reasons come from outside."""
        screen = console(stream)
        for line in self.heading:
            screen.print(Text(line))
        if self.columns and self.rows:
            table = Table(box=None, pad_edge=False)
            for name in self.columns:
                table.add_column(name, overflow="fold", justify="right" if name in NUMERIC else "left")
            for row in self.rows:
                table.add_row(*(Text(cell) for cell in row))
            screen.print(table)
        for line in self.footing:
            screen.print(Text(line))
        for listing in self.more:
            screen.print()
            listing.print(stream)


NUMERIC = frozenset({"rows", "value", "threshold", "probes", "ms", "discrimination"})


def number(value: float | None, places: int = 3) -> str:
    """A number for a table cell; empty for None."""
    return "" if value is None else f"{value:.{places}f}"


def list_tasks(address: str) -> Listing:
    """Every task with its tools."""
    with Registry.open(address, readonly=True) as registry:
        tasks = sorted(registry.tasks(), key=lambda task: (-task.rows, task.fingerprint))
        data: list[dict[str, Any]] = []
        for task in tasks:
            recipe = registry.served(task.fingerprint)
            tools = [*recipe.gates, *(tool for tool, _ in recipe.qualities)] if recipe else []
            data.append(
                {
                    "fingerprint": task.fingerprint,
                    "label": task.label,
                    "answer_kind": task.contract.answer_kind.value,
                    "rows": task.rows,
                    "covered": recipe is not None,
                    "tools": tools,
                    "recipe_version": recipe.version if recipe else None,
                    "row_shares": {tool: shares.model_dump() for tool, shares in recipe.row_shares.items()}
                    if recipe
                    else {},
                    "contract": task.contract.model_dump(mode="json", exclude_defaults=True),
                }
            )
    rows = [
        (item["label"], item["answer_kind"], item["fingerprint"], f"{item['rows']:,}", ", ".join(item["tools"]) or "-")
        for item in data
    ]
    covered = sum(item["covered"] for item in data)
    return Listing(
        data,
        ("task", "answer kind", "fingerprint", "rows", "reward from"),
        rows,
        footing=[f"{len(data)} tasks, {covered} covered"] if data else ["no tasks yet; run `rlar agent build-tools`"],
    )


def list_tools(address: str) -> Listing:
    """Every (tool, task) with its latest verdict."""
    with Registry.open(address, readonly=True) as registry:
        labels = {task.fingerprint: task.label for task in registry.tasks()}
        latest = latest_certificates(registry)
        outdated = what_is_outdated(registry.served_tools())
    data: list[dict[str, Any]] = [
        {
            "tool": item.tool_id,
            "fingerprint": item.fingerprint,
            "task": labels.get(item.fingerprint, ""),
            "role": item.role,
            "admitted": item.admitted,
            "discrimination": item.discrimination,
            "cost_ms_p50": item.cost_ms_p50,
            "forgeable": item.forgeable,
            "reasons": list(item.reasons),
        }
        for item in latest
    ]
    rows = [
        (
            item["tool"],
            item["task"],
            item["role"],
            "admitted" if item["admitted"] else "rejected",
            number(item["discrimination"]),
            number(item["cost_ms_p50"], 2),
            "; ".join(item["reasons"]),
        )
        for item in data
    ]
    return Listing(
        data,
        ("tool", "task", "role", "verdict", "discrimination", "ms", "why"),
        rows,
        footing=[line for line in ("" if data else "no tools yet; run `rlar agent build-tools`", outdated) if line],
    )


def latest_certificates(registry: Registry) -> list[Certificate]:
    """The newest certificate of every (tool, task), by task then verdict then tool."""
    latest = {(item.tool_id, item.fingerprint): item for item in registry.certificates()}
    return sorted(latest.values(), key=lambda item: (item.fingerprint, not item.admitted, item.tool_id))


def find_tool(registry: Registry, beginning: str) -> ToolSpec:
    """The one tool whose id begins so. Raises RegistryError for none or several."""
    exact = registry.tool(beginning)
    if exact is not None:
        return exact
    candidates = [tool for tool in registry.tools() if tool.id.startswith(beginning)]
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise RegistryError(f"no tool {beginning!r} in this registry; `rlar tools list` names them")
    raise RegistryError(
        f"{beginning!r} fits {len(candidates)} tools: {', '.join(tool.id for tool in candidates[:6])}; say more of the id"
    )


def show_tool(address: str, beginning: str) -> Listing:
    """One tool with its certificates, check by check."""
    with Registry.open(address, readonly=True) as registry:
        tool = find_tool(registry, beginning)
        labels = {task.fingerprint: task.label for task in registry.tasks()}
        certificates = [item for item in latest_certificates(registry) if item.tool_id == tool.id]
    heading = [
        f"{tool.id}",
        f"kind        {tool.kind.value}",
        "source      code, below" if kind_of(tool).source_is_code else f"source      {tool.source}",
        f"code hash   {tool.code_hash}",
        *(f"{name:<11} {value}" for name, value in {**tool.params, **tool.provenance}.items()),
        *(f"    {line}" for line in tool.source.splitlines() if kind_of(tool).source_is_code),
    ]
    listing = Listing(
        {
            "tool": {"id": tool.id, **tool.model_dump(mode="json")},
            "certificates": [item.model_dump(mode="json") for item in certificates],
        },
        heading=heading,
    )
    for item in certificates:
        verdict = "admitted" if item.admitted else "rejected: " + "; ".join(item.reasons)
        listing.more.append(
            Listing(
                None,
                ("check", "verdict", "value", "threshold", "probes", "note"),
                [check_row(check) for check in item.checks],
                heading=[
                    f"{labels.get(item.fingerprint, item.fingerprint)} ({item.fingerprint}), as {item.role}: {verdict}",
                    f"policy {item.policy_version}, seed {item.seed}, {item.created_at}"
                    + (f", sandbox {item.sandbox_tier}" if item.sandbox_tier else ""),
                ],
            )
        )
    return listing


def check_row(check: CheckResult) -> tuple[str, ...]:
    """One admission check as table cells."""
    verdict = {None: "n/a", True: "pass", False: "FAIL"}[check.passed]
    return (check.name, verdict, number(check.value), number(check.threshold), str(check.probes), check.note)


def doctor() -> Listing:
    """This machine: sandbox tiers, languages of programs, and versions."""
    from rlar._version import __version__
    from rlar.sandbox import probe
    from rlar.sandbox.doctor import language_lines, languages, report_lines

    report = probe()
    spoken = languages(report.best)
    versions = {"rlar": __version__, "python": platform.python_version()}
    for name in WATCHED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    listing = Listing(
        {"sandbox": report.to_json(), "languages": spoken, "versions": versions, "platform": platform.platform()},
        ("package", "version"),
        list(versions.items()),
        heading=[
            f"{platform.platform()}, {sys.executable}",
            "",
            *report_lines(report),
            "",
            *language_lines(spoken),
            "",
        ],
    )
    return listing
