"""What a person sees of a build: a live table on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rlar.report.live import Progress
from rlar.terminal import console


class BuildProgress(Progress):
    """Follows the events of rlar.agent.build.build_tools; use as a context manager and call it with each event."""

    transient = True

    def __init__(self, stream: TextIO, *, live: bool | None = None) -> None:
        super().__init__(stream, live=live)
        self.tasks: dict[str, dict[str, Any]] = {}
        self.spent: dict[str, float] = {"calls": 0, "cached": 0, "tokens": 0, "cost": 0.0, "bytes": 0}
        self.line = "starting"

    def pause(self, talk: Callable[[], Any]) -> Any:
        """What `talk` gives, with the live table out of the way meanwhile."""
        if self._live is None:
            return talk()
        self._live.stop()
        try:
            return talk()
        finally:
            self._live.start(refresh=True)

    def _take(self, event: dict[str, Any]) -> str | None:
        name = event["event"]
        task = self.tasks.get(event.get("fingerprint", ""))
        line: str | None = None
        if name == "started":
            line = "resuming the build that was interrupted" if event["resumed"] else "reading rows"
        elif name == "read":
            self.line = f"reading rows: {event['rows']:,}"
        elif name == "outdated":
            line = event["line"]
        elif name == "classified":
            rows = event["rows"]
            for item in event["tasks"]:
                self.tasks[item["fingerprint"]] = {
                    **item, "state": "waiting", "admitted": 0, "rejected": 0, "note": "", "calls": 0, "tokens": 0,
                }  # fmt: skip
            line = f"{rows['read']:,} rows read, {rows['rejected']:,} rejected, {len(event['tasks'])} tasks found"
        elif name == "reading":
            self.line = f"asking what is asked: group {event['group']} of {event['groups']}"
        elif name == "llm":
            self._take_call(event, task)
        elif name == "assigned":
            self.line = f"giving every row its task: {event['rows']:,}"
        elif task is not None:
            line = self._take_task(name, event, task)
        if line:
            self.line = line
        return line

    def _take_call(self, event: dict[str, Any], task: dict[str, Any] | None) -> None:
        if event["cached"]:
            self.spent["cached"] += 1
            return
        tokens = event["input_tokens"] + event["output_tokens"]
        self.spent["calls"] += 1
        self.spent["tokens"] += tokens
        self.spent["cost"] += event["cost"] or 0.0
        if task is not None:
            task["calls"] += 1
            task["tokens"] += tokens

    def _take_task(self, name: str, event: dict[str, Any], task: dict[str, Any]) -> str | None:
        if name == "retrieving":
            task["state"] = "retrieving"
        elif name == "retrieved":
            self.spent["bytes"] += event.get("downloaded", 0)
        elif name == "writing":
            task["state"] = f"writing, attempt {event['attempt']}"
        elif name == "testing":
            task["state"] = f"testing {event['tool'].rsplit('-', 1)[0]}"
        elif name == "tested":
            task["admitted" if event["admitted"] else "rejected"] += 1
            verdict = "admitted" if event["admitted"] else "rejected: " + "; ".join(event["reasons"][:2])
            return f"{task['label']}: {event['tool']} {verdict}"
        elif name == "registered":
            task["state"] = "covered" if event["covered"] else "uncovered"
            task["note"] = ", ".join(tool.rsplit("-", 1)[0] for tool in event["tools"]) or (event["reason"] or "")
            return f"{task['label']}: {task['state']}" + (f" ({task['note']})" if task["note"] else "")
        return None

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for column, style in (
            ("task", "bold"),
            ("fingerprint", "dim"),
            ("rows", ""),
            ("tools", ""),
            ("LLM", ""),
            ("state", ""),
        ):
            table.add_column(column, style=style, overflow="ellipsis", no_wrap=True)
        colours = {"covered": "green", "uncovered": "yellow", "waiting": "dim"}
        for task in self.tasks.values():
            state = Text(f"{task['state']}  {task['note']}", style=colours.get(task["state"], "cyan"))
            tools = f"{task['admitted']} admitted, {task['rejected']} rejected"
            spending = f"{task['calls']} calls, {task['tokens']:,} tokens" if task["calls"] else ""
            table.add_row(Text(task["label"]), task["fingerprint"], f"{task['rows']:,}", tools, spending, state)
        elapsed = f"{time.monotonic() - self.started:.0f}s  {self.line}{told_spending(self.spent)}"
        return Group(table, Text(elapsed, style="dim")) if self.tasks else Group(Text(elapsed, style="dim"))


def ask_person(question: Mapping[str, Any]) -> dict[str, bool]:
    """Ask in the terminal about each model that waits for a decision; anything but a clear yes is a no."""
    import typer

    screen = console(sys.stderr)
    screen.print(Text(f"\n{question['question']} (task: {question['task']})", style="bold"))
    decided = {}
    for each in question["approvals"]:
        screen.print(Text(f"  {each['subject']}"))
        for reason in each["reasons"]:
            screen.print(Text(f"    - {reason}", style="yellow"))
        for name, value in each["facts"].items():
            screen.print(Text(f"    {name}: {value}", style="dim"))
        decided[each["subject"]] = typer.confirm("  use it?", default=False, err=True)
    return decided


def told_spending(spent: dict[str, float]) -> str:
    """What has been spent so far, for the end of a line; empty where nothing was."""
    parts = []
    if spent["calls"] or spent["cached"]:
        parts.append(
            f"{spent['calls']:.0f} LLM calls ({spent['cached']:.0f} from the cache), {spent['tokens']:,.0f} tokens"
        )
    if spent["cost"]:
        parts.append(f"cost {spent['cost']:.4f}")
    if spent["bytes"]:
        parts.append(f"{spent['bytes'] / 1e6:,.1f} MB downloaded")
    return "".join(f"  |  {part}" for part in parts)


def cost_line(summary: dict[str, Any]) -> str:
    """One line: what the build took."""
    spent, tasks, rows = summary["spent"], max(1, len(summary["tasks"])), max(1, summary["rows_read"])
    line = f"{summary['seconds']:.1f} s, {spent['calls']} LLM calls"
    if spent["calls"] or spent["cached"]:
        line += f" ({spent['calls'] / tasks:.1f} a task, {spent['calls'] / rows:.4f} a row; {spent['cached']} more from the cache)"
        line += f", {spent['input_tokens']:,} + {spent['output_tokens']:,} tokens"
    if spent["cost"] is not None:
        line += f", cost {spent['cost']:.4f}"
    if spent["downloaded"]:
        line += f", {spent['downloaded'] / 1e6:,.1f} MB downloaded"
    return line


def print_summary(summary: dict[str, Any], stream: TextIO) -> None:
    """The end of a build for a person: coverage, tools, what is uncovered and what would cover it."""
    screen = console(stream)
    table = Table(title="Tasks", title_justify="left", box=None, pad_edge=False)
    for column in ("task", "fingerprint"):
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("read", justify="right")
    table.add_column("reward from", overflow="fold")
    for task in summary["tasks"]:
        served = ", ".join(tool.rsplit("-", 1)[0] for tool in task["tools"]) if task["covered"] else "-"
        table.add_row(
            Text(task["label"]),
            task["fingerprint"],
            f"{task['rows']:,}",
            f"{task['row_shares']['read']:.0%}" if task["row_shares"] else "",
            Text(served),
            style=None if task["covered"] else "yellow",
        )
    screen.print(table)
    read, rejected, unknown = summary["rows_read"], summary["rows_rejected"], summary["rows_unknown"]
    screen.print(
        Text(
            f"\n{read:,} rows, {len(summary['tasks'])} tasks, {summary['coverage']:.0%} of usable rows covered"
            f"; {rejected:,} rows rejected, {unknown:,} unknown"
        )
    )
    for row in summary["rejected_rows"][:5]:
        screen.print(Text(f"  rejected {row['origin']}: {row['reason']}"))
    for task in summary["uncovered"]:
        screen.print(
            Text(f"uncovered: {task['label']} ({task['rows']:,} rows) because {task['reason']}", style="yellow")
        )
    screen.print(Text(f"\nregistry {summary['registry']}"))
    if summary["report"]:
        screen.print(Text(f"report   {summary['report']}"))
    screen.print(Text(cost_line(summary)), soft_wrap=True)
