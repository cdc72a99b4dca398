"""Print what `rlar score` wrote, a line a completion: python examples/show_scores.py demo/scored.jsonl"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text


def main(path: str) -> None:
    """Read the output of `rlar score` and print it as a table."""
    table = Table(title=f"Rewards in {path}", title_justify="left", box=None, pad_edge=False)
    # What decides is never cut, however narrow the terminal; explanations give way.
    console = Console()
    for column, width in (("row", 10), ("task", 20), ("reward", 6), ("status", 9)):
        table.add_column(column, overflow="ellipsis", no_wrap=True, width=width)
    table.add_column("why", overflow="ellipsis", no_wrap=True, width=max(20, console.width - 54))
    for line in Path(path).read_text("utf-8").splitlines():
        row = json.loads(line)
        for reward in row["rewards"]:
            number = "-" if reward["reward"] is None else f"{reward['reward']:.2f}"
            why = "; ".join(score["explanation"] for score in reward["scores"] if score["explanation"])
            style = "green" if (reward["reward"] or 0) >= 0.5 else None
            table.add_row(
                str(row["id"]), Text(row["task"] or "unknown"), number, reward["status"], Text(why[:90]), style=style
            )
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1])
