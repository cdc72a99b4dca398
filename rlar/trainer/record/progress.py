"""What a person sees of a run: a live table by task on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rlar.report.live import Progress

LINE_EVERY = 10
"""Steps between lines where there is no terminal."""


class TrainProgress(Progress):
    """Follows the events of rlar.trainer.start.run_training; use as a context manager and call it with each event."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.steps = 0
        self.row: dict[str, Any] = {}
        self.evaluation: dict[str, Any] = {}
        self.note = "starting"

    def _take(self, event: dict[str, Any]) -> str | None:
        name = event["event"]
        if name == "training":
            self.steps = event["steps"]
            left = ", ".join(f"{count:,} {why}" for why, count in event["left_out"].items() if count)
            self.note = (
                f"{event['parameters']:,} parameters, {event['train']:,} rows, {event['held_out']:,} held out"
                + (f"; left out: {left}" if left else "")
                + (f"; resumed at step {event['step']}" if event["step"] else "")
            )
            return self.note
        if name == "warmup":
            self.note = f"warm-up {event['step']}/{event['steps']}, loss {event['loss']:.3f}"
            return self.note
        if name == "eval":
            self.evaluation = event
            shown = ", ".join(f"{label} {_two(values['accuracy'])}" for label, values in event["eval"].items())
            return f"held-out accuracy after {event['step']} steps: {shown}"
        if name == "step":
            self.row = event
            return step_line(event, self.steps) if event["step"] % LINE_EVERY == 0 else None
        if name == "checkpoint":
            self.note = f"checkpoint {event['path']}"
            return self.note
        if name == "drift":
            self.note = "drift: " + "; ".join(
                f"{each['task']}: {each['tool']} {each['text']}" for each in event["drift"]
            )
            return self.note
        if name == "collapse":
            self.note = "collapse: " + "; ".join(sign["text"] for sign in event["collapse"])
            return self.note
        if name == "evolved":
            told = event["evolved"]
            self.note = (
                f"the agent looked at {told['unknown']:,} unknown rows, {len(told['quarantined'])} quarantined "
                f"and {len(told['drifted'])} drifted tools: "
                f"{told['rows_before']:,} rows to train on, now {told['rows_after']:,}"
                + (f"; {told['problem']}" if told.get("problem") else "")
            )
            return self.note
        if name == "note":
            self.note = str(event["text"])
            return self.note
        return None

    def _render(self) -> Group:
        if not self.row:
            return Group(Text(self.note, style="dim"))
        table = Table(box=None, pad_edge=False)
        table.add_column("task", style="bold")
        for column in ("reward", "held-out", "scored", "unscored", "length"):
            table.add_column(column, justify="right")
        held = self.evaluation.get("eval", {})
        for label, values in self.row["tasks"].items():
            accuracy = held.get(label, {}).get("accuracy")
            unscored = sum(count for status, count in values["status"].items() if status != "ok")
            table.add_row(
                Text(label),
                "-" if values["reward"] is None else f"{values['reward']:.3f}",
                _two(accuracy),
                str(values["scored"]),
                str(unscored),
                f"{values['length'] or 0:.0f}",
            )
        return Group(table, Text(step_line(self.row, self.steps)), Text(self.note, style="dim"))


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def step_line(row: dict[str, Any], steps: int) -> str:
    """One step in a line: reward, what taught something, entropy and KL where measured, speed and where time went."""
    seconds, groups = row["seconds"], row["groups"]
    reward = "-" if row["reward"] is None else f"{row['reward']:.3f}"
    parts = [
        f"step {row['step'] + 1}/{steps}",
        f"reward {reward}",
        f"groups {groups['informative']}/{groups['groups']}",
        f"loss {row['loss']:.4f}",
    ]
    parts += [f"{name} {row[name]:.3f}" for name in ("entropy", "kl") if row.get(name) is not None]
    parts.append(f"{row['tokens_per_second']:.0f} tokens/s")
    parts.append(
        f"generate {seconds['generate']:.2f}s score-wait {seconds['score_wait']:.2f}s update {seconds['update']:.2f}s"
    )
    return "  ".join(parts)
